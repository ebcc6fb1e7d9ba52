import { realpathSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import { parseDotenv, type Dotenv, type DotenvError } from './dotenv.js'
import { readTextFile, withoutLastBreak } from '../files/text-file.js'

/** Shorter values occur in ordinary responses, so they cannot be redacted. */
export const MIN_SECRET = 8

/** The directory in which Docker mounts the secrets of a service. */
const MOUNTED_SECRETS = '/run/secrets'

export interface SecretOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Directory of the policy file and of `.env`. */
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
 * decides: the variable NAME, the file named by NAME_FILE, Docker's secret NAME, `.env` beside the policy.
 */
export class SecretValues implements SecretLookup {
  readonly #options: SecretOptions
  readonly #dotenv: Dotenv
  readonly #dotenvError: Diagnostic | null
  readonly #files = new Set<string>()
  readonly #seen = new Set<string>()
  /** By name; null for a value that could not be read, which is reported elsewhere. */
  readonly #values = new Map<string, string | Diagnostic | null>()

  constructor(options: SecretOptions) {
    this.#options = options
    const path = join(options.directory, '.env')
    const file = readTextFile(path)
    if (file !== null) this.#addFile(path)
    this.#dotenv =
      file !== null && 'text' in file ? parseDotenv(file.text) : { values: new Map(), errors: [] }
    this.#dotenvError = file !== null && 'problem' in file ? file : null
    for (const value of this.#dotenv.values.values()) this.#seen.add(value)
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
    return this.#dotenv.values.has(name) ? 'a line in .env' : null
  }

  get dotenvErrors(): readonly DotenvError[] {
    if (this.#dotenvError === null) return this.#dotenv.errors
    return [{ ...this.#dotenvError, position: { line: 1, column: 1 } }]
  }

  /** Files that contain secrets, absolute. */
  get files(): readonly string[] {
    return [...this.#files]
  }

  /** Every value seen, to redact messages. */
  get seen(): readonly string[] {
    return [...this.#seen]
  }

  #find(name: string): string | Diagnostic {
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
    return (
      this.#readMounted(name) ??
      this.#dotenv.values.get(name) ?? {
        problem: `Secret \`${name}\` is not set (checked \`secrets\`, ${name}, ${name}_FILE, Docker secrets and .env)`,
        fix: `Set ${name}, set ${name}_FILE to a file that contains it, add \`${name}=…\` to .env, or add it to \`secrets\``,
      }
    )
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
