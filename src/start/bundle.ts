import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { cachedDataVersionTag } from 'node:v8'
import { Script } from 'node:vm'

// Starting from a thousand files takes longer than everything else in a run. So `npm run build` joins them into a few, and
// stores what V8 has compiled of these.

/** Written by src/build/bundle.ts, below the root of the checkout or package. */
export const BUNDLE_DIRECTORY = 'dist/bundle'
export const MANIFEST = 'manifest.json'
export const ENTRY = './program.js'

/** The files that a bundle was made of. */
export interface BundleManifest {
  /** path below the root, time of its last change in milliseconds, size in bytes */
  readonly inputs: readonly (readonly [path: string, mtimeMs: number, bytes: number])[]
}

export interface Bundle {
  /** exports of src/program.ts */
  readonly program: unknown
  /** Stores what was compiled in this process, if nothing was stored for this version of Node and its options. */
  saveCache(): void
  /** The bundle's files, and one of them loaded; for src/build/train.ts. */
  chunks(): string[]
  load(chunk: string): unknown
}

/** Compiled code is stored for this many combinations of version, options and processor at most. */
const MAX_CACHES = 8

type ChunkFunction = (
  exports: object,
  require: (id: string) => unknown,
  module: { exports: object },
  moduleUrl: (path: string) => string,
) => void

/** The program out of its bundle; null if there is none, or if it is older than the files that it was made of. */
export function loadBundle(root: string): Bundle | null {
  // Coverage is measured on the files that tests know.
  if (process.env['NODE_V8_COVERAGE'] !== undefined) return null
  const directory = `${root}${BUNDLE_DIRECTORY}/`
  if (!isFresh(root, directory)) return null
  const chunks = new Chunks(root, directory)
  return {
    program: chunks.require(ENTRY),
    saveCache() {
      chunks.save()
    },
    chunks: () => readdirSync(directory).flatMap((name) => (name.endsWith('.js') ? [`./${name}`] : [])),
    load: (chunk) => chunks.require(chunk),
  }
}

/** An installed package has no sources: nothing of it changes. */
function isFresh(root: string, directory: string): boolean {
  const isThere = (path: string) => statSync(path, { throwIfNoEntry: false }) !== undefined
  if (!isThere(directory + ENTRY)) return false
  if (!isThere(`${root}tsconfig.json`)) return true
  const { inputs } = JSON.parse(readFileSync(directory + MANIFEST, 'utf8')) as BundleManifest
  // Also those that a compiler in watch mode has written alone.
  return inputs.every(([path, mtimeMs, bytes]) => {
    const found = statSync(root + path, { throwIfNoEntry: false })
    return found?.mtimeMs === mtimeMs && found.size === bytes
  })
}

class Chunks {
  readonly #directory: string
  readonly #cache: string
  readonly #tag = cachedDataVersionTag()
  readonly #native = createRequire(import.meta.url)
  readonly #modules = new Map<string, { exports: object }>()
  /** Compiled without stored code. */
  readonly #compiled: { readonly name: string; readonly script: Script }[] = []
  readonly #moduleUrl: (path: string) => string

  constructor(root: string, directory: string) {
    this.#directory = directory
    this.#cache = `${directory}cache-${this.#tag.toString(16)}/`
    const base = new URL('../../', import.meta.url)
    this.#moduleUrl = (path) => new URL(path, base).href
  }

  readonly require = (id: string): unknown => {
    if (!id.startsWith('./')) return this.#native(id)
    const known = this.#modules.get(id)
    if (known !== undefined) return known.exports
    const module = { exports: {} }
    this.#modules.set(id, module)
    this.#compile(id.slice(2))(module.exports, this.require, module, this.#moduleUrl)
    return module.exports
  }

  #compile(name: string): ChunkFunction {
    const filename = this.#directory + name
    // The bundler writes ASCII, which this reads faster than UTF-8.
    const source = readFileSync(filename, 'latin1')
    const cachedData = this.#readCache(name)
    const script = new Script(source, { filename, ...(cachedData !== null && { cachedData }) })
    if (cachedData === null || script.cachedDataRejected === true) this.#compiled.push({ name, script })
    return script.runInThisContext() as ChunkFunction
  }

  #readCache(name: string): Buffer | null {
    try {
      return readFileSync(`${this.#cache}${name}.bin`)
    } catch {
      return null
    }
  }

  save(): void {
    // V8 would write the options that the gateway has set meanwhile into it, and reject it at the next start.
    if (this.#compiled.length === 0 || cachedDataVersionTag() !== this.#tag) return
    try {
      if (statSync(this.#directory).uid !== process.getuid?.()) return
      const caches = readdirSync(this.#directory).filter((name) => name.startsWith('cache-'))
      if (caches.length >= MAX_CACHES && !existsSync(this.#cache)) return
      mkdirSync(this.#cache, { recursive: true })
      for (const { name, script } of this.#compiled) {
        const temporary = `${this.#cache}${name}.${String(process.pid)}`
        writeFileSync(temporary, script.createCachedData())
        renameSync(temporary, `${this.#cache}${name}.bin`)
      }
    } catch {
      // Read-only or full: the next start compiles again.
    }
  }
}
