import type { Denial } from '../contracts/denial.js'
import { ByteBlocks } from '../message/byte-blocks.js'
import { required, type Exchange } from './exchange.js'
import { busy } from './room.js'

/** What is said of a body that cannot be read whole. */
export interface WholeBodyDenials {
  readonly tooLarge: Denial
  readonly broken: Denial
}

/**
 * All of the body, or why not. Its memory is that of the room, which the request has to have by now. What is not read of it is
 * left to the downstream, which still has to answer.
 *
 * @param limit bytes
 * @param timeoutMs until all of it is there; null for as long as the connection lasts
 */
export function readWhole(
  { downstream, room }: Exchange,
  limit: number,
  { tooLarge, broken }: WholeBodyDenials,
  timeoutMs: number | null = null,
): Promise<Buffer | Denial> {
  if (!downstream.hasBody) return Promise.resolve(Buffer.alloc(0))
  if (Number(downstream.headers['content-length'] ?? 0) > limit) return Promise.resolve(tooLarge)
  const { memory } = required(room)
  const blocks = new ByteBlocks()
  const source = downstream.body()
  return new Promise((resolve) => {
    const settle = (result: Buffer | Denial) => {
      clearTimeout(timer)
      source.off('data', onData)
      source.pause()
      resolve(result)
    }
    const onData = (chunk: Buffer) => {
      if (blocks.length + chunk.length > limit) settle(tooLarge)
      else if (!memory.tryReserve(chunk.length)) settle(busy('this sandbox holds as much memory as it may'))
      else blocks.append(chunk)
    }
    const onBroken = () => settle(broken)
    const timer = timeoutMs === null ? undefined : setTimeout(onBroken, timeoutMs)
    source.on('data', onData)
    source.once('end', () => settle(blocks.concat()))
    source.once('error', onBroken).once('close', onBroken)
  })
}
