import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'

// Every test that docs/security.md names exists, under that name.

const page = readFileSync('docs/security.md', 'utf8')

void t.test('docs/security.md names tests that exist', (t) => {
  const rows = page.split('\n').filter((line) => /^\| (?!Guarantee|---)/.test(line))
  t.ok(rows.length > 30, 'it has rows')
  for (const row of rows) {
    const cells = row.split('|').map((cell) => cell.trim())
    const [guarantee, test] = [cells[1] ?? '', cells[3] ?? '']
    const named = [...test.matchAll(/`([^`]+)`(?:: (.+?))?(?=$|[,;] `)/g)]
    t.ok(named.length > 0, `${guarantee}: names a test`)
    for (const [, path = '', title] of named) {
      t.ok(existsSync(path), `${path} exists`)
      if (title === undefined || !existsSync(path)) continue
      t.ok(readFileSync(path, 'utf8').includes(title), `${path} has the test "${title}"`)
    }
  }
  t.end()
})
