import { realpathSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Diagnostic } from '#firewall/names/host-pattern.js'
import { parseDotenv, type Dotenv, type DotenvError } from './dotenv.js'
import { readTextFile } from './text-file.js'

/** Shorter values occur in ordinary responses, so they cannot be taken out of them. */
export const MIN_SECRET = 8

/** Upper case only: a token pasted between the braces by mistake is then seldom a name, and is not repeated. */
export const SECRET_NAME = /^[A-Z_][A-Z0-9_]*$/

/** Where Docker puts the secrets of a service. */
const MOUNTED_SECRETS = '/run/secrets'

export interface SecretOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Directory of the policy file: `.env` stands there. */
  readonly directory: string
  /** What relative names of `NAME_FILE` are relative to. */
  readonly cwd: string
  /** Directory of Docker's secrets; `/run/secrets` unless given. */
  readonly mounted?: string | undefined
}

/** Where the binding of credentials asks for values. */
export interface SecretLookup {
  /** A value that is good to use, or what is wrong with it; null where it is not known and that is no fault. */
  lookUp(name: string, multiline?: boolean): string | Diagnostic | null
}

/** For those who only ask what a policy allows: every name is taken as it stands, and no source is looked at. */
export const NO_VALUES: SecretLookup = { lookUp: () => null }

/**
 * The values of secrets by name. Those that the policy gives a source of their own are put in; for the others the
 * variable NAME counts, else the file that NAME_FILE names, else Docker's secret of that name, else `.env` beside the
 * policy.
 */
export class SecretValues implements SecretLookup {
  readonly #options: SecretOptions
  readonly #dotenv: Dotenv
  readonly #dotenvError: Diagnostic | null
  readonly #files = new Set<string>()
  readonly #seen = new Set<string>()
  /** By name; null for what could not be read, and whose fault stands elsewhere. */
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

  /** Values never stand in a message. */
  lookUp(name: string, multiline = false): string | Diagnostic | null {
    const known = this.#values.get(name)
    // A pipe (`NAME_FILE=<(…)`) can be read once only.
    const value = known === undefined ? this.#find(name) : known
    this.#values.set(name, value)
    if (typeof value !== 'string') return value
    this.#seen.add(value)
    return valueError(name, value, multiline) ?? value
  }

  /** Sets the value of a secret with a source of its own; null when it could not be read. */
  put(name: string, value: string | null): void {
    const before = this.#values.get(name)
    if (typeof before === 'string') this.#seen.delete(before)
    this.#values.set(name, value)
  }

  /** How the environment of the gateway gives this secret a value, if it does. */
  variableOf(name: string): string | null {
    if (this.#options.env[name] !== undefined) return `the variable ${name}`
    if (this.#options.env[`${name}_FILE`] !== undefined) return `the variable ${name}_FILE`
    return this.#dotenv.values.has(name) ? 'a line in .env' : null
  }

  get dotenvErrors(): readonly DotenvError[] {
    if (this.#dotenvError === null) return this.#dotenv.errors
    return [{ ...this.#dotenvError, position: { line: 1, column: 1 } }]
  }

  /** Files that hold secrets, absolute. */
  get files(): readonly string[] {
    return [...this.#files]
  }

  /** Every value seen, for the last check on messages. */
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
        problem: `both ${name} and ${name}_FILE are set`,
        fix: `unset one of them, so that it is plain which value of ${name} counts`,
      }
    }
    if (direct !== undefined) return direct
    if (path !== undefined) return this.#readNamed(name, path)
    return (
      this.#readMounted(name) ??
      this.#dotenv.values.get(name) ?? {
        problem: `the secret \`${name}\` is not set: no entry under \`secrets\`, no variable ${name}, no variable ${name}_FILE, no Docker secret, no line in .env beside the policy`,
        fix: `set ${name}, or set ${name}_FILE to a file that holds it, or write \`${name}=…\` into .env, or say under \`secrets\` where it comes from`,
      }
    )
  }

  #readNamed(name: string, path: string): string | Diagnostic {
    const absolute = resolve(this.#options.cwd, path)
    const file = readTextFile(absolute)
    const fix = `set ${name}_FILE to a readable text file that holds the secret`
    if (file === null) return { problem: `the file that ${name}_FILE names does not exist`, fix }
    if ('problem' in file) return { problem: `${name}_FILE: ${file.problem}`, fix }
    this.#addFile(absolute)
    return withoutLastBreak(file.text)
  }

  /** Docker and Compose call the file as the secret is called, which is in lower case more often than not. */
  #readMounted(name: string): string | Diagnostic | null {
    for (const base of [name, name.toLowerCase(), name.toLowerCase().replaceAll('_', '-')]) {
      const path = join(this.#options.mounted ?? MOUNTED_SECRETS, base)
      const file = readTextFile(path)
      if (file === null) continue
      if ('problem' in file) return { problem: `the Docker secret ${name}: ${file.problem}`, fix: file.fix }
      this.#addFile(path)
      return withoutLastBreak(file.text)
    }
    return null
  }

  /** Both the name and what a symbolic link stands for, or the sandbox could read it by the other. */
  #addFile(path: string): void {
    this.#files.add(path)
    this.#files.add(realpathSync(path))
  }
}

/** Editors and programs end a file with a line break that is no part of the value. */
export function withoutLastBreak(text: string): string {
  return text.replace(/\r?\n$/, '')
}

function valueError(name: string, value: string, multiline: boolean): Diagnostic | null {
  if (value === '') return { problem: `${name} is set but empty`, fix: `give ${name} a value, or unset it` }
  // Threat: a line break ends the header that the value is put into, and begins another.
  if ((multiline ? /[\x00-\x08\x0b-\x1f\x7f]/ : /[\x00-\x1f\x7f]/).test(value.replaceAll('\r\n', '\n'))) {
    return {
      problem: `${name} holds a line break or another control byte`,
      fix: `store ${name} as one line; one line break at the end of a file is ignored`,
    }
  }
  return null
}
