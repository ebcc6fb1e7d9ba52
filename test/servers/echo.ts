import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import type { Identity } from './certificate-authority.js'
import { checkCredential } from './credential-check.js'
import type { RequestRecord, Placeholder } from './records.js'
import { headerPairs, listenTls, sendJson } from './tls-server.js'
import { echoWebSocket } from './websocket.js'

const COMPRESSORS = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync } as const

/** Ways in which this service returns the request data, by path. */
const REFLECTIONS: Readonly<Record<string, (exchange: Exchange) => Promise<void> | void>> = {
  '/body': ({ request, response, body }) =>
    sendJson(response, 200, { method: request.method, headers: request.headers, body: body.toString() }),
  '/headers': ({ request, response }) => {
    for (const [name, value] of headerPairs(request)) response.appendHeader(`x-echo-${name}`, value)
    response.end('see the headers\n')
  },
  '/reason': ({ response, credential }) => {
    response.writeHead(200, `OK ${credential}`)
    response.end('see the reason\n')
  },
  '/trailer': ({ response, credential }) => {
    response.writeHead(200, { trailer: 'x-echo-trailer' })
    response.write('see the trailer\n')
    response.addTrailers({ 'x-echo-trailer': credential })
    response.end()
  },
  '/early-hints': async ({ response, credential }) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload', 'x-echo-hint': credential })
    await sleep(20)
    response.end('see the hints\n')
  },
  '/encodings': ({ response, credential }) => {
    const token = credential.replace(/^Bearer /, '')
    const inside = Buffer.from(`user:${token}`)
    response.end(
      [
        Buffer.from(token).toString('base64'),
        Buffer.from(token).toString('base64url'),
        inside.toString('base64'),
        encodeURIComponent(credential),
        JSON.stringify({ token }),
      ].join('\n'),
    )
  },
  '/pieces': async ({ response, credential, query }) => {
    const size = Math.max(1, Number(query.get('size') ?? 3))
    response.writeHead(200, { 'content-type': 'text/plain' })
    const text = `you sent ${credential}, said the server\n`
    for (let start = 0; start < text.length; start += size) {
      response.write(text.slice(start, start + size))
      await sleep(2)
    }
    response.end()
  },
  '/compressed': ({ response, credential, query }) => {
    const encoding = query.get('encoding') ?? 'gzip'
    const compress = COMPRESSORS[encoding as keyof typeof COMPRESSORS]
    response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': encoding })
    response.end(compress(`you sent ${credential}\n`.repeat(20)))
  },
  '/redirect': ({ response, credential, query }) => {
    const to = query.get('to') ?? '/'
    const location = query.has('carry')
      ? `${to}?${new URLSearchParams({ carry: credential }).toString()}`
      : to
    response.writeHead(302, { location }).end()
  },
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly body: Buffer
  readonly query: URLSearchParams
  /** The Authorization header as it arrived. */
  readonly credential: string
}

/** A service that returns everything it receives, in every way that a careless or hostile service might. */
export async function startEcho(
  identity: Identity,
  token: string,
  host = '127.0.0.1',
): Promise<Placeholder<RequestRecord>> {
  const records: RequestRecord[] = []
  const record = (request: IncomingMessage): void => {
    const { method = '', url: target = '' } = request
    const credential = checkCredential(request, 'authorization', `Bearer ${token}`)
    records.push({
      at: Date.now(),
      method,
      target,
      headers: headerPairs(request),
      credential,
      outside: false,
    })
  }
  const { server, port, close } = await listenTls(
    identity,
    async (request, response, body) => {
      record(request)
      const { pathname, searchParams: query } = new URL(request.url ?? '/', 'https://echo.invalid')
      const reflect = REFLECTIONS[pathname] ?? REFLECTIONS['/body']
      const credential = request.headers.authorization ?? 'nothing'
      await reflect?.({ request, response, body, query, credential })
    },
    host,
  )
  const upgraded = new Set<{ destroy(): void }>()
  server.on('upgrade', (request, socket, head) => {
    socket.unshift(head)
    record(request)
    upgraded.add(socket)
    socket.once('close', () => upgraded.delete(socket))
    echoWebSocket(request, socket, JSON.stringify(request.headers))
  })
  return {
    port,
    records,
    close: async () => {
      for (const socket of upgraded) socket.destroy()
      await close()
    },
  }
}
