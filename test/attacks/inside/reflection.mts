import { randomBytes } from 'node:crypto'
import { request, type RequestOptions } from 'node:https'
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import type { Attempt, Brief, InsideRow } from '../brief.js'
import { attempt, inTurn, type ForwardResult } from './lib/attempt.mjs'
import { exchange, openTcp, openTls } from './lib/http.mjs'

export const rows: Readonly<Record<string, InsideRow>> = {
  'reflected-credential': { attack: askForReflections, control: askForBody },
  'reflected-websocket': { attack: listenToSocket, control: talkToSocket },
}

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

async function askForReflections({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  return inTurn(
    REFLECTIONS.map(
      (path) => () =>
        attempt(path, async () => {
          const outcome = await fetchEverything(listeners.https, names.echo, `${path}attack=${marker}`)
          // The check searches the content of the response; the status does not matter.
          return { ...outcome, reached: false }
        }),
    ),
  )
}

async function askForBody({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('the rest of a reflected response is untouched', async () => {
      const { bytes = Buffer.alloc(0), said } = await fetchEverything(
        listeners.https,
        names.echo,
        `/body?control=${marker}`,
        {
          'x-note': marker,
        },
      )
      return { reached: bytes.includes(`"x-note":"${marker}"`), said }
    }),
  ]
}

/** Everything that a client sees of a response, decoded: status, reason, all headers, hints, trailers, body. */
function fetchEverything(
  listener: { host: string; port: number },
  host: string,
  path: string,
  headers: Record<string, string> = {},
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

async function listenToSocket({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('the first message of a WebSocket', async () => ({
      ...(await upgrade(listeners.https, names.echo, `/socket?attack=${marker}`)),
      reached: false,
    })),
  ]
}

async function talkToSocket({ listeners, names }: Brief, marker: string): Promise<Attempt[]> {
  return [
    await attempt('a message is sent and returned', async () => {
      const { said, bytes = Buffer.alloc(0) } = await upgrade(
        listeners.https,
        names.echo,
        `/socket?control=${marker}`,
        marker,
      )
      return { reached: bytes.includes(`said ${marker}`), said }
    }),
  ]
}

/** Upgrades by hand (RFC 6455 section 4.1), sends one message, closes, and returns all received bytes. */
async function upgrade(
  listener: { host: string; port: number },
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

/** A short client frame (RFC 6455 section 5.2); a mask of zeros is valid. */
function maskedFrame(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload])
}
