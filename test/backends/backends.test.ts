import t from 'tap'
import { NamespacesBackend } from '#src/sandbox/backends/namespaces/backend.js'
import { planNamespaces } from '#src/sandbox/backends/namespaces/setting.js'
import type { SandboxPlan } from '#src/sandbox/plan.js'
import { testParity, type ProbeRequest, type Subject } from './parity.js'
import { ToyBackend } from './toy-backend.js'

// The table of probes, on every backend that needs no engine. Docker's part: docker-backend.test.ts.

t.setTimeout(300_000)

const PORTS = [80, 443, 3128, 9199]

async function planOf({ masked, variables, ...request }: ProbeRequest): Promise<SandboxPlan> {
  const { plan } = await planNamespaces('sb-0123456789', {
    ...request,
    masked,
    policies: masked,
    env: { ...variables, GATEWAY: '127.0.0.1', RESOLVER: '127.0.0.1' },
    listen: [
      { name: 'udp', kind: 'udp', port: 53 },
      ...[53, ...PORTS].map((port) => ({ name: String(port), kind: 'tcp' as const, port })),
    ],
    hosts: { egress: '127.0.0.1' },
  })
  return plan
}

const SUBJECTS: readonly Subject[] = [
  {
    name: 'namespaces',
    plan: async (request) => ({ plan: await planOf(request), backend: closing(new NamespacesBackend()) }),
  },
  {
    // Built with the tools of util-linux, as on hosts that have Python but no Perl.
    name: 'namespaces',
    plan: async (request) => ({
      plan: await planOf(request),
      backend: closing(new NamespacesBackend(undefined, undefined, null)),
    }),
  },
  { name: 'toy', plan: async (request) => ({ plan: await planOf(request), backend: new ToyBackend() }) },
]

/** The sockets of the gateway would keep this process alive. */
function closing(backend: NamespacesBackend): NamespacesBackend {
  const end = backend.end.bind(backend)
  backend.end = async () => {
    for (const socket of backend.sockets.values()) socket.close()
    await end()
  }
  return backend
}

for (const subject of SUBJECTS) await t.test(subject.name, (t) => testParity(t, subject))
