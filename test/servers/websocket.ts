import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** RFC 6455 section 1.3. */
const HANDSHAKE_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Maximum size of an incomplete frame, in bytes. */
const MAX_PENDING = 65_536

/** Accepts a WebSocket, greets with one text frame, then sends every short frame's payload back (RFC 6455). */
export function echoWebSocket(request: IncomingMessage, socket: Duplex, greeting: string): void {
  const key = request.headers['sec-websocket-key']
  if (request.headers.upgrade?.toLowerCase() !== 'websocket' || key === undefined) {
    socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
    return
  }
  const accept = createHash('sha1')
    .update(key + HANDSHAKE_GUID)
    .digest('base64')
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n' +
      `sec-websocket-accept: ${accept}\r\n\r\n`,
  )
  socket.write(textFrame(greeting))
  let pending = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    if (pending.length > MAX_PENDING) {
      socket.destroy()
      return
    }
    for (let frame = readFrame(pending); frame !== null; frame = readFrame(pending)) {
      pending = pending.subarray(frame.length)
      if (frame.opcode === OPCODE_CLOSE) {
        socket.end(Buffer.from([0x80 | OPCODE_CLOSE, 0]))
        return
      }
      socket.write(textFrame(frame.payload.toString()))
    }
  })
}

const OPCODE_TEXT = 1
const OPCODE_CLOSE = 8

/** One unfragmented text frame, unmasked as servers send it. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text)
  const head =
    payload.length < 126
      ? Buffer.from([0x80 | OPCODE_TEXT, payload.length])
      : Buffer.from([0x80 | OPCODE_TEXT, 126, payload.length >> 8, payload.length & 0xff])
  return Buffer.concat([head, payload])
}

/** The first complete masked frame; null if more bytes are needed. Payloads of up to 64 KiB. */
export function readFrame(bytes: Buffer): { opcode: number; payload: Buffer; length: number } | null {
  if (bytes.length < 2) return null
  const short = (bytes[1] ?? 0) & 0x7f
  const offset = short === 126 ? 4 : 2
  if (short === 127 || bytes.length < offset + 4) return null
  const size = short === 126 ? bytes.readUInt16BE(2) : short
  const length = offset + 4 + size
  if (bytes.length < length) return null
  const mask = bytes.subarray(offset, offset + 4)
  const payload = Buffer.from(bytes.subarray(offset + 4, length).map((byte, i) => byte ^ (mask[i % 4] ?? 0)))
  return { opcode: (bytes[0] ?? 0) & 0x0f, payload, length }
}
