import t from 'tap'
import { BodyBufferLimit } from './body-buffer-limit.js'

const MIB = 1024 ** 2
const TOO_MUCH = { code: 'EGRESS_BUFFER_LIMIT' }

void t.test('64 MiB of one sandbox, 256 of all', (t) => {
  const bodies = new BodyBufferLimit()
  const [first, second] = [bodies.open('a'), bodies.open('a')]
  first.reserve(63 * MIB)
  second.reserve(MIB)
  t.throws(() => second.reserve(1), TOO_MUCH)
  for (const other of ['b', 'c', 'd']) bodies.open(other).reserve(64 * MIB)
  t.throws(() => bodies.open('e').reserve(1), TOO_MUCH)
  second.release()
  second.release()
  bodies.open('e').reserve(MIB)
  t.throws(() => second.reserve(1), TOO_MUCH)
  first.release()
  second.reserve(63 * MIB)
  t.throws(() => second.reserve(1), TOO_MUCH)
  t.end()
})
