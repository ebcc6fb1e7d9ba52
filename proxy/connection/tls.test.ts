import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import { startGateway, type TestGateway } from '#test/fixtures/gateway.js'
import { identifyNeighbour, type Neighbour } from '#test/fixtures/neighbours.js'
import { destination, testPolicy } from '#test/fixtures/policy.js'

const HOSTS = ['one.example', 'two.example', 'three.example', 'four.example']
const FROM: Readonly<Record<Neighbour, string>> = { a: '127.0.0.2', b: '127.0.0.3' }

/** True if the gateway shows a certificate for the name. */
async function handshake(gateway: TestGateway, who: Neighbour, servername: string): Promise<boolean> {
  const under: Socket = connect({ port: gateway.ports.https, host: '127.0.0.1', localAddress: FROM[who] })
  const socket = connectTls({ socket: under, servername, ca: gateway.ca })
  const done = await Promise.race([
    once(socket, 'secureConnect').then(() => true),
    once(socket, 'close').then(() => false),
    once(socket, 'error').then(() => false),
  ]).catch(() => false)
  socket.destroy()
  return done
}

void t.test(
  'a sandbox that asks for certificates without end is refused, and its neighbour is not',
  async (t) => {
    const gateway = await startGateway(
      testPolicy({
        destinations: HOSTS.map((host, i) =>
          destination(`https://${host}`, ['allow GET /**'], { id: `allow[${String(i)}]` }),
        ),
        limits: { certificates: { perSecond: 0.001, burst: 3 } },
      }),
      identifyNeighbour,
    )
    t.teardown(() => gateway.close())
    const shown: boolean[] = []
    for (const host of HOSTS) shown.push(await handshake(gateway, 'a', host))
    t.strictSame(shown, [true, true, true, false])
    t.match(gateway.decisions.at(-1), { reason: 'busy', kind: 'tls', host: 'four.example' })
    t.ok(await handshake(gateway, 'a', 'one.example'), 'what it has costs nothing')
    t.ok(await handshake(gateway, 'b', 'four.example'))
    t.strictSame(gateway.failures, [])
  },
)
