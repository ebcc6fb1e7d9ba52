import { inspect } from 'node:util'
import t from 'tap'
import type { CredentialTools } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { NO_TOOLS } from '#test/fixtures/outgoing.js'
import { TokenRequestError } from '../contracts/errors.js'
import { TokenCache, type Token, type TokenError } from './token-cache.js'

const HOUR = 3_600_000
const MINUTE = 60_000

const textOf = (token: string | TokenError) => (typeof token === 'string' ? token : token.problem)

/** A cache whose clock and endpoint are the test's. */
function setUp(values: readonly Secret[] = []) {
  let time = 1_000_000
  let asked = 0
  let answer: () => Promise<Token | TokenError> = () =>
    Promise.resolve({ value: `token-${String(asked)}`, lifeMs: HOUR })
  const cache = new TokenCache('token of api/x', values, () => {
    asked += 1
    return answer()
  })
  const tools: CredentialTools = { ...NO_TOOLS, now: () => time }
  return {
    cache,
    /** The token, or the error. */
    get: async () => textOf(await cache.get(tools)),
    /** The same, without waiting. */
    atOnce: () => {
      const token = cache.get(tools)
      return token instanceof Promise ? 'not yet available' : textOf(token)
    },
    refuse: (token: string) => cache.refuse(token, time),
    pass: (ms: number) => (time += ms),
    asked: () => asked,
    answerWith: (next: typeof answer) => (answer = next),
    /** Lets a rotation in the background end. */
    settle: () => new Promise((resolve) => setImmediate(resolve)),
  }
}

void t.test(
  'many waiting requests send one token request; afterwards the token is available immediately',
  async (t) => {
    const { get, asked, atOnce } = setUp()
    const waiting = Array.from({ length: 200 }, get)
    t.strictSame(new Set(await Promise.all(waiting)), new Set(['token-1']))
    t.equal(asked(), 1)
    t.equal(atOnce(), 'token-1')
  },
)

void t.test('rotated in the background while it is good, and not used in its last seconds', async (t) => {
  const { get, asked, pass, settle, atOnce } = setUp()
  await get()
  pass(HOUR * 0.9 - 1)
  t.equal(atOnce(), 'token-1')
  t.equal(asked(), 1, 'not yet due')
  pass(1)
  t.equal(atOnce(), 'token-1', 'due: the request does not wait')
  await settle()
  t.equal(asked(), 2)
  t.equal(atOnce(), 'token-2')
  pass(HOUR - 5_000)
  t.equal(atOnce(), 'not yet available', 'it expires too soon')
})

void t.test(
  'a failure is remembered, so that a dead endpoint is asked seldom; waits double to a minute',
  async (t) => {
    const { get, asked, pass, answerWith, atOnce } = setUp()
    answerWith(() => Promise.reject(new TokenRequestError('login.example: unreachable')))
    const error = 'login.example: unreachable'
    t.strictSame(await Promise.all(Array.from({ length: 50 }, get)), Array(50).fill(error))
    t.equal(asked(), 1, 'all who waited got the same answer')
    t.equal(atOnce(), error, 'immediately')
    for (const wait of [5, 10, 20, 40, 60, 60]) {
      const before = asked()
      pass(wait * 1000 - 1)
      t.equal(atOnce(), error)
      t.equal(asked(), before)
      pass(1)
      await get()
      t.equal(asked(), before + 1, `after ${String(wait)} s`)
    }
    pass(MINUTE)
    answerWith(() => Promise.resolve({ value: 'recovered', lifeMs: HOUR }))
    t.equal(await get(), 'recovered')
  },
)

void t.test('a token that is good outlives failures of its rotation', async (t) => {
  const { get, asked, pass, settle, answerWith, atOnce } = setUp()
  await get()
  answerWith(() => Promise.resolve({ problem: 'no' }))
  pass(HOUR * 0.9)
  atOnce()
  await settle()
  t.equal(atOnce(), 'token-1')
  t.equal(asked(), 2, 'and the endpoint is left alone')
  pass(HOUR * 0.1 - 5_001)
  t.equal(atOnce(), 'token-1')
  await settle()
  pass(1)
  t.equal(atOnce(), 'no', 'until its end')
})

void t.test(
  'a refused token is dropped; an upstream that refuses all causes one request a minute, and fewer',
  async (t) => {
    const { get, asked, pass, refuse, atOnce } = setUp()
    const first = await get()
    refuse('another token')
    t.equal(atOnce(), first)
    refuse(first)
    t.equal(await get(), 'token-2')
    refuse(first)
    t.equal(atOnce(), 'token-2', 'a late answer to the former token changes nothing')
    for (let minute = 0; minute < 55; minute += 1) {
      for (let request = 0; request < 100; request += 1) refuse(await get())
      pass(MINUTE)
    }
    t.equal(asked(), 9, '5,500 refusals in 55 minutes: after 1, 3, 7, 15, 25, 35 and 45 minutes')
  },
)

void t.test('after a token that was replaced in time, a rejection counts immediately again', async (t) => {
  const { get, pass, refuse, settle, atOnce } = setUp()
  refuse(await get())
  await get()
  pass(HOUR * 0.95)
  atOnce()
  await settle()
  t.equal(atOnce(), 'token-3')
  refuse('token-3')
  t.equal(await get(), 'token-4')
})

void t.test('redaction is given the present token and every former one that is still valid', async (t) => {
  const { cache, get, pass, refuse, settle } = setUp()
  await get()
  refuse('token-1')
  await get()
  pass(MINUTE)
  refuse('token-2')
  await get()
  t.strictSame(new Set(cache.token.revealSensitive()), new Set(['token-3', 'token-2', 'token-1']))
  pass(HOUR - 2 * MINUTE)
  await get()
  await settle()
  t.equal(cache.token.revealSensitive().length, 4, 'of a minute ago and of an hour ago')
  pass(HOUR - 2 * MINUTE)
  await get()
  await settle()
  t.equal(
    cache.token.revealSensitive().length,
    5,
    'one more rotation after it expires, for requests in flight',
  )
  pass(HOUR - 2 * MINUTE)
  await get()
  await settle()
  t.strictSame(new Set(cache.token.revealSensitive()), new Set(['token-6', 'token-5', 'token-4']))
  t.notMatch(inspect(cache, { depth: 9, showHidden: true }), 'token-6')
})

void t.test('a new value is used immediately: the token is replaced, a failure forgotten', async (t) => {
  const secret = new Secret('CLIENT_SECRET', 'before-0123456789')
  const { get, settle, atOnce } = setUp([secret])
  await get()
  secret.rotate('after-0123456789')
  t.equal(atOnce(), 'token-1', 'still good')
  await settle()
  t.equal(atOnce(), 'token-2')

  const dead = setUp([secret])
  dead.answerWith(() => Promise.resolve({ problem: 'no' }))
  await dead.get()
  secret.rotate('again-0123456789')
  dead.answerWith(() => Promise.resolve({ value: 'token-y', lifeMs: HOUR }))
  t.equal(await dead.get(), 'token-y')
})

void t.test('a clock that was set back does not lengthen a life or a wait', async (t) => {
  const { get, pass, answerWith } = setUp()
  await get()
  pass(-1)
  t.equal(await get(), 'token-2')
  answerWith(() => Promise.resolve({ problem: 'no' }))
  pass(HOUR)
  t.equal(await get(), 'no')
  answerWith(() => Promise.resolve({ value: 'new', lifeMs: HOUR }))
  pass(-1)
  t.equal(await get(), 'new')
})

void t.test('of an error that is not the gateway\u2019s own only the code is told', async (t) => {
  const { get, answerWith } = setUp()
  answerWith(() => Promise.reject(Object.assign(new Error('the secret itself'), { code: 'ERR_OSSL' })))
  t.equal(await get(), 'Could not create the token (ERR_OSSL)')
})
