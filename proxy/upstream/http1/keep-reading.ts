import type { Socket } from 'node:net'

type Done = (error?: Error | null) => void

/** What Node's sockets write with; each is given what to call. */
interface Writes {
  _write: (this: Writes, chunk: unknown, encoding: BufferEncoding, done: Done) => void
  _writev: (this: Writes, chunks: readonly unknown[], done: Done) => void
}

/**
 * Lets a socket be read although it cannot be written to any more. An upstream that refuses a body answers and closes, while the
 * rest is on its way to it: writing fails then, and Node would destroy the socket with the answer still unread in it. How
 * the connection ended is seen by reading, after everything that came.
 *
 * @param onFailed nothing more needs to be written
 */
export function keepReading(socket: Socket, onFailed: () => void): void {
  const writes = socket as unknown as Writes
  const { _write: write, _writev: writev } = writes
  let hasFailed = false
  const tolerate = (done: Done): Done => {
    return (error) => {
      if (error == null) done()
      else {
        hasFailed = true
        onFailed()
        done()
      }
    }
  }
  writes._write = (chunk, encoding, done) => {
    if (hasFailed) done()
    else write.call(writes, chunk, encoding, tolerate(done))
  }
  writes._writev = (chunks, done) => {
    if (hasFailed) done()
    else writev.call(writes, chunks, tolerate(done))
  }
}
