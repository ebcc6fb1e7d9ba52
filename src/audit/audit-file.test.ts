import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { formatError } from '../common/errors.js'
import { AuditFile, AuditUnavailable } from './audit-file.js'

const MODULE = JSON.stringify(new URL('./audit-file.js', import.meta.url).href)
const ROTATE_BYTES = 256 * 1024 * 1024

function directory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'egress-audit-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}

const linesOf = (path: string) => readFileSync(path, 'utf8').split('\n')

void t.test('whole lines, behind what is there, readable by the owner alone', (t) => {
  const path = join(directory(t), 'deep', 'below', 'http.ndjson')
  const file = new AuditFile(path)
  file.append(['{"a":"\u00e4\u2026"}'])
  file.append(['two'])
  file.close()
  const again = new AuditFile(path)
  again.append(['three'])
  again.close()
  t.strictSame(linesOf(path), ['{"a":"\u00e4\u2026"}', 'two', 'three', ''])
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.equal(statSync(join(path, '..')).mode & 0o777, 0o700)
  t.end()
})

void t.test('a place that cannot be opened', (t) => {
  const place = directory(t)
  writeFileSync(join(place, 'file'), '')
  mkdirSync(join(place, 'dir.ndjson'))
  for (const path of [join(place, 'file', 'http.ndjson'), join(place, 'dir.ndjson')]) {
    t.throws(
      () => new AuditFile(path),
      { code: 'EGRESS_AUDIT_UNAVAILABLE', exitCode: 125, fix: /--audit-dir/ },
      path,
    )
  }
  t.throws(() => new AuditFile('/proc/none/http.ndjson'), { code: 'EGRESS_AUDIT_UNAVAILABLE' })
  t.end()
})

void t.test('a full device', { skip: !existsSync('/dev/full') }, (t) => {
  const file = new AuditFile('/dev/full')
  for (let i = 0; i < 3; i += 1) {
    try {
      file.append(['line'])
      t.fail('it was written')
    } catch (error) {
      t.type(error, AuditUnavailable)
      t.match(
        formatError(error),
        /^egress: Cannot write the audit log \/dev\/full \(E\w+\), so all traffic is blocked\n {2}Free disk space/,
      )
    }
  }
  file.close()
  t.end()
})

const limited = spawnSync('prlimit', ['--version']).status === 0

/** Runs a program in a process whose files may not grow over `bytes`; its last line is its result. */
function underLimit(bytes: number, program: string): unknown {
  const run = spawnSync(
    'prlimit',
    [`--fsize=${bytes}:unlimited`, process.execPath, '--input-type=module', '-e', program],
    { encoding: 'utf8' },
  )
  if (run.status !== 0) throw new Error(run.stderr)
  return JSON.parse(run.stdout)
}

void t.test(
  'a line that was cut short is taken back, and service resumes when there is room',
  { skip: !limited },
  (t) => {
    const path = join(directory(t), 'http.ndjson')
    // A write over the limit is cut short at it, and the next one fails with EFBIG: as on a disk that is full.
    const result = underLimit(
      1_000,
      `import { execFileSync } from 'node:child_process'
     import { readFileSync } from 'node:fs'
     import { AuditFile } from ${MODULE}
     process.on('SIGXFSZ', () => {})
     const file = new AuditFile(${JSON.stringify(path)})
     const sizes = [], outcomes = []
     const append = (text) => {
       try { file.append([text]); outcomes.push('ok') } catch (error) { outcomes.push(error.code + ' ' + error.cause.code) }
       sizes.push(readFileSync(${JSON.stringify(path)}).length)
     }
     append('a'.repeat(599))
     append('b'.repeat(599))
     append('c'.repeat(599))
     append('d'.repeat(99))
     execFileSync('prlimit', ['--fsize=unlimited:unlimited', '--pid', String(process.pid)])
     append('e'.repeat(599))
     file.close()
     console.log(JSON.stringify({ sizes, outcomes }))`,
    )
    t.strictSame(result, {
      sizes: [600, 600, 600, 700, 1_300],
      outcomes: ['ok', 'EGRESS_AUDIT_UNAVAILABLE EFBIG', 'EGRESS_AUDIT_UNAVAILABLE EFBIG', 'ok', 'ok'],
    })
    t.strictSame(linesOf(path), ['a'.repeat(599), 'd'.repeat(99), 'e'.repeat(599), ''])
    t.end()
  },
)

void t.test('a process that is killed leaves whole lines, every one that it said was written', async (t) => {
  const path = join(directory(t), 'http.ndjson')
  const program = `
    import { AuditFile } from ${MODULE}
    import { writeSync } from 'node:fs'
    const file = new AuditFile(${JSON.stringify(path)})
    for (let i = 0; ; i += 1) {
      file.append([JSON.stringify({ i, text: 'x'.repeat(i % 5000) })])
      for (let said = false; !said;) {
        try {
          said = writeSync(1, i + '\\n') > 0
        } catch (error) {
          if (error.code !== 'EAGAIN') throw error
        }
      }
    }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
    if (said.length > 3_000) child.kill('SIGKILL')
  })
  const closed = once(child, 'close')
  await closed
  const lines = linesOf(path)
  t.equal(lines.pop(), '', 'the last line has its end')
  const numbers = lines.map((line) => (JSON.parse(line) as { i: number }).i)
  t.strictSame(numbers, [...numbers.keys()])
  const last = Number(said.trimEnd().split('\n').at(-1))
  t.ok(last > 100 && numbers.length > last, `${numbers.length} lines, ${last} said`)
})

/** A file of so many bytes, of which the last ends a line. */
function fill(path: string, bytes: number): void {
  const fd = openSync(path, 'w')
  writeSync(fd, '\n', bytes - 1)
  closeSync(fd)
}

void t.test('a line that a crash cut off is ended, so that the next one is whole', (t) => {
  const place = directory(t)
  const path = join(place, 'http.ndjson')
  writeFileSync(path, 'whole\n{"half')
  const file = new AuditFile(path)
  file.append(['next'])
  file.close()
  t.strictSame(linesOf(path), ['whole', '{"half', 'next', ''])
  t.end()
})

void t.test('a file that is full is set aside', (t) => {
  const place = directory(t)
  const path = join(place, 'http.ndjson')
  fill(path, ROTATE_BYTES - 4)
  const file = new AuditFile(path)
  t.equal(file.isFull, false)
  file.append(['new'])
  t.equal(file.isFull, true)
  file.rotate()
  file.append(['next'])
  file.append(['more'])
  file.close()
  const names = readdirSync(place).sort()
  t.equal(names.length, 2)
  t.match(names[0], /^http\.\d+\.ndjson$/)
  t.equal(statSync(join(place, names[0] ?? '')).size, ROTATE_BYTES)
  t.strictSame(linesOf(path), ['next', 'more', ''])
  t.end()
})

void t.test('one that cannot be set aside closes the gateway, and writes nowhere else', (t) => {
  const place = directory(t)
  const path = join(place, 'http.ndjson')
  fill(path, ROTATE_BYTES)
  const { now } = Date
  t.teardown(() => (Date.now = now))
  Date.now = () => 1_234
  mkdirSync(join(place, 'http.1234.ndjson', 'in the way'), { recursive: true })
  const file = new AuditFile(path)
  t.throws(() => file.rotate(), { code: 'EGRESS_AUDIT_UNAVAILABLE' })
  // A descriptor that was closed too early would now be the number of this file.
  const other = new AuditFile(join(place, 'other.ndjson'))
  t.throws(() => file.rotate(), { code: 'EGRESS_AUDIT_UNAVAILABLE' })
  t.equal(statSync(path).size, ROTATE_BYTES, 'nothing was added')
  rmSync(join(place, 'http.1234.ndjson'), { recursive: true })
  file.rotate()
  file.append(['kept'])
  t.strictSame(linesOf(path), ['kept', ''], 'service resumes')
  other.close()
  file.close()
  t.equal(statSync(join(place, 'other.ndjson')).size, 0)
  t.end()
})

/** What somebody on the host may do to the file of a log that is open, and the name for it. */
const LOSSES: Readonly<Record<string, readonly [loss: string, (path: string) => void]>> = {
  removed: ['is gone', (path) => rmSync(path)],
  'moved away': ['is gone', (path) => renameSync(path, `${path}.old`)],
  'its directory removed': ['is gone', (path) => rmSync(dirname(path), { recursive: true })],
  'its directory moved away': ['is gone', (path) => renameSync(dirname(path), `${dirname(path)}.old`)],
  'replaced by a file': [
    'was replaced',
    (path) => {
      renameSync(path, `${path}.old`)
      writeFileSync(path, readFileSync(`${path}.old`))
    },
  ],
  'replaced by a link to itself': [
    'was replaced',
    (path) => {
      renameSync(path, `${path}.old`)
      symlinkSync(`${path}.old`, path)
    },
  ],
  'replaced by a directory': [
    'was replaced',
    (path) => {
      rmSync(path)
      mkdirSync(path)
    },
  ],
  emptied: ['was cut', (path) => truncateSync(path)],
  'cut by a byte': ['was cut', (path) => truncateSync(path, statSync(path).size - 1)],
}

for (const [name, [loss, harm]] of Object.entries(LOSSES)) {
  void t.test(`a file that is ${name}: no line counts as written until it is back`, (t) => {
    const path = join(directory(t), 'log', 'http.ndjson')
    const file = new AuditFile(path)
    file.append(['one'])
    t.equal(file.problem(), null)
    harm(path)
    t.match(file.problem(), { code: 'EGRESS_AUDIT_UNAVAILABLE', loss })
    for (let i = 0; i < 2; i += 1) t.throws(() => file.append(['two']), { message: new RegExp(loss) })
    if (name === 'replaced by a directory') rmSync(path, { recursive: true })
    if (name === 'replaced by a link to itself') {
      t.throws(() => file.reopen(), { code: 'EGRESS_AUDIT_UNAVAILABLE' }, 'a link is not followed')
      rmSync(path)
    }
    file.reopen()
    file.append(['three'])
    file.close()
    t.equal(linesOf(path).at(-2), 'three')
    t.notMatch(readFileSync(path, 'utf8'), 'two', 'nor is what was not written found later')
    t.end()
  })
}

void t.test('a file that was put back is written again, without what was refused meanwhile', (t) => {
  const path = join(directory(t), 'http.ndjson')
  const file = new AuditFile(path)
  file.append(['one'])
  renameSync(path, `${path}.old`)
  t.throws(() => file.append(['two']), { message: /is gone/ })
  renameSync(`${path}.old`, path)
  file.append(['three'])
  file.close()
  t.strictSame(linesOf(path), ['one', 'three', ''])
  t.end()
})

void t.test("somebody else's lines are left where they are", (t) => {
  const path = join(directory(t), 'http.ndjson')
  const file = new AuditFile(path)
  file.append(['one'])
  writeFileSync(path, 'theirs\n', { flag: 'a' })
  file.append(['two'])
  file.close()
  t.strictSame(linesOf(path), ['one', 'theirs', 'two', ''])
  t.end()
})
