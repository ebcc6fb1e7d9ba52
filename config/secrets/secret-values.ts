import { realpathSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import type { SourcePosition } from '../issues/issue.js'
import { DOTENV_FILES, parseDotenv, type Dotenv } from './dotenv.js'
import { readTextFile, withoutLastBreak } from '../files/text-file.js'

/** Shorter values occur in ordinary responses, so they cannot be redacted. */
export const MIN_SECRET = 8

interface DotenvFile {
  readonly name: string
  readonly entries: Dotenv
  /** Why the file cannot be read, if it exists and cannot. */
  readonly error: Diagnostic | null
}

/** A variable in a file beside the policy that a secret was read from, or cannot be read from. */
export interface DotenvPlace {
  /** Name of the file, without its directory. */
  readonly file: string
  readonly position: SourcePosition
  readonly error: Diagnostic | null
  readonly expandable: boolean
}

/** The directory in which Docker mounts the secrets of a service. */
const MOUNTED_SECRETS = '/run/secrets'

export interface SecretOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Directory of the policy file, of `egress.env` and of `.env`. */
  readonly directory: string
  /** Directory for relative names in `NAME_FILE`. */
  readonly cwd: string
  /** Directory of Docker's secrets (default: `/run/secrets`). */
  readonly mounted?: string | undefined
}

/** Where credentials get the values of their secrets. */
export interface SecretLookup {
  /** A valid value, or the error; null if it is unknown and that is not an error. */
  lookUp(name: string, multiline?: boolean): string | Diagnostic | null
}

/** For a policy that is loaded without secrets: no source is read. */
export const NO_VALUES: SecretLookup = { lookUp: () => null }

/**
 * The values of secrets by name. Values from the section `secrets` are set with `put`. For all others, the first of these
 * decides: the variable NAME, the file named by NAME_FILE, Docker's secret NAME, `egress.env` and `.env` beside the policy.
 */
export class SecretValues implements SecretLookup {
  readonly #options: SecretOptions
  readonly #dotenv: readonly DotenvFile[]
  readonly #files = new Set<string>()
  readonly #places = new Map<string, DotenvPlace>()
  readonly #seen = new Set<string>()
  /** By name; null for a value that could not be read, which is reported elsewhere. */
  readonly #values = new Map<string, string | Diagnostic | null>()

  constructor(options: SecretOptions) {
    this.#options = options
    this.#dotenv = DOTENV_FILES.map((name) => this.#readDotenv(name))
    for (const { entries } of this.#dotenv)
      for (const { value } of entries.values()) if (typeof value === 'string') this.#seen.add(value)
  }

  /** No message contains a value. */
  lookUp(name: string, multiline = false): string | Diagnostic | null {
    const known = this.#values.get(name)
    // A pipe (`NAME_FILE=<(…)`) can be read once only.
    const value = known === undefined ? this.#find(name) : known
    this.#values.set(name, value)
    if (typeof value !== 'string') return value
    this.#seen.add(value)
    return valueError(name, value, multiline) ?? value
  }

  /** Sets the value of a secret with a source of its own; null if it could not be read. */
  put(name: string, value: string | null): void {
    const before = this.#values.get(name)
    if (typeof before === 'string') this.#seen.delete(before)
    this.#values.set(name, value)
  }

  /** Where else this secret has a value in the gateway's environment; null if nowhere. */
  variableOf(name: string): string | null {
    if (this.#options.env[name] !== undefined) return `the variable ${name}`
    if (this.#options.env[`${name}_FILE`] !== undefined) return `the variable ${name}_FILE`
    const file = this.#dotenv.find(({ entries }) => entries.has(name))
    return file === undefined ? null : `a line in ${file.name}`
  }

  /** Where a file beside the policy has this secret, or why it cannot; null if the secret was not looked for there. */
  dotenvPlace(name: string): DotenvPlace | null {
    return this.#places.get(name) ?? null
  }

  /** Files that contain secrets, absolute. */
  get files(): readonly string[] {
    return [...this.#files]
  }

  /** Every value seen, to redact messages. */
  get seen(): readonly string[] {
    return [...this.#seen]
  }

  #readDotenv(name: string): DotenvFile {
    const path = join(this.#options.directory, name)
    const file = readTextFile(path)
    if (file === null) return { name, entries: new Map(), error: null }
    this.#addFile(path)
    return 'text' in file
      ? { name, entries: parseDotenv(file.text), error: null }
      : { name, entries: new Map(), error: file }
  }

  /** Null if a line cannot be read, which `dotenvPlace` reports; undefined if no file has the variable. */
  #findInDotenv(name: string): string | null | undefined {
    for (const { name: file, entries, error } of this.#dotenv) {
      const entry = entries.get(name)
      if (error === null && entry === undefined) continue
      const { position = { line: 1, column: 1 }, value = error, expandable = false } = entry ?? {}
      const wrong = typeof value === 'string' ? null : value
      this.#places.set(name, { file, position, error: wrong, expandable })
      return typeof value === 'string' ? value : null
    }
    return undefined
  }

  #find(name: string): string | Diagnostic | null {
    const { env } = this.#options
    const direct = env[name]
    const path = env[`${name}_FILE`]
    if (direct !== undefined && path !== undefined) {
      this.#seen.add(direct)
      return {
        problem: `Both ${name} and ${name}_FILE are set`,
        fix: 'Unset one of them',
      }
    }
    if (direct !== undefined) return direct
    if (path !== undefined) return this.#readNamed(name, path)
    const mounted = this.#readMounted(name)
    if (mounted !== null) return mounted
    const line = this.#findInDotenv(name)
    if (line !== undefined) return line
    return {
      problem: `Secret \`${name}\` is not set (checked \`secrets\`, ${name}, ${name}_FILE, Docker secrets, egress.env and .env)`,
      fix: `Set ${name}, set ${name}_FILE to a file that contains it, add \`${name}=…\` to .env, or add it to \`secrets\``,
    }
  }

  #readNamed(name: string, path: string): string | Diagnostic {
    const absolute = resolve(this.#options.cwd, path)
    const file = readTextFile(absolute)
    const fix = `Set ${name}_FILE to a readable text file that contains the secret`
    if (file === null) return { problem: `The file in ${name}_FILE does not exist`, fix }
    if ('problem' in file) return { problem: `${name}_FILE: ${file.problem}`, fix }
    this.#addFile(absolute)
    return withoutLastBreak(file.text)
  }

  /** Docker names the file after the secret, which is usually in lower case. */
  #readMounted(name: string): string | Diagnostic | null {
    for (const base of [name, name.toLowerCase(), name.toLowerCase().replaceAll('_', '-')]) {
      const path = join(this.#options.mounted ?? MOUNTED_SECRETS, base)
      const file = readTextFile(path)
      if (file === null) continue
      if ('problem' in file) return { problem: `Docker secret ${name}: ${file.problem}`, fix: file.fix }
      this.#addFile(path)
      return withoutLastBreak(file.text)
    }
    return null
  }

  /** Both the path and the target of a symbolic link. Threat: the sandbox could read the file through the other one. */
  #addFile(path: string): void {
    this.#files.add(path)
    this.#files.add(realpathSync(path))
  }
}

function valueError(name: string, value: string, multiline: boolean): Diagnostic | null {
  if (value === '') return { problem: `${name} is set but empty`, fix: `Set ${name} to a value, or unset it` }
  // Threat: a line break in a header value begins another header.
  if ((multiline ? /[\x00-\x08\x0b-\x1f\x7f]/ : /[\x00-\x1f\x7f]/).test(value.replaceAll('\r\n', '\n'))) {
    return {
      problem: `${name} contains a line break or another control byte`,
      fix: `Store ${name} on one line; one line break at the end of a file is ignored`,
    }
  }
  return null
}
