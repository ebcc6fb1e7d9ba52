import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { packageSettings } from './package-settings.js'

const directory = mkdtempSync(join(tmpdir(), 'egress-settings-'))
t.teardown(() => rmSync(directory, { recursive: true }))

const md5 = (path: string) => createHash('md5').update(readFileSync(path)).digest('hex')

/** A file that every Linux has, and that everybody may read. */
const READABLE = ['/etc/passwd', '/etc/os-release', '/etc/group', '/etc/services', '/etc/shells'].filter(
  (path) => existsSync(path) && lstatSync(path).isFile(),
)

function database(entries: Readonly<Record<string, string>>): string {
  const path = join(directory, `status-${String(Object.keys(entries).length)}`)
  const lines = Object.entries(entries).map(([file, digest]) => ` ${file} ${digest}\n`)
  writeFileSync(
    path,
    `Package: one\nStatus: install ok installed\nConffiles:\n${lines.join('')}Description: x\n`,
  )
  return path
}

const memory = join(directory, 'state/memory.json')

void t.test('what a package has installed and everybody may read is shown', (t) => {
  const entries = Object.fromEntries(READABLE.map((path) => [path, md5(path)]))
  const given = {
    database: database({ ...entries, '/etc/shadow': '0'.repeat(32), '/etc/absent': 'a'.repeat(32) }),
    memory,
  }
  t.ok(READABLE.length > 1)
  for (const time of ['first', 'second, from memory'])
    t.same(
      packageSettings(given, () => false),
      { copies: READABLE, filtered: {} },
      time,
    )
  const [taken = '', ...rest] = READABLE
  t.same(packageSettings(given, (path) => path === taken).copies, rest, 'not what is replaced')
  t.same(packageSettings({ ...given, database: '/nonexistent' }, () => false).copies, [])
  t.end()
})

void t.test('of what somebody has edited, only what has no secret', (t) => {
  const edited = Object.fromEntries(READABLE.map((path) => [path, 'f'.repeat(32)]))
  const { copies } = packageSettings(
    { database: database({ ...edited, '/etc/none': 'f'.repeat(32) }), memory },
    () => false,
  )
  for (const path of READABLE) {
    const suspicious = /passw|secret|token|auth|user-?name/i.test(
      readFileSync(path, 'utf8').replace(/^\s*#.*$/gm, ''),
    )
    t.equal(copies.includes(path), !suspicious, path)
  }
  t.end()
})
