import { realpathSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Fault } from '#firewall/host-pattern.js'
import { parseDotenv, type Dotenv, type DotenvFault } from './dotenv.js'
import { readTextFile } from './text-file.js'

/** Shorter values occur in ordinary responses, so they cannot be taken out of them. */
export const MIN_SECRET = 8

/** Upper case only: a token pasted between the braces by mistake is then seldom a name, and is not repeated. */
export const SECRET_NAME = /^[A-Z_][A-Z0-9_]*$/

export interface SecretOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Directory of the policy file: `.env` stands there. */
  readonly directory: string
  /** What relative names of `NAME_FILE` are relative to. */
  readonly cwd: string
}

/** Where the binding of credentials asks for values. */
export interface SecretLookup {
  /** A value that is good to use, or what is wrong with it; null where it is not known and that is no fault. */
  lookUp(name: string, multiline?: boolean): string | Fault | null
}

/** For those who only ask what a policy allows: every name is taken as it stands, and no source is looked at. */
export const NO_VALUES: SecretLookup = { lookUp: () => null }

/** Where secrets come from: the variable NAME, else the file that NAME_FILE names, else `.env` beside the policy. */
export class SecretSources implements SecretLookup {
  readonly #env: SecretOptions['env']
  readonly #cwd: string
  readonly #dotenv: Dotenv
  readonly #dotenvFault: Fault | null
  readonly #files = new Set<string>()
  readonly #values = new Set<string>()
  /** A pipe (`NAME_FILE=<(…)`) can be read once only. */
  readonly #read = new Map<string, string | Fault>()

  constructor({ env, directory, cwd }: SecretOptions) {
    this.#env = env
    this.#cwd = cwd
    const path = join(directory, '.env')
    const file = readTextFile(path)
    if (file !== null) this.#addFile(path)
    this.#dotenv =
      file !== null && 'text' in file ? parseDotenv(file.text) : { values: new Map(), faults: [] }
    this.#dotenvFault = file !== null && 'problem' in file ? file : null
    for (const value of this.#dotenv.values.values()) this.#values.add(value)
  }

  /** The value of a secret that is good to use, or what is wrong with it. Values never stand in a message. */
  lookUp(name: string, multiline = false): string | Fault {
    const value = this.#read.get(name) ?? this.#find(name)
    this.#read.set(name, value)
    if (typeof value !== 'string') return value
    this.#values.add(value)
    if (value === '') return { problem: `${name} is set but empty`, fix: `give ${name} a value, or unset it` }
    // Threat: a line break ends the header that the value is put into, and begins another.
    if ((multiline ? /[\x00-\x08\x0b-\x1f\x7f]/ : /[\x00-\x1f\x7f]/).test(value.replaceAll('\r\n', '\n'))) {
      return {
        problem: `${name} holds a line break or another control byte`,
        fix: `store ${name} as one line; one line break at the end of a file is ignored`,
      }
    }
    return value
  }

  get dotenvFaults(): readonly DotenvFault[] {
    if (this.#dotenvFault === null) return this.#dotenv.faults
    return [{ ...this.#dotenvFault, position: { line: 1, column: 1 } }]
  }

  /** Files that hold secrets, absolute. */
  get files(): readonly string[] {
    return [...this.#files]
  }

  /** Every value seen, for the last check on messages. */
  get values(): readonly string[] {
    return [...this.#values]
  }

  #find(name: string): string | Fault {
    const direct = this.#env[name]
    const path = this.#env[`${name}_FILE`]
    if (direct !== undefined && path !== undefined) {
      this.#values.add(direct)
      return {
        problem: `both ${name} and ${name}_FILE are set`,
        fix: `unset one of them, so that it is plain which value of ${name} counts`,
      }
    }
    if (direct !== undefined) return direct
    if (path !== undefined) return this.#readFile(name, path)
    return (
      this.#dotenv.values.get(name) ?? {
        problem: `the secret \`${name}\` is not set: no variable ${name}, no variable ${name}_FILE, no line in .env beside the policy`,
        fix: `set ${name}, or set ${name}_FILE to a file that holds it, or write \`${name}=…\` into .env`,
      }
    )
  }

  #readFile(name: string, path: string): string | Fault {
    const absolute = resolve(this.#cwd, path)
    const file = readTextFile(absolute)
    const fix = `set ${name}_FILE to a readable text file that holds the secret`
    if (file === null) return { problem: `the file that ${name}_FILE names does not exist`, fix }
    if ('problem' in file) return { problem: `${name}_FILE: ${file.problem}`, fix }
    this.#addFile(absolute)
    return file.text.replace(/\r?\n$/, '')
  }

  /** Both the name and what a symbolic link stands for, or the sandbox could read it by the other. */
  #addFile(path: string): void {
    this.#files.add(path)
    this.#files.add(realpathSync(path))
  }
}
