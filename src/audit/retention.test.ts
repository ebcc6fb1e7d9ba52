import { spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { eventually } from '#test/fixtures/eventually.js'
import { diskCheck } from '../control/health-checks.js'
import { verifyLogs, readAnchors, type VerifyOptions } from '../logs/verify.js'
import { openAnchor } from './anchor.js'
import { Audit } from './audit.js'
import { openAuditKey } from './audit-key.js'
import { Retention, type RetentionOptions } from './retention.js'

const PYTHON = fileURLToPath(new URL('../../../docs/verify_audit.py', import.meta.url))
const SANDBOX = { id: 'sb-0123456789', agent: 'default' }

function openLog(t: Test, anchor?: (line: string) => void) {
  const root = t.testdir({ log: {}, keys: {} })
  const directory = join(root, 'log')
  const messages: string[] = []
  const open = () =>
    new Audit({
      ...{
        directory,
        gateway: 'g',
        now: Date.now,
        roles: ['sandbox'],
        key: openAuditKey(join(root, 'keys')),
      },
      onChange: (message) => messages.push(message),
      ...(anchor === undefined ? {} : { anchor }),
    })
  const record = (audit: Audit) =>
    audit.sandbox({ at: Date.now(), sandbox: SANDBOX, action: 'sandbox-start', command: 'x', exitCode: null })
  return { directory, messages, open, record }
}

async function findings(directory: string, options: Partial<VerifyOptions> = {}): Promise<string[]> {
  const kinds: string[] = []
  const all = { keysOf: () => null, mayBeginLate: false, mayBeOpen: false, ...options }
  await verifyLogs(directory, all, ({ kind }) => kinds.push(kind))
  return kinds
}

function python(directory: string, ...words: string[]): number | null {
  return spawnSync('python3', [PYTHON, ...words, directory], { encoding: 'utf8' }).status
}

/** Files of a log in three parts, closed one second apart. */
async function rotated(t: Test) {
  const log = openLog(t)
  const audit = log.open()
  for (let part = 0; part < 3; part += 1) {
    log.record(audit)
    audit.reopen()
    // Names have the time in milliseconds.
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  log.record(audit)
  audit.end()
  const names = readdirSync(log.directory)
    .filter((name) => /\d\.ndjson$/.test(name))
    .sort()
  t.equal(names.length, 3)
  const now = Date.now()
  for (const [index, name] of names.entries()) {
    const seconds = now / 1000 - 100 + index
    utimesSync(join(log.directory, name), seconds, seconds)
  }
  return { ...log, names, now }
}

const keep = (directory: string, options: Partial<RetentionOptions>, warnings: string[] = []) =>
  new Retention({
    ...{ directory, keepMs: null, maxBytes: null, compress: 'none', now: Date.now },
    warn: (message) => warnings.push(message),
    ...options,
  }).look()

void t.test('closed files are compressed, and the log is as good as before', async (t) => {
  const { directory, names } = await rotated(t)
  t.strictSame(await findings(directory), [])
  const before = statSync(join(directory, names[0] ?? '')).mtimeMs
  await keep(directory, { compress: 'gzip' })
  t.strictSame(readdirSync(directory).sort(), [...names.map((name) => `${name}.gz`), 'sandbox.ndjson'])
  t.equal(
    Math.round(statSync(join(directory, `${names[0] ?? ''}.gz`)).mtimeMs),
    Math.round(before),
    'its time is kept',
  )
  t.strictSame(await findings(directory), [])
  t.equal(python(directory), 0, 'also to the other verifier')
  rmSync(join(directory, `${names[1] ?? ''}.gz`))
  t.strictSame(await findings(directory), ['gap'])
  t.equal(python(directory), 11)
})

void t.test('old files are removed from the beginning, and what is left is verified', async (t) => {
  const { directory, names, now } = await rotated(t)
  await keep(directory, { keepMs: 99_500, now: () => now, compress: 'gzip' })
  const left = readdirSync(directory).sort()
  t.strictSame(left, [...names.slice(1).map((name) => `${name}.gz`), 'sandbox.ndjson'])
  t.strictSame(await findings(directory, { mayBeginLate: true }), [])
  t.equal(python(directory, '--retained'), 0)
  t.strictSame(await findings(directory), ['cut'], 'who does not expect it is told')
})

void t.test('above the limit the oldest goes, and the file that is written stays', async (t) => {
  const { directory, names } = await rotated(t)
  const size = (name: string) => statSync(join(directory, name)).size
  const total = [...names, 'sandbox.ndjson'].reduce((sum, name) => sum + size(name), 0)
  const warnings: string[] = []
  await keep(directory, { maxBytes: total * 2 }, warnings)
  t.strictSame(warnings, [])
  await keep(directory, { maxBytes: total + 10 }, warnings)
  t.match(warnings, [/uses 9\d % of its limit/])
  t.equal(readdirSync(directory).length, 4, 'nothing is removed yet')
  await keep(directory, { maxBytes: total - 1 })
  t.strictSame(readdirSync(directory).sort(), [...names.slice(1), 'sandbox.ndjson'])
  const retention = new Retention({
    ...{ directory, keepMs: null, maxBytes: 1, compress: 'none', now: Date.now, warn: () => undefined },
  })
  t.equal(diskCheck(directory, 0, () => retention.excess).problem(), null)
  await retention.look()
  t.strictSame(readdirSync(directory), ['sandbox.ndjson'])
  t.match(diskCheck(directory, 0, () => retention.excess).problem(), {
    problem: /above its limit of 0 MiB, and no closed file is left/,
    fix: /audit\.max/,
  })
})

void t.test('runs are removed when they have ended, or written nothing for long', async (t) => {
  const directory = t.testdir({ runs: { old: { 'http.ndjson': 'x' }, new: { 'http.ndjson': 'x' } } })
  const old = Date.now() / 1000 - 90_000
  utimesSync(join(directory, 'runs/old/http.ndjson'), old, old)
  await keep(directory, { keepMs: 1 })
  t.strictSame(readdirSync(join(directory, 'runs')), ['new'])
})

void t.test('files that somebody else has moved, on a signal', async (t) => {
  const { directory, messages, open, record } = openLog(t)
  const audit = open()
  record(audit)
  renameSync(join(directory, 'sandbox.ndjson'), join(directory, 'sandbox.1.ndjson'))
  t.throws(() => record(audit), { code: 'EGRESS_AUDIT_UNAVAILABLE' }, 'until then traffic stops')
  audit.reopen()
  record(audit)
  audit.end()
  t.match(messages, [/is gone/, /A new file was begun/])
  t.match(readFileSync(join(directory, 'sandbox.ndjson'), 'utf8'), '"audit-reopened"')
  t.strictSame(await findings(directory), [], 'and the chain goes on')
})

void t.test('an anchor finds what was cut or put back', async (t) => {
  const lines: string[] = []
  const { directory, open, record } = openLog(t, (line) => lines.push(line))
  const place = join(directory, '../anchor')
  const anchor = openAnchor(place, (message) => t.fail(message))
  const first = open()
  record(first)
  first.end()
  const before = readFileSync(join(directory, 'sandbox.ndjson'))
  const second = open()
  record(second)
  second.end()
  for (const line of lines) anchor.add(line)
  const anchors = readAnchors(readFileSync(place, 'utf8'))
  t.equal(anchors.length, 4, 'two starts, two ends')
  t.strictSame(await findings(directory, { anchors }), [])
  writeFileSync(join(directory, 'sandbox.ndjson'), before)
  t.strictSame(await findings(directory), [], 'an older state of all files verifies by itself')
  t.strictSame(await findings(directory, { anchors }), ['cut', 'cut'], 'and not beside its anchor')
})

void t.test('an anchor that cannot be reached is told once, and gets all of it later', async (t) => {
  const got: string[] = []
  let isUp = false
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      if (isUp) got.push(body)
      response.writeHead(isUp ? 204 : 503).end()
    })
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const warnings: string[] = []
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`
  const anchor = openAnchor(url, (message) => warnings.push(message))
  t.teardown(() => anchor.close())
  anchor.add('one')
  t.ok(await eventually(() => warnings.length === 1))
  isUp = true
  anchor.add('two')
  t.ok(await eventually(() => got.length === 2))
  t.strictSame(got, ['one', 'two'])
  const file = openAnchor(join(t.testdir({}), 'missing/anchor'), (message) => warnings.push(message))
  file.add('x')
  file.add('y')
  t.equal(warnings.length, 2, 'and a directory that is not there, once')
})
