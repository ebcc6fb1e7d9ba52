import { readFileSync, writeFileSync } from 'node:fs'
import { withTables } from './docs-tables.js'

const page = new URL('../../../docs/presets.md', import.meta.url)
writeFileSync(page, withTables(readFileSync(page, 'utf8')))
