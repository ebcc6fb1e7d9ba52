import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** RFC 6455 section 1.3. */
const HANDSHAKE_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Maximum size of an incomplete frame, in bytes; coding agents send some hundred thousand. */
const MAX_PENDING = 4_000_000

const [CONTINUATION, TEXT, CLOSE, PING, PONG] = [0, 1, 8, 9, 10] as const

type Send = (text: string) => void

/** Accepts a WebSocket, greets with one text frame, then sends every text message back. */
export function echoWebSocket(request: IncomingMessage, socket: Duplex, greeting: string): void {
  acceptWebSocket(request, socket, (text, send) => send(text))?.(greeting)
}

/**
 * Accepts a WebSocket without extensions (RFC 6455), and calls `onText` with each text message, which it may answer.
 *
 * @returns what sends a text; null where the request asks for none, and was refused
 */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  onText: (text: string, send: Send) => void,
): Send | null {
  const key = request.headers['sec-websocket-key']
  if (request.headers.upgrade?.toLowerCase() !== 'websocket' || key === undefined) {
    socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
    return null
  }
  const accept = createHash('sha1')
    .update(key + HANDSHAKE_GUID)
    .digest('base64')
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n' +
      `sec-websocket-accept: ${accept}\r\n\r\n`,
  )
  const send: Send = (text) => void socket.write(frameOf(TEXT, Buffer.from(text)))
  let pending = Buffer.alloc(0)
  let message: Buffer[] = []
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    if (pending.length > MAX_PENDING) {
      socket.destroy()
      return
    }
    for (let frame = readFrame(pending); frame !== null; frame = readFrame(pending)) {
      pending = pending.subarray(frame.length)
      if (frame.opcode === CLOSE) {
        socket.end(frameOf(CLOSE, Buffer.alloc(0)))
        return
      }
      if (frame.opcode === PING) socket.write(frameOf(PONG, frame.payload))
      if (frame.opcode !== TEXT && frame.opcode !== CONTINUATION) continue
      message.push(frame.payload)
      if (!frame.final) continue
      const text = Buffer.concat(message).toString()
      message = []
      onText(text, send)
    }
  })
  return send
}

/** One whole frame, unmasked as servers send it. */
function frameOf(opcode: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(payload.length < 126 ? 2 : payload.length < 65_536 ? 4 : 10)
  head[0] = 0x80 | opcode
  head[1] = payload.length < 126 ? payload.length : payload.length < 65_536 ? 126 : 127
  if (head.length === 4) head.writeUInt16BE(payload.length, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(payload.length), 2)
  return Buffer.concat([head, payload])
}

interface Frame {
  readonly opcode: number
  readonly final: boolean
  readonly payload: Buffer
  readonly length: number
}

/** The first complete masked frame; null if more bytes are needed. */
function readFrame(bytes: Buffer): Frame | null {
  const [first = 0, second = 0] = bytes
  const short = second & 0x7f
  const offset = short === 126 ? 4 : short === 127 ? 10 : 2
  if (bytes.length < offset + 4) return null
  const size =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short
  const length = offset + 4 + size
  if (bytes.length < length) return null
  const mask = bytes.subarray(offset, offset + 4)
  const payload = Buffer.from(bytes.subarray(offset + 4, length).map((byte, i) => byte ^ (mask[i % 4] ?? 0)))
  return { opcode: first & 0x0f, final: (first & 0x80) !== 0, payload, length }
}
