import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

const HANDSHAKE_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const TEXT = 1
const CLOSE = 8
const PING = 9
const PONG = 10

/** Accepts a WebSocket without extensions (RFC 6455), and calls `onText` with each text message, which it may answer. */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  onText: (text: string, send: (text: string) => void) => void,
): void {
  const key = request.headers['sec-websocket-key'] ?? ''
  const accept = createHash('sha1')
    .update(key + HANDSHAKE_GUID)
    .digest('base64')
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n' +
      `sec-websocket-accept: ${accept}\r\n\r\n`,
  )
  let pending = Buffer.alloc(0)
  let message: Buffer[] = []
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    for (let frame = readFrame(pending); frame !== null; frame = readFrame(pending)) {
      pending = pending.subarray(frame.length)
      if (frame.opcode === CLOSE) {
        socket.end(frameOf(CLOSE, Buffer.alloc(0)))
        return
      }
      if (frame.opcode === PING) socket.write(frameOf(PONG, frame.payload))
      if (frame.opcode > TEXT) continue
      message.push(frame.payload)
      if (!frame.final) continue
      const text = Buffer.concat(message).toString()
      message = []
      onText(text, (answer) => void socket.write(frameOf(TEXT, Buffer.from(answer))))
    }
  })
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
