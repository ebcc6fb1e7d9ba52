import t from 'tap'
import { DEFAULT_LIMITS } from '#config/limits/limits.js'
import { Ledger } from '#firewall/ledger/ledger.js'
import { takeRoom, type Room } from './room.js'

const KIB = 1_024

function roomOf(taken: ReturnType<typeof takeRoom>): Room {
  if ('reason' in taken) throw new Error('there is room')
  return taken
}

function limits(memory: number, requests = 2) {
  return {
    ...DEFAULT_LIMITS,
    requests: { own: requests, all: 100 },
    memory: { own: memory, all: 1_000 * KIB * KIB },
  }
}

void t.test('an open request takes its place and its memory, and gives back both', (t) => {
  const ledger = new Ledger()
  const most = limits(KIB * KIB)
  const take = (headBytes?: number) => takeRoom(ledger, 'a', most, headBytes)
  roomOf(take())
  const two = roomOf(take())
  t.equal(ledger.memory.total, 2 * 144 * KIB)
  t.match(take(), { reason: 'busy', retryAfter: 1, detail: /requests/ })
  t.equal(ledger.requests.total, 2)
  two.leave()
  t.equal(ledger.memory.total, 144 * KIB)
  roomOf(take(32_768))
  t.equal(ledger.memory.total, 2 * 144 * KIB, 'a small head is free')
  t.end()
})

void t.test('what finds no memory takes no place', (t) => {
  const ledger = new Ledger()
  t.match(takeRoom(ledger, 'a', limits(143 * KIB)), { reason: 'busy', detail: /memory/ })
  t.strictSame([ledger.requests.total, ledger.memory.total], [0, 0])
  t.match(takeRoom(ledger, 'a', limits(208 * KIB), 33 * KIB), { reason: 'busy' }, 'a large head counts twice')
  roomOf(takeRoom(ledger, 'a', limits(210 * KIB), 33 * KIB))
  t.equal(ledger.memory.total, 210 * KIB)
  t.end()
})

void t.test('each coding takes the memory of its window', (t) => {
  for (const [codings, kib] of [
    [[], 0],
    [['gzip'], 128],
    [['deflate'], 128],
    [['br'], 4 * KIB + 512],
    [['zstd'], 8 * KIB + 512],
    [['gzip', 'br'], 128 + 4 * KIB + 512],
  ] as const)
    for (const [more, fits] of [
      [0, true],
      [-1, false],
    ] as const) {
      const ledger = new Ledger()
      const room = roomOf(takeRoom(ledger, 'a', limits((144 + kib) * KIB + (kib === 0 ? 0 : more))))
      t.equal(room.decodes(codings), fits || kib === 0, `${codings.join()} ${String(more)}`)
      t.equal(ledger.memory.total, (144 + (fits ? kib : 0)) * KIB)
      room.leave()
      t.equal(ledger.memory.total, 0)
    }
  t.end()
})
