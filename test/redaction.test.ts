import fc from 'fast-check'
import t from 'tap'
import { cases, ENCODINGS, findSecret, innocent, receive } from './fixtures/redaction-cases.js'

// `npm run fuzz:redact` does the same for longer.

void t.test(
  'whatever the secret, its encoding, the coding and the chunks: it does not come back',
  async (test) => {
    const seen = new Map<string, number>()
    await fc.assert(
      fc.asyncProperty(cases, async (one) => {
        const there = findSecret(one.plain, one.secret)
        if (there === null) throw new Error(`the policy engine is blind for ${one.encoding}`)
        const { body, count } = await receive(one)
        const left = findSecret(body, one.secret)
        if (left !== null) throw new Error(`${one.encoding}: the secret is left, ${left}`)
        if (body.length !== one.plain.length || count === 0)
          throw new Error(`${one.encoding}: another length`)
        seen.set(one.encoding, (seen.get(one.encoding) ?? 0) + 1)
      }),
      { numRuns: 1_500 },
    )
    test.equal(seen.size, Object.keys(ENCODINGS).length, 'every encoding was tried')
  },
)

void t.test('what holds no secret stays as it is, byte for byte', async () => {
  await fc.assert(
    fc.asyncProperty(innocent, async (one) => {
      const { body, count } = await receive(one)
      return count === 0 && body.equals(one.plain)
    }),
    { numRuns: 1_500 },
  )
})
