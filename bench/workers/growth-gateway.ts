import { connect } from 'node:net'
import { startGateway, type TestGateway } from '#test/fixtures/gateway.js'
import { exchangeBytes } from '#test/fixtures/client.js'
import { destination, testPolicy } from '#test/fixtures/policy.js'
import { startRawUpstream, type RawUpstream } from '#test/fixtures/upstream.js'
import type { GrowthRow } from './growth-row.js'

/** Whole requests through a gateway in this process. The client and the upstream count, too, and are linear. */
function throughGateway(
  name: string,
  request: (size: number) => string,
  response: (size: number) => string = () =>
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
): GrowthRow {
  const open: { gateway: TestGateway; upstream: RawUpstream }[] = []
  return {
    name: `gateway: ${name}`,
    sizes: [10, 100, 1_000, 10_000],
    async prepare(size) {
      const answer = response(size)
      const upstream = await startRawUpstream(null, (socket, received, chunk) => {
        if (received === chunk) socket.write(answer, 'latin1')
      })
      const gateway = await startGateway(
        testPolicy({
          destinations: [destination('http://api.example', ['allow GET,POST /**'], { id: 'allow[0]' })],
          hosts: { 'api.example': { address: '127.0.0.1', port: upstream.port } },
        }),
      )
      open.push({ gateway, upstream })
      const bytes = Buffer.from(request(size), 'latin1')
      return () =>
        exchangeBytes(connect(gateway.ports.http, '127.0.0.1'), bytes, { quietMs: 1, limitMs: 2_000 })
    },
    async end() {
      for (const { gateway, upstream } of open.splice(0)) {
        await gateway.close()
        await upstream.close()
      }
    },
  }
}

const head = (fields: string, method = 'GET') =>
  `${method} /x HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n${fields}\r\n`
const chunked = 'Transfer-Encoding: chunked\r\n'

export const gatewayRows: readonly GrowthRow[] = [
  throughGateway('headers', (size) => head('X: y\r\n'.repeat(size))),
  throughGateway('tokens of Connection', (size) => head(`Connection: ${'a,'.repeat(size)}b\r\n`)),
  throughGateway('methods of an override', (size) =>
    head(`X-HTTP-Method-Override: ${'a,'.repeat(size)}b\r\n`),
  ),
  throughGateway(
    'chunks of a request',
    (size) => `${head(chunked, 'POST')}${'1\r\na\r\n'.repeat(size)}0\r\n\r\n`,
  ),
  throughGateway(
    'a chunk extension',
    (size) => `${head(chunked, 'POST')}1;${'a'.repeat(size)}\r\na\r\n0\r\n\r\n`,
  ),
  throughGateway(
    'trailers of a request',
    (size) => `${head(chunked, 'POST')}0\r\n${'X: y\r\n'.repeat(size)}\r\n`,
  ),
  throughGateway(
    'chunks of a response',
    () => head(''),
    (size) => `HTTP/1.1 200 OK\r\n${chunked}Connection: close\r\n\r\n${'1\r\na\r\n'.repeat(size)}0\r\n\r\n`,
  ),
  throughGateway(
    'headers of a response',
    () => head(''),
    (size) => `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(size)}Content-Length: 0\r\nConnection: close\r\n\r\n`,
  ),
  throughGateway(
    'codings of a response',
    () => head(''),
    (size) =>
      `HTTP/1.1 200 OK\r\nContent-Encoding: ${'gzip,'.repeat(size)}gzip\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  ),
  throughGateway(
    'interim responses',
    () => head(''),
    (size) =>
      `${'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(size)}HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  ),
]
