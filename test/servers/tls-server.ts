import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Identity } from './certificate-authority.js'

/** Handles one request whose body has been read. */
export type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
) => Promise<void> | void

/** Maximum size of a request body, in bytes; coding agents send some hundred thousand. */
const MAX_BODY = 4_000_000

/** Starts an HTTPS server on a port, by default a free one. */
export async function listenTls(
  identity: Identity,
  handler: Handler,
  host: string,
  wanted = 0,
): Promise<{ server: Server; port: number; close: () => Promise<void> }> {
  const server = createServer({ ...identity, ALPNProtocols: ['http/1.1'] }, (request, response) => {
    readBody(request)
      .then((body) => handler(request, response, body))
      .catch(() => response.destroy())
  })
  server.listen(wanted, host)
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  return { server, port: (server.address() as AddressInfo).port, close }
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  })
  response.end(body)
}

/** Raw header lines as pairs. */
export function headerPairs(request: IncomingMessage): [string, string][] {
  const pairs: [string, string][] = []
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    pairs.push([request.rawHeaders[index] ?? '', request.rawHeaders[index + 1] ?? ''])
  }
  return pairs
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_BODY) throw new Error('request body too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
