import t from 'tap'
import type { Destination } from '#firewall/contracts/policy.js'
import type { Holds } from '#firewall/contracts/holds.js'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import { Ledger } from '#firewall/ledger/ledger.js'
import { Secret } from '#firewall/secrets/secret.js'
import type { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { destination, service, testPolicy } from '#test/fixtures/policy.js'
import { bearer } from '../credentials/bearer.js'
import { OpenStreams, type OpenStream } from './open-streams.js'
import { createProxySnapshot } from './snapshot.js'

const SANDBOX = { id: 'sb-0000000001', agent: DEFAULT_AGENT }
const TOKEN = 'real-token-0123456789abcdef'

function snapshotOf(...list: readonly [url: string, mode: Destination['mode']][]) {
  const credential = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', TOKEN) })
  const policy = testPolicy({
    destinations: list.map(([url, mode], index) =>
      destination(url, ['allow * /**'], { id: `allow[${String(index)}]`, mode }),
    ),
    services: [service('api', 'https://api.example', credential)],
  })
  return createProxySnapshot(policy, new Ledger(), Date.now)
}

function openStream(host: string, mode: Destination['mode'], port = 443) {
  const told: string[] = []
  const stream: OpenStream = {
    sandbox: SANDBOX,
    origin: { scheme: 'https', host, port },
    mode,
    end: (reason) => told.push(reason === 'policy-changed' ? 'end' : reason),
    search: (patterns: SecretPatterns) =>
      told.push(patterns.bytes.some((bytes) => bytes.equals(Buffer.from(TOKEN))) ? 'search' : 'nothing'),
  }
  return { stream, told }
}

const before = snapshotOf(['https://api.example', 'intercept'])
const next = snapshotOf(['https://api.example', 'intercept'], ['https://tunnel.example', 'tunnel'])

void t.test('a new policy ends what it does not allow, and gives its secrets to the rest', (t) => {
  for (const [host, mode, port, wanted] of [
    ['api.example', 'intercept', 443, 'search'],
    ['api.example', 'intercept', 8443, 'end'],
    ['gone.example', 'intercept', 443, 'end'],
    ['gone.example', 'tunnel', 443, 'end'],
    ['tunnel.example', 'tunnel', 443, 'search'],
    ['api.example', 'tunnel', 443, 'end'],
  ] as const) {
    const streams = new OpenStreams()
    const { stream, told } = openStream(host, mode, port)
    const leave = streams.add(stream, before, () => before)
    t.strictSame(told, [], 'nothing has changed yet')
    streams.replaced(next)
    t.strictSame(told, [wanted], `${mode} ${host}`)
    leave()
    streams.replaced(next)
    t.strictSame(told, [wanted], 'it is closed')
  }
  t.end()
})

void t.test('a policy that came between a decision and its stream reaches the stream as well', async (t) => {
  const streams = new OpenStreams()
  const gone = openStream('gone.example', 'intercept')
  const closed = openStream('gone.example', 'intercept')
  const same = openStream('gone.example', 'intercept')
  streams.add(gone.stream, before, () => next)
  streams.add(closed.stream, before, () => next)()
  streams.add(same.stream, next, () => next)
  t.strictSame(gone.told, [], 'never before its opener has what `add` returns')
  await Promise.resolve()
  t.strictSame([gone.told, closed.told, same.told], [['end'], [], []])
})

void t.test('what an operator holds ends, also what was decided before and opens after', async (t) => {
  const none: Holds = { all: false, agents: new Set(), sandboxes: new Set() }
  const held = (holds: Partial<Holds>) => ({
    ...before,
    namePolicy: { ...before.namePolicy, holds: { ...none, ...holds } },
  })
  for (const [inForce, wanted] of [
    [held({ all: true }), 'sandbox-stopped'],
    [held({ sandboxes: new Set([SANDBOX.id]) }), 'sandbox-stopped'],
    [held({ agents: new Set([DEFAULT_AGENT]) }), 'agent-paused'],
    [held({ agents: new Set([DEFAULT_AGENT]), sandboxes: new Set([SANDBOX.id]) }), 'sandbox-stopped'],
    [held({ agents: new Set(['another']), sandboxes: new Set(['sb-0000000002']) }), 'search'],
    [held({}), 'search'],
  ] as const) {
    const streams = new OpenStreams()
    const open = openStream('api.example', 'intercept')
    streams.add(open.stream, before, () => before)
    streams.replaced(inForce)
    t.strictSame(open.told, [wanted])
    const late = openStream('api.example', 'intercept')
    streams.add(late.stream, before, () => inForce)
    await Promise.resolve()
    t.strictSame(late.told, [wanted])
  }
})
