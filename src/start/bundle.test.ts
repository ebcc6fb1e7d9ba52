import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { loadBundle } from './bundle.js'

// While coverage is measured, nothing is loaded from a bundle.
delete process.env['NODE_V8_COVERAGE']

/** A checkout with a bundle that was made of two files. */
function checkout(t: Test): { root: string; inputs: string[]; bundle: string } {
  const root = `${mkdtempSync(join(tmpdir(), 'egress-bundle-test-'))}/`
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const bundle = `${root}dist/bundle/`
  mkdirSync(bundle, { recursive: true })
  const inputs = ['dist/one.js', 'dist/two.js']
  for (const path of [...inputs, 'tsconfig.json']) writeFileSync(root + path, 'one')
  const entry = `const { answer } = require('./more.js'); const { sep } = require('node:path')
    Object.assign(exports, { answer, sep, url: moduleUrl('src/program.js') })`
  write(bundle, 'program.js', entry)
  write(bundle, 'more.js', 'exports.answer = 42')
  const manifest = inputs.map((path) => [path, statSync(root + path).mtimeMs, statSync(root + path).size])
  writeFileSync(`${bundle}manifest.json`, JSON.stringify({ inputs: manifest }))
  return { root, inputs, bundle }
}

function write(bundle: string, name: string, body: string): void {
  writeFileSync(bundle + name, `(function (exports, require, module, moduleUrl) {${body}\n})`)
}

void t.test('the program is loaded from its bundle', (t) => {
  const { root } = checkout(t)
  const program = loadBundle(root)?.program as Record<string, unknown>
  t.equal(program['answer'], 42, 'through another file of the bundle')
  t.equal(program['sep'], '/', 'and with the modules of Node')
  t.equal(
    program['url'],
    new URL('../program.js', import.meta.url).href,
    'its files are those of the program',
  )
  t.end()
})

void t.test('a bundle that is older than one of the files that it was made of is not used', (t) => {
  for (const change of ['newer', 'older', 'longer', 'gone']) {
    const { root, inputs } = checkout(t)
    t.not(loadBundle(root), null, 'control: unchanged')
    const path = root + (inputs[1] ?? '')
    if (change === 'newer') utimesSync(path, new Date(), new Date(Date.now() + 1_000))
    if (change === 'older') utimesSync(path, new Date(), new Date(0))
    if (change === 'longer') {
      const { mtime } = statSync(path)
      writeFileSync(path, 'one more')
      utimesSync(path, mtime, mtime)
    }
    if (change === 'gone') rmSync(path)
    t.equal(loadBundle(root), null, change)
  }
  t.end()
})

void t.test('an installed package has only its bundle', (t) => {
  const { root, inputs } = checkout(t)
  rmSync(`${root}tsconfig.json`)
  for (const path of inputs) rmSync(root + path)
  t.not(loadBundle(root), null)
  t.end()
})

void t.test('there may be no bundle', (t) => {
  const { root, bundle } = checkout(t)
  rmSync(bundle, { recursive: true })
  t.equal(loadBundle(root), null)
  t.end()
})

void t.test('compiled code is stored once, and used', (t) => {
  const { root, bundle } = checkout(t)
  loadBundle(root)?.saveCache()
  const [cache = ''] = readdirSync(bundle).filter((name) => name.startsWith('cache-'))
  const files = () => readdirSync(bundle + cache).sort()
  t.strictSame(files(), ['more.js.bin', 'program.js.bin'])
  const times = () => files().map((name) => statSync(join(bundle, cache, name)).mtimeMs)
  const before = times()
  const again = loadBundle(root)
  t.equal((again?.program as Record<string, unknown>)['answer'], 42)
  again?.saveCache()
  t.strictSame(times(), before)

  // Another checkout: a process keeps what it has compiled.
  const damaged = checkout(t)
  const stored = join(damaged.bundle, cache, 'more.js.bin')
  mkdirSync(join(damaged.bundle, cache))
  writeFileSync(stored, 'damaged')
  const loaded = loadBundle(damaged.root)
  t.equal((loaded?.program as Record<string, unknown>)['answer'], 42, 'what is damaged is compiled again')
  loaded?.saveCache()
  t.ok(statSync(stored).size > 'damaged'.length, 'and stored again')
  t.end()
})

void t.test('where nothing can be stored, the program runs all the same', (t) => {
  const { root, bundle } = checkout(t)
  chmodSync(bundle, 0o555)
  const loaded = loadBundle(root)
  t.doesNotThrow(() => loaded?.saveCache())
  t.equal((loaded?.program as Record<string, unknown>)['answer'], 42)
  chmodSync(bundle, 0o755)
  t.end()
})
