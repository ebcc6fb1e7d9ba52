import { createSocket } from 'node:dgram'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadPolicy } from '#config/load.js'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { Audit } from '#src/audit/audit.js'
import { tuneGarbageCollector } from '#src/gateway/gc-tuning.js'
import { Gateway } from '#src/gateway/gateway.js'
import { ConsoleSink } from '#src/logs/console-sink.js'
import { painter } from '#src/logs/format.js'

/** Ports of a gateway's listeners on loopback, and its CA certificate. */
export interface GatewayPorts {
  /** UDP. */
  readonly dns: number
  /** Transparent, plain HTTP. */
  readonly http: number
  readonly reverse: number
  readonly forward: number
  readonly https: number
  readonly ca: string
  readonly auditDir: string
}

const SANDBOX = { id: 'sb-bench', agent: DEFAULT_AGENT, placeholders: new Map<string, string>() }

/** The gateway as shipped, with a policy file and an audit log on disk. */
export async function serveGateway(
  policyText: string,
  env: Record<string, string>,
  dnsPort = 0,
  asServe = false,
): Promise<GatewayPorts> {
  tuneGarbageCollector()
  const directory = mkdtempSync(join(tmpdir(), 'egress-bench-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'egress.yaml')
  writeFileSync(file, policyText)
  const auditDir = join(directory, 'audit')
  const sandboxes = new Map([['127.0.0.1', SANDBOX]])
  const sandboxAt = (address: string) => {
    const known = sandboxes.get(address) ?? { ...SANDBOX, id: `sb-${address}` }
    sandboxes.set(address, known)
    return known
  }
  const complain = (diagnostic: unknown) => console.error('the gateway:', diagnostic)
  const gateway = await Gateway.create({
    policy: (await loadPolicy(file, { kinds: CREDENTIAL_KINDS, env })).policy,
    audit: new Audit({
      directory: auditDir,
      gateway: 'bench',
      now: Date.now,
      onChange: complain,
      // As `egress serve` does: each decision is a line for `docker compose logs`.
      sinks: asServe ? [new ConsoleSink((text) => process.stdout.write(text), painter(false, {}))] : [],
    }),
    // A sandbox for each address, for benchmarks of several.
    identify: ({ address }) => sandboxAt(address),
    address: { ipv4: '127.0.0.1', ipv6: null },
    fail: complain,
  })
  const [dnsTcp, http, https, forward, reverse] = [0, 0, 0, 0, 0].map(() => createServer())
  const dnsUdp = createSocket('udp4')
  await new Promise<void>((resolve) => dnsUdp.bind(dnsPort, '127.0.0.1', resolve))
  const servers = { dnsTcp, http, https, forward, reverse } as Record<
    'dnsTcp' | 'http' | 'https' | 'forward' | 'reverse',
    Server
  >
  await Promise.all(Object.values(servers).map(listen))
  gateway.serve({ ...servers, dnsUdp })
  return {
    dns: dnsUdp.address().port,
    http: portOf(servers.http),
    reverse: portOf(servers.reverse),
    forward: portOf(servers.forward),
    https: portOf(servers.https),
    ca: gateway.certificate,
    auditDir,
  }
}

export function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port: 0, host: '127.0.0.1', backlog: 511 }, () => resolve())
  })
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
