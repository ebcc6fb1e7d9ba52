import { writeSync } from 'node:fs'
import { Writable } from 'node:stream'
import { isatty } from 'node:tty'

/**
 * Puts streams in the place of `process.stdout` and `process.stderr` that leave the descriptors as they are. Node's own
 * make a pipe non-blocking for everybody who holds it, and parts of Node open them by themselves: an agent on the same pipe
 * would lose what it writes faster than somebody reads (EAGAIN). A reader that has gone is not told to the gateway.
 */
export function shareStandardStreams(): void {
  for (const [name, descriptor] of Object.entries({ stdout: 1, stderr: 2 })) {
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        writeAll(descriptor, chunk)
        done()
      },
    })
    const value = Object.assign(stream, { fd: descriptor, isTTY: isatty(descriptor) })
    Object.defineProperty(process, name, { configurable: true, enumerable: true, value })
  }
}

function writeAll(descriptor: number, bytes: Buffer): void {
  for (let rest = bytes; rest.length > 0;) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest))
    } catch (error) {
      // Whoever started us has made it non-blocking.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
}
