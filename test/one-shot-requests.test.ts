import { once } from 'node:events'
import { connect } from 'node:net'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { startGateway } from './fixtures/gateway.js'
import { destination, testPolicy } from './fixtures/policy.js'

// `ONE_SHOT_REQUESTS=50000 node dist/test/one-shot-requests.test.js` for a long run.

const COUNT = Number(process.env['ONE_SHOT_REQUESTS'] ?? 3_000)
const CLIENTS = 4
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH']

/** One request on a connection of its own; returns what came. */
function ask(port: number, method: string, path: string): Promise<string> {
  const body = method === 'GET' || method === 'DELETE' ? '' : 'x'
  const length = body === '' ? '' : 'Content-Length: 1\r\n'
  return new Promise((resolve) => {
    let received = ''
    const socket = connect(port, '127.0.0.1')
    socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(received))
    socket.write(
      `${method} ${path} HTTP/1.1\r\nHost: plain.example\r\nConnection: close\r\n${length}\r\n${body}`,
    )
  })
}

void t.test(
  'an upstream that closes idle connections at random fails no request, and carries none out twice',
  async (t) => {
    const worker = new Worker(new URL('./servers/closing-upstream.js', import.meta.url))
    const [port] = (await once(worker, 'message')) as [number]
    const gateway = await startGateway(
      testPolicy({
        destinations: [destination('http://plain.example', ['allow * /**'], { id: 'allow[0]' })],
        hosts: { 'plain.example': { address: '127.0.0.1', port } },
      }),
    )
    t.teardown(async () => {
      await gateway.close()
      await worker.terminate()
    })
    const failed: string[] = []
    let next = 0
    const client = async () => {
      while (next < COUNT) {
        const index = next
        next += 1
        const method = METHODS[index % METHODS.length] ?? 'GET'
        const path = `/${method}/${String(index)}`
        const received = await ask(gateway.ports.http, method, path)
        if (!received.startsWith('HTTP/1.1 200 ') || !received.includes(path))
          failed.push(`${path}: ${received.slice(0, 60)}`)
        // Now and then a moment in which connections are idle.
        if (index % 7 === 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * 5))
      }
    }
    await Promise.all(Array.from({ length: CLIENTS }, client))
    t.strictSame(failed, [])
    worker.postMessage('count')
    const [counts] = (await once(worker, 'message')) as [[string, number][]]
    const twice = counts.filter(([path]) => /^\/(POST|PATCH)/.test(path))
    t.strictSame(twice, [], 'nothing that may be carried out once was carried out twice')
    t.equal(gateway.decisions.length, COUNT, 'one decision for each')
    t.equal(gateway.closes.filter(({ outcome }) => outcome === 'success').length, COUNT)
    const repeated = gateway.closes.filter(({ detail }) => detail?.startsWith('sent again') === true).length
    t.comment(`${String(repeated)} of ${String(COUNT)} were sent again`)
    t.same(gateway.failures, [])
  },
)
