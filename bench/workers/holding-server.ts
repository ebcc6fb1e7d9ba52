import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createSecureServer } from 'node:http2'
import type { Writable } from 'node:stream'
import { listen, portOf } from './gateway.js'
import { tellStarter } from './processes.js'

// An upstream that ends no response: node holding-server.js [KEY CERTIFICATE]. With a certificate it speaks HTTP/2 and TLS.

const ROW = '{"id":4711,"name":"a row of a list","state":"open"}\n'

/** Bytes that it sends at first, by the path that is asked for. */
const SENDS: Readonly<Record<string, number>> = { '/v1/streaming': 65_536, '/v1/unread': 1_048_576 }

function hold(path: string, begin: () => Writable): void {
  const bytes = SENDS[path]
  if (bytes !== undefined) begin().write(Buffer.alloc(bytes, ROW))
}

const [key, cert] = process.argv.slice(2)
const server =
  key === undefined || cert === undefined
    ? createServer((request, response) => hold(request.url ?? '', () => response.writeHead(200)))
    : createSecureServer({
        key: readFileSync(key),
        cert: readFileSync(cert),
        settings: { maxConcurrentStreams: 256 },
        maxSessionMemory: 1_024,
      }).on('stream', (stream, headers) => {
        stream.on('error', () => undefined)
        hold(String(headers[':path']), () => {
          stream.respond({ ':status': 200 })
          return stream
        })
      })
await listen(server)
tellStarter(portOf(server))
