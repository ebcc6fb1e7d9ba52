import { readFileSync } from 'node:fs'
import t from 'tap'
import { PRESETS } from '#config/presets/index.js'
import { BEGIN, END, withTables } from './docs-tables.js'

void t.test('docs/presets.md shows the presets as they are (`npm run docs:presets` writes it)', (t) => {
  const page = readFileSync(new URL('../../../docs/presets.md', import.meta.url), 'utf8')
  t.equal(withTables(page), page)
  for (const { name } of PRESETS) t.match(page, `### ${name}\n`)
  t.throws(() => withTables(page.replace(BEGIN, '')), /markers/)
  const stale = `${page.slice(0, page.indexOf(BEGIN) + BEGIN.length)}\n${END}\n`
  t.equal(withTables(stale).includes('### github-readonly'), true)
  t.end()
})
