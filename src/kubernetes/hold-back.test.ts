import { createServer, type Server } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { holdBack, type Canary } from './hold-back.js'

async function listener(): Promise<{ server: Server; canary: Canary }> {
  const server = createServer((socket) => socket.end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { server, canary: { what: 'a canary', host: '127.0.0.1', port } }
}

void t.test('waits until every canary was refused several times running', async (t) => {
  const allowed = await listener()
  const first = await listener()
  const second = await listener()
  t.teardown(() => allowed.server.close())
  let seen = 0
  let ended = false
  first.server.on('connection', () => {
    seen += 1
    if (seen === 3) first.server.close()
  })
  const held = holdBack({
    ...{ allowed: allowed.canary, canaries: [first.canary, second.canary], patienceMs: 60_000, pauseMs: 5 },
  }).finally(() => (ended = true))
  await once(first.server, 'close')
  t.notOk(ended, 'one canary is still there')
  second.server.close()
  const { attempts, reached } = await held
  t.ok(reached >= 3)
  t.ok(attempts >= reached + 5)
})

void t.test('gives up while a canary answers, and says why', async (t) => {
  const [allowed, canary] = await Promise.all([listener(), listener()])
  t.teardown(() => [allowed, canary].forEach(({ server }) => server.close()))
  const options = { allowed: allowed.canary, canaries: [canary.canary], patienceMs: 200, pauseMs: 5 }
  await t.rejects(holdBack(options), {
    code: 'EGRESS_NOT_ENFORCED',
    problem: /can reach a canary .* the agent is not started/,
    fix: /NetworkPolicy/,
  })
})

void t.test('a gateway that is not there refuses everything, which proves nothing', async (t) => {
  const [allowed, canary] = await Promise.all([listener(), listener()])
  for (const { server } of [allowed, canary]) server.close()
  const options = { allowed: allowed.canary, canaries: [canary.canary], patienceMs: 200, pauseMs: 5 }
  await t.rejects(holdBack(options), { code: 'EGRESS_NO_GATEWAY', problem: /does not answer/ })
})
