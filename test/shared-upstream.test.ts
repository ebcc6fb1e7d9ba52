import { createServer, type Server } from 'node:net'
import t, { type Test } from 'tap'
import { startGateway } from './fixtures/gateway.js'
import { askAs, connectAs, identifyNeighbour } from './fixtures/neighbours.js'
import { destination, testPolicy } from './fixtures/policy.js'
import { listen } from './fixtures/upstream.js'
import { eventually } from './fixtures/eventually.js'

/** A gateway for two sandboxes before one upstream, over plain HTTP. */
async function serve(t: Test, server: Server) {
  const port = await listen(server)
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('http://api.example', ['deny * /slow/**', 'allow GET,POST /**'], { id: 'allow[0]' }),
      ],
      hosts: { 'api.example': { address: '127.0.0.1', port } },
    }),
    identifyNeighbour,
  )
  t.teardown(async () => {
    await gateway.close()
    server.close()
  })
  return gateway
}

const HOST = 'Host: api.example\r\n'

/** Ignores the body of one POST (CL.0) and takes what stands in it for the next request; answers /slow late. */
function carelessUpstream(saw: string[]): Server {
  return createServer((socket) => {
    let text = ''
    let last = Promise.resolve()
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const [method = '', path = ''] = text.slice(0, end).split(' ')
        text = text.slice(end + 4)
        saw.push(`${method} ${path}`)
        const delay = path.startsWith('/slow') ? 500 : 0
        last = last
          .then(() => new Promise((resolve) => setTimeout(resolve, delay)))
          .then(() => {
            const body = `answer to ${path}`
            socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`)
          })
      }
    })
  })
}

void t.test('the answer to a request that a sandbox hid in a body reaches no other sandbox', async (t) => {
  const saw: string[] = []
  const gateway = await serve(t, carelessUpstream(saw))
  const hidden = 'GET /slow/made-by-a HTTP/1.1\r\nHost: api.example\r\n\r\n'
  const length = `Content-Length: ${String(hidden.length)}\r\n`
  t.match(
    await askAs('a', gateway.ports.http, `POST /x HTTP/1.1\r\n${HOST}${length}`, hidden),
    'answer to /x',
  )
  await eventually(() => saw.includes('GET /slow/made-by-a'))
  const answer = await askAs('b', gateway.ports.http, `GET /mine HTTP/1.1\r\n${HOST}`)
  t.match(answer, 'answer to /mine')
  t.notMatch(answer, 'made-by-a')
})

void t.test('a sandbox that holds all the requests it may leaves an upstream to the others', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      if (!chunk.includes('/hang')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine')
    })
  })
  const gateway = await serve(t, server)
  const held = await Promise.all(
    Array.from({ length: 300 }, async () => {
      const connection = await connectAs('a', gateway.ports.http)
      connection.socket.write(`GET /hang HTTP/1.1\r\n${HOST}\r\n`)
      return connection
    }),
  )
  await eventually(() => gateway.decisions.length >= 300)
  t.match(await askAs('b', gateway.ports.http, `GET /quick HTTP/1.1\r\n${HOST}`), /^HTTP\/1.1 200 .*fine$/s)
  for (const { socket } of held) socket.destroy()
})
