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
  /** A test, or what only tests or the build use. */
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
      const test =
        FREE.includes(folder) ||
        name.startsWith('build/') ||
        /\.test\.ts$|fixtures\.ts$|broken-policies\.ts$/.test(name)
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

/** The file that an import of ours leads to; null for a package. */
function targetOf({ path }: Source, name: string): string | null {
  if (name.startsWith('#')) return name.slice(1)
  return name.startsWith('.') ? join(dirname(path), name) : null
}

type Graph = ReadonlyMap<string, ReadonlySet<string>>

/**
 * Who imports whom directly below a folder, imports of types included. A sub-folder is one node with everything in it; the
 * files that lie in the folder itself are one node, `.`.
 */
function graphOf(folder: string, sources: readonly Source[]): Graph {
  const nodeOf = (path: string): string | null => {
    if (!path.startsWith(`${folder}/`)) return null
    const [first = '', ...deeper] = path.slice(folder.length + 1).split('/')
    return deeper.length === 0 ? '.' : first
  }
  const graph = new Map<string, Set<string>>()
  for (const source of sources) {
    const from = nodeOf(source.path)
    if (from === null) continue
    const edges = graph.get(from) ?? new Set<string>()
    graph.set(from, edges)
    for (const name of importsOf(source)) {
      const target = targetOf(source, name)
      const to = target === null ? null : nodeOf(target)
      if (to !== null && to !== from) edges.add(to)
    }
  }
  return graph
}

/** A circle in the graph, such as `a > b > a`; null if there is none. */
function cycleIn(graph: Graph): string | null {
  const done = new Set<string>()
  const visit = (node: string, way: readonly string[]): string | null => {
    if (way.includes(node)) return [...way.slice(way.indexOf(node)), node].join(' > ')
    if (done.has(node)) return null
    for (const next of graph.get(node) ?? []) {
      const found = visit(next, [...way, node])
      if (found !== null) return found
    }
    done.add(node)
    return null
  }
  for (const node of graph.keys()) {
    const found = visit(node, [])
    if (found !== null) return found
  }
  return null
}

/** The circles of a room, at every level. */
function cyclesOf(room: string): string[] {
  const sources = PRODUCT.filter(({ folder }) => folder === room)
  const folders = new Set([room])
  for (const { path } of sources)
    for (let folder = dirname(path); folder !== room; folder = dirname(folder)) folders.add(folder)
  return [...folders].flatMap((folder) => {
    const cycle = cycleIn(graphOf(folder, sources))
    return cycle === null ? [] : [`${folder}: ${cycle}`]
  })
}

void t.test('a circle of sub-folders is found', (t) => {
  const source = (path: string, text: string): Source => ({ path, folder: 'x', test: false, text })
  const sources = [
    source('x/top.ts', `import './a/one.js'`),
    source('x/a/one.ts', `import type { Two } from '../b/two.js'`),
    source('x/b/two.ts', `import { three } from '#x/c/deep/three.js'`),
    source('x/c/deep/three.ts', ''),
  ]
  t.equal(cycleIn(graphOf('x', sources)), null)
  const types = source('x/c/deep/three.ts', `import type { One } from '../../a/one.js'`)
  t.equal(cycleIn(graphOf('x', [...sources, types])), 'a > b > c > a', 'by types alone, too')
  const up = source('x/c/four.ts', `import { top } from '../top.js'`)
  t.match(cycleIn(graphOf('x', [...sources, up])), /\. > a > b > c > \./, 'files of the folder itself count')
  t.equal(cycleIn(graphOf('x/c', [...sources, types])), null, 'one level at a time')
  t.end()
})

for (const room of Object.keys(ARROWS)) {
  void t.test(`sub-folders of ${room} make no circle, at any level`, (t) => {
    t.strictSame(cyclesOf(room), [])
    t.end()
  })
}

void t.test('contracts are types and tables: they import nothing but the types of secrets', (t) => {
  for (const source of PRODUCT.filter(({ path }) => path.startsWith('firewall/contracts/'))) {
    const others = importsOf(source)
      .map((name) => targetOf(source, name) ?? name)
      .filter((target) => !/^firewall\/(?:contracts|secrets)\//.test(target))
    t.strictSame(others, [], source.path)
  }
  t.end()
})

/** A variable of the module itself, or an empty collection there that only code can fill. */
const MODULE_STATE =
  /^(?:export )?(?:let |var |const \w+(?:: [^=]+)? = (?:new (?:Weak)?(?:Map|Set)(?:<.*>)?\(\)|\[\]|\{\})(?: as .*)?$)/m

void t.test('no module has state of its own: what a thing needs is handed to it', (t) => {
  t.match('const a = new Map<string, number>()', MODULE_STATE)
  t.match('export let count = 0', MODULE_STATE)
  t.notMatch('const a: ReadonlyMap<string, number> = new Map([[1, 2]])', MODULE_STATE)
  const found = PRODUCT.filter((source) => MODULE_STATE.test(codeOf(source))).map(({ path }) => path)
  t.strictSame(found, [])
  t.end()
})

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

void t.test('zod is imported as a namespace: of `{ z }` the bundle could leave out nothing', (t) => {
  const whole = PRODUCT.filter((source) => /^import \{[^}]*\} from 'zod'/m.test(codeOf(source)))
  t.strictSame(
    whole.map(({ path }) => path),
    [],
  )
  t.end()
})

void t.test('the policy engine is pure: no I/O, no clock, no chance, no environment', (t) => {
  for (const source of PRODUCT.filter(({ folder }) => folder === 'firewall')) {
    const io = importsOf(source).filter(
      (name) => name.startsWith('node:') && !['node:net', 'node:util', 'node:http'].includes(name),
    )
    t.strictSame(io, [], source.path)
    if (importsOf(source).includes('node:http'))
      t.match(
        codeOf(source),
        /^import \{ METHODS \} from 'node:http'$/m,
        'METHODS is all it takes of node:http',
      )
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

void t.test(
  'nobody reveals a secret but what writes it upstream, and what looks for it in responses',
  (t) => {
    const reveals = PRODUCT.filter((source) => /\b(?:reveal|revealSensitive)\b/.test(codeOf(source))).map(
      ({ path }) => path,
    )
    t.ok(reveals.length > 3, 'those that do were found')
    const others = reveals.filter(
      (path) =>
        !path.startsWith('proxy/credentials/') &&
        path !== 'firewall/secrets/secret.ts' &&
        // The key of a signature, of which nothing is sent.
        path !== 'src/approvals/webhook.ts' &&
        path !== 'proxy/redaction/gateway-secret-patterns.ts',
    )
    t.strictSame(others, [])
    t.end()
  },
)

void t.test(
  'one parser, one policy engine: dns and proxy bind no socket that the program did not hand them',
  (t) => {
    for (const source of PRODUCT.filter(({ folder }) => folder === 'dns' || folder === 'proxy'))
      t.notMatch(codeOf(source), /\.(?:listen|bind)\((?:\d|port|\{)/, source.path)
    t.end()
  },
)

void t.test('one place writes status lines', (t) => {
  const writes = /(['"`])HTTP\/1\.1 [$\d]/
  t.match('`HTTP/1.1 ${status}`', writes)
  const places = PRODUCT.filter((source) => writes.test(codeOf(source))).map(({ path }) => path)
  t.strictSame(places, ['proxy/message/status-line.ts'])
  t.end()
})
