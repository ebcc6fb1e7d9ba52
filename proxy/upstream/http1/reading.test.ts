import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import t from 'tap'
import { pauseReading, resumeReading } from './reading.js'

const BYTES = 8 * 2 ** 20

void t.test('nothing more is read of a socket that is paused, and nothing of it is lost', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.end(Buffer.alloc(BYTES, 'x'))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const socket: Socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  let received = 0
  let pauses = 0
  const readAhead: number[] = []
  const ended = once(socket, 'end')
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length
    if (pauses === 20) return
    pauses += 1
    pauseReading(socket)
    setTimeout(() => {
      readAhead.push(socket.bytesRead - received)
      resumeReading(socket)
    }, 20)
  })
  await ended
  t.equal(received, BYTES)
  t.strictSame(readAhead, Array<number>(20).fill(0))

  const other = connect((server.address() as AddressInfo).port, '127.0.0.1')
  other.on('data', () => undefined)
  await once(other, 'connect')
  // Paused by somebody else, and read by Node; then twice, and resumed without a reason.
  other.pause()
  await new Promise((resolve) => setTimeout(resolve, 50))
  resumeReading(other)
  pauseReading(other)
  pauseReading(other)
  resumeReading(other)
  resumeReading(other)
  await once(other, 'end')
  t.equal(other.bytesRead, BYTES)
  other.destroy()
  pauseReading(other)
  resumeReading(other)
})
