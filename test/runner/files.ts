import { readdirSync } from 'node:fs'

/** A compiled test file. */
export interface TestFile {
  /** Relative to the repository: `dist/dns/wire.test.js`. */
  readonly path: string
  /** Its source, as people call it: `dns/wire.test.ts`. */
  readonly source: string
  /** Needs a Docker engine. */
  readonly docker: boolean
  /** Needs a Kubernetes cluster, which `npm run test:kubernetes` brings up. */
  readonly kubernetes: boolean
  /** Stands beside what it tests: no sandbox, no client of somebody else's, no long run. */
  readonly unit: boolean
}

/** Where behaviour that crosses folders is tested, and what is shown to users. */
const ACROSS_FOLDERS = /^dist\/(?:test|bench|examples)\//

/** Every test there is, those that take longest first: what runs last then runs beside another to the end. */
export function findTests(root = 'dist'): TestFile[] {
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.js'))
    .map((name) => `${root}/${name}`)
    .sort()
  const files = paths.map((path) => ({
    path,
    source: path.replace(/^dist\//, '').replace(/\.js$/, '.ts'),
    docker: /(?:^|\/)docker-[^/]*$/.test(path),
    kubernetes: /\/test\/kubernetes\//.test(`/${path}`),
    unit: !ACROSS_FOLDERS.test(path),
  }))
  return [...files.filter(({ unit }) => !unit), ...files.filter(({ unit }) => unit)]
}

/** Those that a command line argument names: a source, its compiled file, a folder of either, or the start of a name. */
export function select(files: readonly TestFile[], argument: string): TestFile[] {
  const name = argument
    .replace(/^\.\//, '')
    .replace(/^dist\//, '')
    .replace(/\.js$/, '.ts')
  return files.filter(({ source }) => source.startsWith(name))
}
