import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'

// Who may import whom, and who may do what: docs/architecture.md draws it, this holds it.

/** Folders of ours that the sources of a folder may import. Tests may import all. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  firewall: [],
  config: ['firewall'],
  dns: ['firewall'],
  proxy: ['firewall'],
  src: ['firewall', 'config', 'dns', 'proxy'],
}
const FREE = ['test', 'bench']

/** At 400 lines a file wants to be two. */
const MAX_LINES = 400

interface Source {
  readonly path: string
  readonly folder: string
  readonly text: string
  /** A test, or what only tests use. */
  readonly test: boolean
}

function sourcesOf(folder: string): Source[] {
  let names: string[]
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  } catch {
    return []
  }
  return names
    .filter((name) => name.endsWith('.ts'))
    .map((name) => {
      const path = join(folder, name)
      const test = FREE.includes(folder) || /\.test\.ts$|fixtures\.ts$|broken-policies\.ts$/.test(name)
      return { path, folder, test, text: readFileSync(path, 'utf8') }
    })
}

const SOURCES = [...Object.keys(ARROWS), ...FREE].flatMap(sourcesOf)
const PRODUCT = SOURCES.filter(({ test }) => !test)

/** The text without comments, for what stands in them does nothing. */
const codeOf = ({ text }: Source) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')

/** What is imported, by any form that names a module. */
function importsOf(source: Source): string[] {
  const forms = /\b(?:from\s*|(?:import|require)\s*\(?\s*)(['"`])([^'"`\s]+)\1/g
  return [...codeOf(source).matchAll(forms)].map((match) => match[2] ?? '')
}

/** The folder of ours that an import leads to; null for a package. */
function folderOf({ path }: Source, name: string): string | null {
  if (name.startsWith('#')) return name.slice(1).split('/')[0] ?? ''
  if (name.startsWith('.')) return join(dirname(path), name).split('/')[0] ?? ''
  return null
}

void t.test('the sources were found', (t) => {
  for (const folder of Object.keys(ARROWS)) {
    const count = PRODUCT.filter((source) => source.folder === folder).length
    t.ok(count > 5, `${folder}: ${count} sources`)
  }
  t.ok(PRODUCT.flatMap(importsOf).length > 300, 'and their imports')
  const example = { path: 'dns/a/b.ts', folder: 'dns', test: false, text: '' }
  const read = (text: string) => importsOf({ ...example, text }).map((name) => folderOf(example, name))
  t.strictSame(read(`import x from '../../proxy/y.js'\nimport { z } from "#src/a.js"`), ['proxy', 'src'])
  t.strictSame(read(`export * from './c.js'; const d = await import('#config/d.js'); import 'undici'`), [
    'dns',
    'config',
    null,
  ])
  t.strictSame(read(`// import x from '#src/x.js'\n/* import y from '#src/y.js' */`), [])
  t.end()
})

for (const [folder, allowed] of Object.entries(ARROWS)) {
  void t.test(`${folder} imports ${allowed.length === 0 ? 'nothing of ours' : allowed.join(', ')}`, (t) => {
    for (const source of PRODUCT.filter((one) => one.folder === folder)) {
      const others = importsOf(source)
        .map((name) => folderOf(source, name))
        .filter((other) => other !== null && other !== folder && !allowed.includes(other))
      t.strictSame(others, [], source.path)
    }
    t.end()
  })
}

void t.test('the product imports no test, and only packages that it ships with', (t) => {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
    dependencies: Record<string, string>
  }
  for (const source of PRODUCT) {
    const names = importsOf(source)
    t.notOk(
      names.some((name) => /\.test\.js$|fixtures\.js$/.test(name)),
      `${source.path}: no test`,
    )
    const packages = names
      .filter((name) => folderOf(source, name) === null && !name.startsWith('node:'))
      .map((name) =>
        name
          .split('/')
          .slice(0, name.startsWith('@') ? 2 : 1)
          .join('/'),
      )
    t.strictSame(
      packages.filter((name) => !(name in manifest.dependencies)),
      [],
      source.path,
    )
  }
  t.end()
})

void t.test('the policy engine is pure: no I/O, no clock, no chance, no environment', (t) => {
  for (const source of PRODUCT.filter(({ folder }) => folder === 'firewall')) {
    const io = importsOf(source).filter(
      (name) => name.startsWith('node:') && !['node:net', 'node:util'].includes(name),
    )
    t.strictSame(io, [], source.path)
    t.notMatch(
      codeOf(source),
      /node:net'\)|\b(?:connect|createServer|lookup)\b/,
      `${source.path}: isIP is all it takes of node:net`,
    )
    t.notMatch(
      codeOf(source),
      /\bDate\b|performance\.now|Math\.random|\bprocess\.|setTimeout|setInterval|\bfetch\(/,
      source.path,
    )
  }
  t.end()
})

void t.test(`no source is longer than ${MAX_LINES} lines`, (t) => {
  for (const { path, text } of PRODUCT) t.ok(text.split('\n').length - 1 <= MAX_LINES, path)
  t.end()
})

void t.test('nobody prints but the commands', (t) => {
  for (const source of PRODUCT) {
    t.notMatch(codeOf(source), /\bconsole\s*\.|\bconsole\s*\[/, `${source.path}: console`)
    if (source.folder !== 'src')
      t.notMatch(codeOf(source), /process\.(?:stdout|stderr)/, `${source.path}: streams`)
  }
  t.end()
})

void t.test('nobody reveals a secret but what writes it upstream', (t) => {
  const reveals = PRODUCT.filter((source) => /\b(?:reveal|revealSensitive)\b/.test(codeOf(source))).map(
    ({ path }) => path,
  )
  t.ok(reveals.length > 3, 'those that do were found')
  const others = reveals.filter(
    (path) => !path.startsWith('proxy/credentials/') && path !== 'firewall/secrets/secret.ts',
  )
  t.strictSame(others, [])
  t.end()
})

void t.test(
  'one parser, one policy engine: dns and proxy bind no socket that the program did not hand them',
  (t) => {
    for (const source of PRODUCT.filter(({ folder }) => folder === 'dns' || folder === 'proxy'))
      t.notMatch(codeOf(source), /\.(?:listen|bind)\((?:\d|port|\{)/, source.path)
    t.end()
  },
)
