import fc from 'fast-check'
import { cases, ENCODINGS, findSecret, innocent, receive } from '#test/fixtures/redaction-cases.js'

// Random secrets in responses, in random encodings and chunks: node fuzz-redact.js [--cases N] [--seed N]. Prints how many an
// independent decoder finds in the redacted responses; exits 1 if it finds any.

const option = (name: string, fallback: number) => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? fallback : Number(process.argv[at + 1])
}
const total = option('cases', 100_000)
const seed = option('seed', Date.now() & 0x7fffffff)
/** Cases per batch, which is kept in memory. */
const BATCH = 1_000

const seen = new Map<string, number>()
const failures: string[] = []
let changed = 0
const started = performance.now()
for (let done = 0; done < total; done += BATCH) {
  const numRuns = Math.min(BATCH, total - done)
  for (const one of fc.sample(cases, { numRuns, seed: seed + done })) {
    if (findSecret(one.plain, one.secret) === null)
      throw new Error(`The independent decoder cannot read ${one.encoding}`)
    const { body } = await receive(one)
    const left = findSecret(body, one.secret)
    if (left !== null) failures.push(`${one.encoding}, read as ${left}: ${JSON.stringify(one.secret)}`)
    const key = `${one.encoding} / ${one.codings.join('+') || 'identity'}`
    seen.set(key, (seen.get(key) ?? 0) + 1)
  }
  for (const one of fc.sample(innocent, { numRuns, seed: seed + done })) {
    if (!(await receive(one)).body.equals(one.plain)) changed += 1
  }
}
const seconds = ((performance.now() - started) / 1000).toFixed(0)
process.stdout.write(
  `${String(total)} responses with a secret, ${String(Object.keys(ENCODINGS).length)} encodings, ${String(seen.size)} pairs of ` +
    `encoding and coding, seed ${String(seed)}, ${seconds} s\n` +
    `secrets found in redacted responses: ${String(failures.length)}\n` +
    `${String(total)} responses without one; changed: ${String(changed)}\n`,
)
for (const failure of failures.slice(0, 10)) process.stdout.write(`${failure}\n`)
process.exitCode = failures.length + changed > 0 ? 1 : 0
