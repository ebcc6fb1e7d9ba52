import { resolve } from 'node:path'
import { readCaBundle } from '../../files/ca-bundle.js'
import type { FileContext } from '../../files/file-context.js'
import type { Path } from '../../issues/issue.js'
import { parseDuration } from '../../limits/quantities.js'
import { TOKEN_FORMATS } from '../../issues/token-formats.js'
import { commandSource } from './command.js'
import { fileSource } from './file.js'
import { SECRET_NAME, type SecretsFile, type SourceFile } from '../../schema/secrets.js'
import {
  SOURCE_KINDS,
  SOURCE_TIMEOUT_MS,
  type SecretSource,
  type SourceKind,
  type StoreWay,
} from './source.js'
import { readStoreUrl } from './store-url.js'

const NAME_FIX = 'Write `NAME` with upper-case letters, digits and underscores'

/** The sources of the section `secrets`, by the names of their secrets. Invalid entries are left out and reported. */
export function readSources(
  file: SecretsFile,
  environment: Readonly<Record<string, string | undefined>>,
  context: FileContext,
  wayTo: (url: URL) => StoreWay,
): ReadonlyMap<string, SecretSource> {
  const sources = new Map<string, SecretSource>()
  for (const [name, entry] of Object.entries(file)) {
    if (SECRET_NAME.test(name)) {
      const source = new SourceReader(name, entry, environment, context, wayTo).read()
      if (source !== null) sources.set(name, source)
    } else {
      const problem = 'Invalid secret name'
      context.issues.add(['secrets', name], { problem, fix: NAME_FIX }, 'key')
    }
  }
  return sources
}

/** Reads one entry. Every method adds its errors to the issues. */
class SourceReader {
  readonly #name: string
  readonly #file: SourceFile
  readonly #environment: Readonly<Record<string, string | undefined>>
  readonly #context: FileContext
  readonly #path: Path
  readonly #wayTo: (url: URL) => StoreWay
  #diagnostics = 0

  constructor(
    name: string,
    file: SourceFile,
    environment: Readonly<Record<string, string | undefined>>,
    context: FileContext,
    wayTo: (url: URL) => StoreWay,
  ) {
    this.#wayTo = wayTo
    this.#name = name
    this.#file = file
    this.#environment = environment
    this.#context = context
    this.#path = ['secrets', name]
  }

  read(): SecretSource | null {
    const given = SOURCE_KINDS.filter((kind) => this.#file[kind] !== undefined)
    const [kind] = given
    if (kind === undefined || given.length > 1) {
      const count = kind === undefined ? 'no source' : 'more than one source'
      this.#diagnostic([], `The secret has ${count}`, `Use exactly one of: ${SOURCE_KINDS.join(', ')}`)
      return null
    }
    if (holdsNul(this.#file)) {
      this.#diagnostic([kind], 'The value contains a NUL byte', 'Remove it')
      return null
    }
    const refreshMs = this.#duration('refresh', kind)
    const timeoutMs = this.#duration('timeout', kind) ?? SOURCE_TIMEOUT_MS
    if (this.#file.env !== undefined && kind !== 'command') {
      this.#diagnostic(['env'], '`env` has no effect without `command`', 'Remove `env`')
    }
    const source = this.#make(kind, refreshMs, timeoutMs)
    return this.#diagnostics === 0 ? source : null
  }

  #make(kind: SourceKind, refreshMs: number | null, timeoutMs: number): SecretSource | null {
    const { file, command } = this.#file
    switch (kind) {
      case 'file':
        return fileSource(this.#name, resolve(this.#context.directory, file ?? ''))
      case 'command':
        return this.#command(command ?? [], refreshMs, timeoutMs)
      case 'vault':
        return this.#vault(refreshMs, timeoutMs)
      case 'aws_secret':
        return this.#awsSecret(refreshMs, timeoutMs)
    }
  }

  #command(argv: readonly string[], refreshMs: number | null, timeoutMs: number): SecretSource {
    const { env = [] } = this.#file
    for (const [index, argument] of argv.entries()) {
      const shaped = TOKEN_FORMATS.some(
        ({ prefix }) => argument.includes(prefix) && argument.length >= prefix.length + 16,
      )
      if (shaped) {
        const fix = 'Pass it to the command as a variable listed in `env`, and rotate the secret'
        this.#diagnostic(['command', index], 'The policy contains a secret', fix)
      }
    }
    for (const [index, name] of env.entries()) {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        this.#diagnostic(['env', index], 'Invalid variable name', 'Write names only: `env: [VAULT_ADDR]`')
      }
    }
    return commandSource({
      name: this.#name,
      argv,
      env,
      refreshMs,
      timeoutMs,
      environment: this.#environment,
      directory: this.#context.directory,
    })
  }

  #vault(refreshMs: number | null, timeoutMs: number): SecretSource | null {
    const file = this.#file.vault
    if (file === undefined) return null
    const address = this.#url(['vault', 'address'], file.address)
    const token = this.#reference(['vault', 'token'], file.token)
    const ca = readCaBundle(file.ca, [...this.#path, 'vault', 'ca'], this.#context)
    const path = file.path.replace(/^\/?(?:v1\/)?/, '')
    if (!/^[\w.@=+~-]+(?:\/[\w.@=+~-]+)+$/.test(path) || /(^|\/)\.{1,2}(\/|$)/.test(path)) {
      this.#diagnostic(['vault', 'path'], 'Invalid secret path', 'Write mount and path: `secret/data/jira`')
    }
    if (file.namespace !== undefined && !/^[\w./-]+$/.test(file.namespace)) {
      this.#diagnostic(['vault', 'namespace'], 'Invalid namespace', 'Write a namespace such as `team-a`')
    }
    if (address === null || token === null) return null
    const way = this.#wayTo(address)
    const options = { ...file, path, address, token, namespace: file.namespace ?? null, ca, timeoutMs, way }
    return {
      ...STORE,
      name: this.#name,
      kind: 'vault',
      needs: [{ name: token, key: 'token' }, ...way.needs],
      refreshMs,
      read: async (tools) => (await import('./vault.js')).readVault(options, tools),
    }
  }

  #awsSecret(refreshMs: number | null, timeoutMs: number): SecretSource | null {
    const file = this.#file.aws_secret
    if (file === undefined) return null
    const accessKey = this.#reference(['aws_secret', 'access_key'], file.access_key)
    const secretKey = this.#reference(['aws_secret', 'secret_key'], file.secret_key)
    const session = file.session_token
    const sessionToken =
      session === undefined ? null : this.#reference(['aws_secret', 'session_token'], session)
    const ca = readCaBundle(file.ca, [...this.#path, 'aws_secret', 'ca'], this.#context)
    if (!/^[a-z]{2}(?:-[a-z]+)+-\d{1,2}$/.test(file.region)) {
      this.#diagnostic(['aws_secret', 'region'], 'Invalid region', 'Write a region such as `eu-central-1`')
      return null
    }
    const given = file.endpoint === undefined ? null : this.#url(['aws_secret', 'endpoint'], file.endpoint)
    const endpoint = given ?? awsEndpoint(file.region)
    const way = this.#wayTo(endpoint)
    if (accessKey === null || secretKey === null || (session !== undefined && sessionToken === null))
      return null
    const options = {
      id: file.id,
      region: file.region,
      field: file.field ?? null,
      accessKey,
      secretKey,
      sessionToken,
      endpoint,
      ca,
      timeoutMs,
      way,
    }
    const needs = [
      { name: accessKey, key: 'access_key' },
      { name: secretKey, key: 'secret_key' },
      ...(sessionToken === null ? [] : [{ name: sessionToken, key: 'session_token' }]),
      ...way.needs,
    ]
    return {
      ...STORE,
      name: this.#name,
      kind: 'aws_secret',
      needs,
      refreshMs,
      read: async (tools) => (await import('./aws-secret.js')).readAwsSecret(options, tools),
    }
  }

  #reference(at: Path, text: string): string | null {
    const name = /^\$\{([^{}]*)\}$/.exec(text)?.[1]
    if (name !== undefined && SECRET_NAME.test(name)) return name
    if (text.includes('${')) this.#diagnostic(at, 'Expected one secret reference', 'Write only `"${NAME}"`')
    else {
      const fix = 'Move it to the environment or .env, write `"${NAME}"` here, and rotate the secret'
      this.#diagnostic(at, 'The policy contains a secret', fix)
    }
    return null
  }

  #url(at: Path, text: string): URL | null {
    const url = readStoreUrl(text)
    if (url instanceof URL) return url
    this.#diagnostic(at, url.problem, url.fix)
    return null
  }

  #duration(key: 'refresh' | 'timeout', kind: string): number | null {
    const text = this.#file[key]
    if (text === undefined) return null
    if (kind === 'file') {
      this.#diagnostic(
        [key],
        `\`${key}\` has no effect on a file, which is read every few seconds`,
        `Remove \`${key}\``,
      )
      return null
    }
    const ms = parseDuration(text)
    const [least, most] = key === 'refresh' ? [1_000, 86_400_000] : [100, 300_000]
    if (ms !== null && ms >= least && ms <= most) return ms
    const range = key === 'refresh' ? '1s to 24h' : '100ms to 5m'
    this.#diagnostic(
      [key],
      `Invalid \`${key}\`: expected a duration from ${range}`,
      `Write a duration such as \`${key}: 10s\``,
    )
    return null
  }

  #diagnostic(at: Path, problem: string, fix: string): void {
    this.#diagnostics += 1
    this.#context.issues.add([...this.#path, ...at], { problem, fix }, at.length === 0 ? 'key' : 'value')
  }
}

function holdsNul(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0')
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsNul)
}

const STORE = { secretFiles: () => [], trustedFiles: () => [] }

/** The endpoint of a region. Others (FIPS, VPC, isolated partitions) must be in the policy. */
function awsEndpoint(region: string): URL {
  const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  return new URL(`https://secretsmanager.${region}.${suffix}/`)
}
