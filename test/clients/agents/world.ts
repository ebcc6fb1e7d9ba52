import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { makeOwn } from './make-own.js'

/** The presets of the agents, with the hosts of their models. */
const SERVICES = {
  anthropic: 'api.anthropic.com',
  openai: 'api.openai.com',
  gemini: 'generativelanguage.googleapis.com',
} as const

export const REQUEST = 'Change the word morning to evening in greeting.txt'
export const ANSWER = 'The greeting is for the evening now.'

/** A project with a file to change, a user's home directory beside it, and the key that no sandbox may see. */
export class Project {
  readonly root = mkdtempSync(join(tmpdir(), 'egress-agents-'))
  readonly work = join(this.root, 'project')
  readonly home = join(this.root, 'home')
  readonly key = `sk-${randomBytes(30).toString('hex')}`
  readonly file = join(this.work, 'greeting.txt')
  readonly task = { file: this.file, from: 'morning', to: 'evening', says: ANSWER }
  readonly secrets = {
    ANTHROPIC_API_KEY: this.key,
    OPENAI_API_KEY: this.key,
    GEMINI_API_KEY: this.key,
  }

  constructor() {
    chmodSync(this.root, 0o755)
    for (const path of [this.work, this.home]) mkdirSync(path)
    this.reset()
  }

  reset(): void {
    writeFileSync(this.file, 'Good morning, world.\n')
    makeOwn(this.work)
  }

  get isEdited(): boolean {
    return readFileSync(this.file, 'utf8') === 'Good evening, world.\n'
  }

  /** @param port on loopback, of the mock APIs; null if their names lead to them */
  policy(port: number | null): string {
    const services = Object.keys(SERVICES).map((name) => [
      name,
      { use: name, allow_private_addresses: true, ca: './ca.pem' },
    ])
    const hosts = Object.values(SERVICES).map((host) => [host, `127.0.0.1:${String(port)}`])
    return stringify({
      services: Object.fromEntries(services) as object,
      ...(port === null ? {} : { upstream: { hosts: Object.fromEntries(hosts) as object } }),
    })
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}
