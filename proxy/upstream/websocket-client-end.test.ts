import { Duplex, PassThrough } from 'node:stream'
import t from 'tap'
import { WebSocketClientEnd } from './websocket-client-end.js'

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\n\r\n'

/** A client's stream, and an end whose work is done when the test says so. */
function joined(read: { onBytes?: (bytes: Buffer) => Buffer | null } = {}) {
  const queue: (() => void)[] = []
  const sizes: number[] = []
  const noted = (bytes: Buffer) => {
    sizes.push(bytes.length)
    return bytes
  }
  const end = new WebSocketClientEnd({
    onBytes: read.onBytes ?? noted,
    onClientBytes: noted,
    inTurn: (work) => void queue.push(work),
  })
  const [toClient, fromClient] = [new PassThrough(), new PassThrough()]
  const client = Duplex.from({ writable: toClient, readable: fromClient })
  const received: Buffer[] = []
  toClient.on('data', (chunk: Buffer) => received.push(chunk))
  end.on('error', () => undefined)
  end.join(client)
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      next()
      await settled()
    }
  }
  return { end, fromClient, received, sizes, queue, work, settled }
}

void t.test(
  'a chunk of frames is read in short pieces, each in a turn of its own, in both directions',
  async (t) => {
    const { end, fromClient, received, sizes, queue, work, settled } = joined()
    const bytes = Buffer.alloc(65_536, 'x')
    end.write(SWITCH)
    end.write(bytes)
    await settled()
    t.equal(sizes.length, 0, 'nothing is read before its turn')
    t.ok(queue.length >= 16, `${String(queue.length)} turns`)
    await work()
    t.strictSame(Buffer.concat(received), bytes)
    t.ok(Math.max(...sizes) <= 4_096)

    sizes.length = 0
    const sent: Buffer[] = []
    end.on('data', (chunk: Buffer) => sent.push(chunk))
    await settled()
    fromClient.write(bytes)
    fromClient.write('more')
    await settled()
    await settled()
    t.equal(sizes.length, 0)
    for (let i = 0; i < 10; i += 1) await work().then(settled)
    t.strictSame(Buffer.concat(sent), Buffer.concat([bytes, Buffer.from('more')]))
    t.ok(Math.max(...sizes) <= 4_096)
  },
)

void t.test('what an upstream sent before its end goes on first', async (t) => {
  const { end, received, work } = joined()
  end.write(SWITCH)
  end.write('first')
  end.write('second')
  end.leave(60_000)
  t.notOk(end.destroyed)
  for (let i = 0; i < 5; i += 1) await work()
  t.equal(Buffer.concat(received).toString(), 'firstsecond')
  t.ok(end.destroyed)
})

void t.test('what is not a frame ends it, and nothing that waits is read any more', async (t) => {
  let reads = 0
  const { end, received, work } = joined({
    onBytes: () => {
      reads += 1
      return null
    },
  })
  end.write(SWITCH)
  end.write(Buffer.alloc(65_536))
  await work()
  t.ok(end.destroyed)
  t.equal(reads, 1)
  t.equal(received.length, 0)
})
