import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { NO_HOLDS, type Holds } from '#firewall/contracts/holds.js'
import { writeWholeFile } from '../common/write-file.js'

/** Fail closed: nobody knows what an operator had written there. */
const EVERYTHING: Holds = { ...NO_HOLDS, all: true }

/**
 * What an operator holds, in a file that survives restarts. Its directory is hidden from every sandbox. A process that does not
 * write it itself may read it for each decision: it is read again only after a change.
 */
export class HoldFile {
  readonly #path: string
  #version = ''
  #holds: Holds = NO_HOLDS

  constructor(path: string) {
    this.#path = path
  }

  /** The same object as before if nothing has changed. Everything is held if the file cannot be read. */
  read(): Holds {
    try {
      const found = statSync(this.#path, { throwIfNoEntry: false })
      const version = found === undefined ? '' : `${String(found.ino)} ${String(found.mtimeMs)}`
      if (version === this.#version) return this.#holds
      this.#holds = found === undefined ? NO_HOLDS : parseHolds(readFileSync(this.#path, 'utf8'))
      this.#version = version
    } catch {
      this.#version = 'unreadable'
      this.#holds = EVERYTHING
    }
    return this.#holds
  }

  /** Throws if it cannot be written; then nothing has changed. */
  write({ all, agents, sandboxes }: Holds): void {
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
    const text = JSON.stringify({ all, agents: [...agents], sandboxes: [...sandboxes] })
    writeWholeFile(this.#path, `${text}\n`)
  }
}

function parseHolds(text: string): Holds {
  const { all, agents, sandboxes } = JSON.parse(text) as Readonly<Record<string, unknown>>
  if (typeof all !== 'boolean' || !isTexts(agents) || !isTexts(sandboxes)) return EVERYTHING
  return { all, agents: new Set(agents), sandboxes: new Set(sandboxes) }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
