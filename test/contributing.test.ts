import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import ts from 'typescript'
import { loadPolicy } from '#config/load.js'
import { writeFiles } from '#config/test-fixtures.js'
import type { CredentialKind } from '#firewall/contracts/credential.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { NO_TOOLS, outgoingRequest } from './fixtures/outgoing.js'

// The worked example in CONTRIBUTING.md compiles as if it stood where it says, passes its own test, and makes a kind that
// a policy can use.

const run = promisify(execFile)
const KIND = 'proxy/credentials/key-pair.ts'

/** The blocks of one language, without the indentation of the list that they stand in. */
function blocksOf(markdown: string, language: string): string[] {
  return [...markdown.matchAll(/^( *)```(\w+)\n([\s\S]*?)^\1```$/gm)]
    .filter(([, , name]) => name === language)
    .map(([, indent = '', , text = '']) => text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''))
}

/** TypeScript blocks by the path in their first line. */
function sourcesOf(markdown: string): ReadonlyMap<string, string> {
  const named = blocksOf(markdown, 'ts').map(
    (text) => [/^\/\/ (\S+\.ts)\n/.exec(text)?.[1] ?? '', text] as const,
  )
  return new Map(named.map(([path, text]) => [resolve(path), text]))
}

/** Compiles sources that stand in no file, among those that do. */
function compile(sources: ReadonlyMap<string, string>): {
  diagnostics: string[]
  output: Record<string, string>
} {
  const config = ts.readConfigFile('tsconfig.json', (path) => ts.sys.readFile(path))
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, process.cwd())
  const real = ts.createCompilerHost(options)
  const host: ts.CompilerHost = {
    ...real,
    fileExists: (path) => sources.has(path) || real.fileExists(path),
    readFile: (path) => sources.get(path) ?? real.readFile(path),
    getSourceFile(path, target, ...rest) {
      const text = sources.get(path)
      return text === undefined
        ? real.getSourceFile(path, target, ...rest)
        : ts.createSourceFile(path, text, target)
    },
  }
  const program = ts.createProgram([...sources.keys()], { ...options, sourceMap: false }, host)
  const diagnostics: string[] = []
  const output: Record<string, string> = {}
  for (const path of sources.keys()) {
    const source = program.getSourceFile(path)
    for (const { messageText } of [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ])
      diagnostics.push(ts.flattenDiagnosticMessageText(messageText, '\n'))
    program.emit(source, (name, text) => (output[basename(name)] = text))
  }
  return { diagnostics, output }
}

void t.test('the worked example of a credential kind', { timeout: 120_000 }, async (t) => {
  const markdown = readFileSync('CONTRIBUTING.md', 'utf8')
  const sources = sourcesOf(markdown)
  t.strictSame([...sources.keys()], [resolve(KIND), resolve(KIND.replace('.ts', '.test.ts'))])
  const { diagnostics, output } = compile(sources)
  t.strictSame(diagnostics, [])
  const directory = t.testdir({
    ...output,
    'shared.js': t.fixture('symlink', resolve('dist/proxy/credentials/shared.js')),
  })
  const { stdout } = await run(process.execPath, [join(directory, 'key-pair.test.js')])
  t.match(stdout, /^ok 1 - two keys in two headers/m, 'it passes its own test')

  const { keyPair } = (await import(pathToFileURL(join(directory, 'key-pair.js')).href)) as {
    keyPair: CredentialKind
  }
  const [policyText = ''] = blocksOf(markdown, 'yaml')
  writeFiles(directory, { 'egress.yaml': policyText })
  const env = { MONITOR_KEY: 'account-0123456789', MONITOR_APP_KEY: 'application-0123456789' }
  const { policy } = await loadPolicy('egress.yaml', {
    kinds: [...CREDENTIAL_KINDS, keyPair],
    env,
    cwd: directory,
  })
  const request = outgoingRequest()
  t.equal(await policy.services.get('monitor')?.credential?.inject(request, NO_TOOLS), null)
  t.match(request.headers, { 'x-api-key': env.MONITOR_KEY, 'x-application-key': env.MONITOR_APP_KEY })
})

void t.test('the compiler sees what is wrong', (t) => {
  const [path = '', text = ''] = [...sourcesOf(readFileSync('CONTRIBUTING.md', 'utf8'))][0] ?? []
  const { diagnostics } = compile(new Map([[path, text.replace('secret: true', 'secert: true')]]))
  t.match(diagnostics, [/secert/])
  t.end()
})
