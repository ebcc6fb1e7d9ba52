import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { HttpClose } from '#proxy/contracts/events.js'
import { Audit } from '../audit/audit.js'
import type { AuditKey } from '../audit/audit-key.js'
import { hashOf } from '../audit/chain.js'
import { ChainVerifier, type VerifierOptions } from './chain-verifier.js'

const SANDBOX = { id: 'sb', agent: 'default' }

function key(): AuditKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    sign: (text) => sign(null, Buffer.from(text), privateKey).toString('base64'),
  }
}

const close = (at: number): HttpClose => ({
  ...{ at, id: `id-${String(at)}`, sandbox: SANDBOX, outcome: 'success', reason: null, detail: null },
  ...{ host: 'a.example', service: null, credential: null },
  ...{ status: 200, requestBytes: 0, responseBytes: at, durationMs: 1, redactions: [] },
})

/** The lines of a log of so many records, by a key. */
function logOf(records: number, signer: AuditKey, gateway = 'g'): Buffer[] {
  const directory = mkdtempSync(join(tmpdir(), 'egress-chain-'))
  const audit = new Audit({ directory, gateway, now: () => records, onChange: () => undefined, key: signer })
  for (let at = 0; at < records; at += 1) audit.close(close(at))
  audit.end()
  const lines = readFileSync(join(directory, 'http.ndjson'), 'utf8').trimEnd().split('\n')
  rmSync(directory, { recursive: true })
  return lines.map((line) => Buffer.from(line))
}

const options = (signer: AuditKey, more: Partial<VerifierOptions> = {}): VerifierOptions => ({
  ...{ role: 'http', keys: [signer.publicKey], mayBeginLate: false, mayBeOpen: false },
  ...more,
})

/** The kinds of what is found, in order. */
function kindsIn(lines: readonly Buffer[], given: VerifierOptions): string[] {
  const verifier = new ChainVerifier(given)
  return [...lines.flatMap((line) => verifier.push(line)), ...verifier.end()].map(({ kind }) => kind)
}

/** The first finding in lines that go on from here. */
function firstIn(from: ChainVerifier, lines: readonly Buffer[]): string | null {
  const verifier = from.clone()
  for (const line of lines) {
    const [finding] = verifier.push(line)
    if (finding !== undefined) return finding.kind
  }
  return verifier.end()[0]?.kind ?? null
}

const RECORDS = 10_000
const signer = key()
const lines = logOf(RECORDS, signer)
const foreign = logOf(20, key(), 'other')
const sameKey = logOf(20, signer, 'other')

void t.test('a log as it was written', (t) => {
  t.equal(
    lines.length,
    RECORDS + 1 + Math.ceil(RECORDS / 1_000),
    'a start, and a checkpoint behind each thousand',
  )
  t.strictSame(kindsIn(lines, options(signer)), [])
  t.strictSame(kindsIn(lines, { ...options(signer), keys: null }), [], 'by the key in it')
  t.strictSame(kindsIn(lines, options(key()))[0], 'foreign', 'not by another')
  t.end()
})

/** The line with one byte more, which no reader minds. */
const changed = (line: Buffer) => Buffer.from(line.toString().replace('"observer":', '"observer": '))

const line = (at: number) => lines[at] as Buffer
const LAST = lines.length - 1

/** What somebody may do at one record, what it is called, and what it is called at the last one, the end. */
const HARM: Readonly<
  Record<string, readonly [kind: string, atEnd: string | null, harm: (at: number) => Buffer[]]>
> = {
  'a byte is changed': ['edited', 'edited', (at) => [changed(line(at)), ...lines.slice(at + 1)]],
  'it is taken out': ['gap', 'cut', (at) => lines.slice(at + 1)],
  'all from it on is cut off': ['cut', 'cut', () => []],
  'it and the next change places': [
    'swapped',
    null,
    (at) => [...lines.slice(at + 1, at + 2), line(at), ...lines.slice(at + 2)],
  ],
  'an earlier one stands there again': ['replayed', 'replayed', (at) => [line(at - 1), ...lines.slice(at)]],
  'one of another gateway stands there': [
    'foreign',
    'foreign',
    (at) => [foreign[5] as Buffer, ...lines.slice(at)],
  ],
  'one of another log with the same key stands there': [
    'foreign',
    'foreign',
    (at) => [sameKey[5] as Buffer, ...lines.slice(at)],
  ],
  'all from it on is of another gateway': ['foreign', 'foreign', () => foreign],
}

for (const [name, [kind, atEnd, harm]] of Object.entries(HARM)) {
  void t.test(`at every record: ${name}`, (t) => {
    const verifier = new ChainVerifier(options(signer))
    const wrong = new Map<string, number>()
    for (let at = 0; at < lines.length; at += 1) {
      const expected = at === LAST ? atEnd : kind
      const found = at === 0 ? expected : firstIn(verifier, harm(at))
      if (found !== expected) wrong.set(String(found), at)
      verifier.push(line(at))
    }
    t.strictSame(wrong, new Map())
    t.end()
  })
}

/** Lines with numbers and hashes made anew, as by somebody who knows how and has no key. */
function chainedAnew(from: readonly Buffer[]): Buffer[] {
  let previous = 'null'
  return from.map((line, sequence) => {
    const text = line
      .toString()
      .replace(/"sequence":\d+/, `"sequence":${String(sequence)}`)
      .replace(/"previous":(null|"\w+")/, `"previous":${previous}`)
    previous = JSON.stringify(hashOf(text))
    return Buffer.from(text)
  })
}

void t.test('records that come late', (t) => {
  const late = [...lines.slice(0, 50), ...lines.slice(60, 80), ...lines.slice(50, 60), ...lines.slice(80)]
  t.strictSame(kindsIn(late, options(signer)), ['gap', ...Array.from({ length: 10 }, () => 'swapped')])
  t.end()
})

void t.test('hashes made anew', (t) => {
  const isCheckpoint = (line: Buffer) => line.includes('audit-checkpoint')
  const edited = lines.map((line, at) => (at === 1_500 ? changed(line) : line))
  t.match(kindsIn(chainedAnew(edited), options(signer))[0], 'edited', 'no signature fits')
  const bare = edited.filter((line, at) => at < 1_500 || !isCheckpoint(line))
  t.match(kindsIn(chainedAnew(bare), options(signer, { mayBeOpen: true })), ['unsigned'], 'left out')
  const none = edited.filter((line) => !isCheckpoint(line))
  t.strictSame(kindsIn(chainedAnew(none), options(signer, { mayBeOpen: true })), ['unsigned'], 'all left out')
  const forger = key()
  const forged = logOf(RECORDS, forger)
  t.match(kindsIn(forged, options(signer)), ['foreign'], 'signed anew')
  t.strictSame(kindsIn(forged, { ...options(signer), keys: null }), [], 'the control: nobody knows the key')
  t.end()
})

void t.test('what is put behind the end, or before the beginning', (t) => {
  const [more] = chainedAnew([...lines, line(5)]).slice(-1) as [Buffer]
  const fitting = Buffer.from(
    more.toString().replace(/"previous":"\w+"/, `"previous":"${hashOf(line(LAST))}"`),
  )
  t.strictSame(kindsIn([...lines, fitting], options(signer, { mayBeOpen: true })), ['foreign'])
  const old = Buffer.from(
    line(1)
      .toString()
      .replace(/"sequence":1\b/, '"sequence":0')
      .replace(/"previous":"\w+"/, '"previous":null'),
  )
  t.match(kindsIn([old, ...lines], options(signer)), ['replayed'])
  t.strictSame(kindsIn(lines.slice(3_000), options(signer)), ['cut'])
  t.strictSame(kindsIn(lines.slice(3_000), options(signer, { mayBeginLate: true })), [])
  t.end()
})
