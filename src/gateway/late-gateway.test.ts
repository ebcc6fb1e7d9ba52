import { createSocket } from 'node:dgram'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import type { Gateway, GatewaySockets } from './gateway.js'
import { LateGateway } from './late-gateway.js'

async function listen(): Promise<Server> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

async function openSockets(): Promise<GatewaySockets> {
  const dnsUdp = createSocket('udp4')
  await new Promise<void>((resolve) => dnsUdp.bind(0, '127.0.0.1', resolve))
  const [dnsTcp, http, https, forward, reverse] = [
    await listen(),
    await listen(),
    await listen(),
    await listen(),
    await listen(),
  ]
  return { dnsUdp, dnsTcp, http, https, forward, reverse }
}

const portOf = (server: Server) => (server.address() as AddressInfo).port

/** Stands for a gateway: it repeats what it is sent, and counts what it was given. */
function echo(given: string[]): Gateway {
  const close: (() => void)[] = []
  const gateway = {
    serve({ dnsUdp, ...servers }: GatewaySockets) {
      dnsUdp.on('message', (bytes, { port, address }) => {
        given.push(`query ${bytes.toString()}`)
        dnsUdp.send(bytes, port, address)
      })
      close.push(() => void dnsUdp.close())
      for (const [name, server] of Object.entries<Server>(servers)) {
        server.on('connection', (socket: Socket) => {
          socket.on('error', () => socket.destroy())
          given.push(name)
          socket.pipe(socket)
        })
        close.push(() => void server.close())
      }
    },
    close() {
      for (const one of close) one()
      return Promise.resolve()
    },
  }
  return gateway as unknown as Gateway
}

async function late(t: Test, delayMs: number, given: string[] = []) {
  const sockets = await openSockets()
  const failures: unknown[] = []
  let loads = 0
  const gateway = new LateGateway({
    sockets,
    failed: (error) => failures.push(error),
    load: async () => {
      loads += 1
      await new Promise((resolve) => setTimeout(resolve, delayMs))
      return echo(given)
    },
  })
  t.teardown(() => gateway.close())
  return { sockets, gateway, given, failures, loads: () => loads }
}

/** What comes back on a connection. */
function exchange(server: Server, text: string): Promise<string> {
  return new Promise((resolve) => {
    let heard = ''
    const socket = connect(portOf(server), '127.0.0.1', () => socket.end(text))
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
    socket.on('close', () => resolve(heard))
    socket.on('error', () => undefined)
  })
}

void t.test('what arrives before the gateway is there waits for it', async (t) => {
  const { sockets, given, loads } = await late(t, 200)
  const client = createSocket('udp4')
  t.teardown(() => client.close())
  const answered = new Promise((resolve) => client.once('message', (bytes) => resolve(bytes.toString())))
  client.send('one', sockets.dnsUdp.address().port, '127.0.0.1')
  const answers = Promise.all([exchange(sockets.http, 'two'), exchange(sockets.forward, 'three')])
  t.equal(await answered, 'one')
  t.strictSame(await answers, ['two', 'three'])
  t.strictSame(given.sort(), ['forward', 'http', 'query one'])
  t.equal(await exchange(sockets.https, 'four'), 'four', 'and what comes later goes straight to it')
  t.equal(given.length, 4, 'once')
  t.equal(loads(), 1)
})

void t.test('a connection that was reset meanwhile is nobody’s', async (t) => {
  const { sockets, given } = await late(t, 200)
  const socket = connect(portOf(sockets.http), '127.0.0.1')
  await new Promise<void>((resolve) => socket.once('connect', resolve))
  socket.write('x')
  await new Promise((resolve) => setTimeout(resolve, 50))
  socket.resetAndDestroy()
  t.equal(await exchange(sockets.http, 'after'), 'after')
  t.ok(given.length >= 1)
})

void t.test('it is loaded soon after the start, and not before', async (t) => {
  const { gateway, loads } = await late(t, 0)
  await new Promise((resolve) => setTimeout(resolve, 150))
  t.equal(loads(), 0)
  gateway.start()
  const isLoaded = async () => {
    while (loads() === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  // The timer alone keeps no process alive.
  await isLoaded()
  t.equal(loads(), 1)
})

void t.test('a gateway that was never needed closes its sockets', async (t) => {
  const { gateway, sockets, loads } = await late(t, 0)
  const closed = new Promise((resolve) => sockets.http.once('close', resolve))
  gateway.start()
  await gateway.close()
  await closed
  t.equal(loads(), 0)
})

void t.test('a gateway that cannot be loaded is told once, and answers nothing', async (t) => {
  const failures: unknown[] = []
  const sockets = await openSockets()
  const gateway = new LateGateway({
    sockets,
    load: () => Promise.reject(new Error('broken')),
    failed: (error) => failures.push(error),
  })
  const answer = exchange(sockets.http, 'one')
  while (failures.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  await gateway.close()
  t.equal(await answer, '')
  t.equal(failures.length, 1)
})
