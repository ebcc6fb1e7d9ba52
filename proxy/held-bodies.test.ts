import t from 'tap'
import { HeldBodies } from './held-bodies.js'

const MIB = 1024 ** 2
const TOO_MUCH = { code: 'EGRESS_HOLDS_TOO_MUCH' }

void t.test('64 MiB of one sandbox, 256 of all', (t) => {
  const bodies = new HeldBodies()
  const [first, second] = [bodies.open('a'), bodies.open('a')]
  first.hold(63 * MIB)
  second.hold(MIB)
  t.throws(() => second.hold(1), TOO_MUCH)
  for (const other of ['b', 'c', 'd']) bodies.open(other).hold(64 * MIB)
  t.throws(() => bodies.open('e').hold(1), TOO_MUCH)
  second.release()
  second.release()
  bodies.open('e').hold(MIB)
  t.throws(() => second.hold(1), TOO_MUCH)
  first.release()
  second.hold(63 * MIB)
  t.throws(() => second.hold(1), TOO_MUCH)
  t.end()
})
