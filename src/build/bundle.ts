import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build as join, transform, type Plugin } from 'esbuild'
import { BUNDLE_DIRECTORY, MANIFEST, type BundleManifest } from '../start/bundle.js'
import { trainBundle } from './train.js'

// Joins the compiled program and its packages into a few files, one for each set of commands that needs it. `npm run build`
// runs this last; src/start/bundle.ts loads the result.

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const COMPILED = `${ROOT}dist/`
const BUNDLE = `${ROOT}${BUNDLE_DIRECTORY}/`
const UNFINISHED = `${ROOT}dist/.bundle/`
const TARGET = 'node20.19'

/** Functions of packages that few runs call: the package is loaded with the first call. */
const CALLED_LATE: Readonly<Record<string, readonly string[]>> = {
  tldts: ['parse'],
  'http-proxy': ['createProxyServer'],
}

/** Packages of packages, for features that the program does not use: options on the command line, and stores that are read late. */
const NEVER_USED = ['yargs', 'async']

/** Modules of Node that it does not load by itself, and that few commands call. Those that a module extends a class of come too early. */
const LATE_MODULES = [
  'child_process',
  'crypto',
  'dns/promises',
  'http',
  'http2',
  'https',
  'readline',
  'stream/consumers',
  'stream/promises',
  'tls',
  'zlib',
]

/** Loads modules of Node with their first use: esbuild names each only as `import_node_http.request`. */
function loadLate(code: string): string {
  const imports = new RegExp(
    `\\b(import_node_\\w+)=((?:__toESM\\()?require\\("node:(?:${LATE_MODULES.join('|')})"\\)(?:,1\\)|\\))?)(?=[,;])`,
    'g',
  )
  const names = [...code.matchAll(imports)].map(([, name = '']) => name)
  if (names.length === 0) return code
  const uses = new RegExp(`\\b(${names.join('|')})\\b(?!=late)`, 'g')
  // A property and not a call, because of `new module.Class()`.
  const late =
    'var late=load=>({get loaded(){let value=load();Object.defineProperty(this,"loaded",{value});return value}});'
  return late + code.replaceAll(imports, '$1=late(()=>$2)').replaceAll(uses, '$1.loaded')
}

/** Modules that look for files beside them find those of the unbundled program. */
const ownPlaces: Plugin = {
  name: 'own places',
  setup(build) {
    build.onLoad({ filter: /\.js$/ }, ({ path }) => {
      if (!path.startsWith(COMPILED)) return null
      const place = JSON.stringify(path.slice(COMPILED.length))
      const contents = readFileSync(path, 'utf8')
        .replaceAll(/createRequire\(import\.meta\.url\)\(('[^']+')\)/g, 'require($1)')
        .replaceAll('import.meta.url', `moduleUrl(${place})`)
      return { contents, loader: 'js' }
    })
  },
}

const packages: Plugin = {
  name: 'packages',
  setup(build) {
    const anyOf = (names: readonly string[]) => ({ filter: new RegExp(`^(${names.join('|')})$`) })
    build.onResolve(anyOf(Object.keys(CALLED_LATE)), ({ path, namespace }) =>
      namespace === 'late' ? null : { path, namespace: 'late' },
    )
    build.onLoad({ filter: /./, namespace: 'late' }, ({ path }) => {
      const calls = (CALLED_LATE[path] ?? []).map(
        (name) => `export const ${name} = (...words) => require('${path}').${name}(...words)`,
      )
      return { contents: calls.join('\n'), resolveDir: ROOT }
    })
    build.onResolve(anyOf(NEVER_USED), ({ path }) => ({ path, namespace: 'never' }))
    build.onLoad({ filter: /./, namespace: 'never' }, ({ path }) => ({
      contents: `module.exports = new Proxy({}, { get: () => { throw new Error('${path} is not in the bundle') } })`,
    }))
  },
}

const { outputFiles, metafile } = await join({
  absWorkingDir: ROOT,
  entryPoints: [`${COMPILED}src/program.js`],
  outdir: BUNDLE,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: TARGET,
  minifySyntax: true,
  write: false,
  metafile: true,
  logLevel: 'warning',
  plugins: [ownPlaces, packages],
})

rmSync(UNFINISHED, { recursive: true, force: true })
mkdirSync(UNFINISHED, { recursive: true })
for (const { path, text } of outputFiles) {
  // V8 stores compiled code of scripts only, not of modules, and esbuild splits modules only.
  const { code } = await transform(text, {
    format: 'cjs',
    platform: 'node',
    target: TARGET,
    supported: { 'dynamic-import': false },
    minifyWhitespace: true,
  })
  writeFileSync(
    UNFINISHED + path.slice(BUNDLE.length),
    `(function (exports, require, module, moduleUrl) {${loadLate(code)}\n})`,
  )
}
const inputs = [...Object.keys(metafile.inputs).filter(isOwn), 'node_modules/.package-lock.json']
const manifest: BundleManifest = {
  inputs: inputs.map((path) => {
    const { mtimeMs, size } = statSync(ROOT + path)
    return [path, mtimeMs, size]
  }),
}
writeFileSync(UNFINISHED + MANIFEST, JSON.stringify(manifest))
rmSync(BUNDLE, { recursive: true, force: true })
renameSync(UNFINISHED, BUNDLE)
trainBundle(ROOT)

function isOwn(path: string): boolean {
  return path.startsWith('dist/')
}
