import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request, type RequestOptions } from 'node:https'
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import type { Endpoint, InsideRow } from '../brief.js'
import { attempt, inTurn, type ForwardResult } from './lib/attempt.mjs'
import { exchange, openTcp, openTls } from './lib/http.mjs'
import { answerOf, askByTls, HTTP2, openSession, secure } from './lib/http-versions.mjs'

export const rows: Readonly<Record<string, InsideRow>> = {
  'reflected-credential': { attack: askForReflections(overHttp1), control: askForBody(overHttp1) },
  'reflected-credential-h2': { attack: askForReflections(overHttp2), control: askForBody(overHttp2) },
  'reflected-websocket': { attack: listenToSocket(upgrade), control: talkToSocket(upgrade) },
  'reflected-websocket-h2': { attack: listenToSocket(connect), control: talkToSocket(connect) },
}

/** Everything that a client sees of a response, decoded: status, reason, all headers, hints, trailers, body. */
type Fetch = (
  listener: Endpoint,
  host: string,
  path: string,
  headers?: Readonly<Record<string, string>>,
) => Promise<ForwardResult>

/** Opens a WebSocket, sends one message, closes, and returns all received bytes. */
type Talk = (listener: Endpoint, host: string, path: string, message?: string) => Promise<ForwardResult>

const REFLECTIONS = [
  '/body?',
  '/headers?',
  '/reason?',
  '/trailer?',
  '/early-hints?',
  '/encodings?',
  '/pieces?size=1&',
  '/pieces?size=7&',
  '/pieces?size=29&',
  '/compressed?encoding=gzip&',
  '/compressed?encoding=deflate&',
  '/compressed?encoding=br&',
]

function askForReflections(fetch: Fetch): InsideRow['attack'] {
  return ({ listeners, names }, marker) =>
    inTurn(
      REFLECTIONS.map(
        (path) => () =>
          attempt(path, async () => {
            const outcome = await fetch(listeners.https, names.echo, `${path}attack=${marker}`)
            // The check searches the content of the response; the status does not matter.
            return { ...outcome, reached: false }
          }),
      ),
    )
}

function askForBody(fetch: Fetch): InsideRow['control'] {
  return async ({ listeners, names }, marker) => [
    await attempt('the rest of a reflected response is untouched', async () => {
      const headers = { 'x-note': marker }
      const outcome = await fetch(listeners.https, names.echo, `/body?control=${marker}`, headers)
      return { ...outcome, reached: outcome.bytes?.includes(`"x-note":"${marker}"`) === true }
    }),
  ]
}

async function overHttp2(
  listener: Endpoint,
  host: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<ForwardResult> {
  const request = { host, path, headers: { authorization: 'Bearer placeholder', ...headers } }
  const outcome = await askByTls(HTTP2, listener, request)
  const { bytes = Buffer.alloc(0) } = outcome
  const body = bytes.subarray(bytes.indexOf('\r\n\r\n') + 4)
  return { ...outcome, bytes: Buffer.concat([bytes, decompress(body)]) }
}

function overHttp1(
  listener: Endpoint,
  host: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<ForwardResult> {
  const options: RequestOptions = {
    ...listener,
    path,
    servername: host,
    agent: false,
    rejectUnauthorized: false,
    headers: { host, authorization: 'Bearer placeholder', ...headers },
  }
  return new Promise((resolve, reject) => {
    const hints: unknown[] = []
    const outgoing = request(options, (response) => {
      const chunks: Buffer[] = []
      const finish = (): void => {
        const body = Buffer.concat(chunks)
        const { statusCode, statusMessage, rawHeaders, rawTrailers } = response
        const head = JSON.stringify({ statusMessage, rawHeaders, rawTrailers, hints })
        const bytes = Buffer.concat([Buffer.from(head), body, decompress(body)])
        resolve({ said: `${statusCode ?? 0}, ${body.length} bytes`, bytes, reached: statusCode === 200 })
      }
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('end', finish)
      response.once('error', finish)
    })
    outgoing.on('information', ({ rawHeaders }) => hints.push(rawHeaders))
    outgoing.once('error', reject)
    outgoing.setTimeout(5000, () => outgoing.destroy(new Error('silence')))
    outgoing.end()
  })
}

/** Tries every decompression: a Content-Encoding can be wrong. */
function decompress(body: Buffer): Buffer {
  const results = [gunzipSync, inflateSync, brotliDecompressSync].map((decode) => {
    try {
      return decode(body)
    } catch {
      return Buffer.alloc(0)
    }
  })
  return Buffer.concat(results)
}

function listenToSocket(talk: Talk): InsideRow['attack'] {
  return async ({ listeners, names }, marker) => [
    await attempt('the first message of a WebSocket', async () => ({
      ...(await talk(listeners.https, names.echo, `/socket?attack=${marker}`)),
      reached: false,
    })),
  ]
}

function talkToSocket(talk: Talk): InsideRow['control'] {
  return async ({ listeners, names }, marker) => [
    await attempt('a message is sent and returned', async () => {
      const path = `/socket?control=${marker}`
      const outcome = await talk(listeners.https, names.echo, path, marker)
      return { ...outcome, reached: outcome.bytes?.includes(`said ${marker}`) === true }
    }),
  ]
}

/** Upgrades by hand (RFC 6455 section 4.1). */
async function upgrade(
  listener: Endpoint,
  host: string,
  path: string,
  message = 'hello',
): Promise<ForwardResult> {
  const handshake = [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    'Authorization: Bearer placeholder',
  ].join('\r\n')
  const frames = [maskedFrame(1, Buffer.from(`said ${message}`)), maskedFrame(8, Buffer.alloc(0))]
  const secured = await openTls(await openTcp(listener), host)
  // A client may send only after the 101 (RFC 6455 section 4.1).
  secured.once('data', () => secured.write(Buffer.concat(frames)))
  return exchange(secured, `${handshake}\r\n\r\n`)
}

/** A WebSocket in a stream of HTTP/2 (RFC 8441 section 5). */
async function connect(
  listener: Endpoint,
  host: string,
  path: string,
  message = 'hello',
): Promise<ForwardResult> {
  const session = openSession(await secure(await openTcp(listener), host, HTTP2))
  // A client may ask only after the server has said that it takes this (section 3).
  await once(session, 'remoteSettings')
  const stream = session.request({
    ...{ ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'https' },
    ...{ ':authority': host, ':path': path },
    ...{ 'sec-websocket-version': '13', authorization: 'Bearer placeholder' },
  })
  stream.once('response', () => {
    stream.write(maskedFrame(1, Buffer.from(`said ${message}`)))
    stream.end(maskedFrame(8, Buffer.alloc(0)))
  })
  try {
    return await answerOf(stream)
  } finally {
    session.destroy()
  }
}

/** A short client frame (RFC 6455 section 5.2); a mask of zeros is valid. */
function maskedFrame(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload])
}
