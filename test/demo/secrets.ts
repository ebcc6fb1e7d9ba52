import { randomBytes, randomInt } from 'node:crypto'
import type { KnownSecret } from '../servers/known-secrets.js'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** The real credentials of one run, by the name of their environment variable in the gateway. */
export interface Secrets {
  readonly JIRA_TOKEN: string
  readonly LLM_API_KEY: string
  readonly ECHO_TOKEN: string
}

/** Creates credentials in the formats of real issuers, for one run. */
export function makeSecrets(): Secrets {
  return {
    JIRA_TOKEN: randomText(44),
    LLM_API_KEY: `sk-ant-api03-${randomText(95)}`,
    ECHO_TOKEN: `ghp_${randomText(36)}`,
  }
}

/** The credentials as known secrets, to search for where they must not appear. */
export function secretPatternsOf(secrets: Secrets): KnownSecret[] {
  return Object.entries(secrets).map(([name, value]: [string, string]) => ({
    name,
    value,
    prefix: /^(sk-ant-api03-|ghp_)/.exec(value)?.[0] ?? '',
  }))
}

/** Text that an attack tries to send out, unique so that it can be recognised. */
export function makeMarker(): string {
  return `mk${randomBytes(12).toString('hex')}`
}

function randomText(length: number): string {
  return Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
}
