import t from 'tap'
import { ByteBlocks } from './byte-blocks.js'

void t.test('bytes that come alone take no more memory than those that come together', (t) => {
  const blocks = new ByteBlocks()
  t.equal(blocks.length, 0)
  t.equal(blocks.concat().length, 0)
  for (let i = 0; i < 40_000; i += 1) blocks.append(Buffer.of(i & 255))
  blocks.append(Buffer.alloc(50_000, 'x'))
  t.equal(blocks.length, 90_000)
  t.equal(blocks.pieces().length, 6)
  const whole = blocks.concat()
  t.equal(whole.length, 90_000)
  t.ok(whole.subarray(0, 40_000).every((byte, i) => byte === (i & 255)))
  t.ok(whole.subarray(40_000).equals(Buffer.alloc(50_000, 'x')))
  t.end()
})
