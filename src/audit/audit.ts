import { join } from 'node:path'
import type { DnsEvent } from '#dns/events.js'
import type { HttpClose, HttpDecision } from '#proxy/events.js'
import { AuditFile } from './audit-file.js'
import {
  closeRecord,
  decisionRecord,
  dnsRecord,
  gapRecord,
  sandboxRecord,
  type AuditRecord,
  type Header,
  type SandboxEvent,
} from './records.js'

/** Files of one gate, by role. */
export const AUDIT_ROLES = ['dns', 'http', 'sandbox'] as const
export type AuditRole = (typeof AUDIT_ROLES)[number]

export interface AuditOptions {
  readonly directory: string
  readonly gate: string
  readonly now: () => number
  /** Told once when the log stops working, and once when it works again. */
  readonly onChange: (message: string) => void
}

/**
 * The audit log of one gate. A decision that cannot be written throws, and then nothing passes; the end of a request
 * that cannot be written is counted and told later, for the request is over already.
 */
export class Audit {
  readonly #files: Readonly<Record<AuditRole, Log>>

  constructor(options: AuditOptions) {
    const open = (role: AuditRole) => new Log(role, options)
    this.#files = { dns: open('dns'), http: open('http'), sandbox: open('sandbox') }
  }

  /** @throws AuditUnavailable */
  readonly dns = (event: DnsEvent): void => {
    this.#files.dns.write(event.time, (header) => dnsRecord(header, event))
  }

  /** @throws AuditUnavailable */
  readonly decide = (event: HttpDecision): void => {
    this.#files.http.write(event.at, (header) => decisionRecord(header, event))
  }

  readonly close = (event: HttpClose): void => {
    this.#files.http.writeOrCount(event.at, (header) => closeRecord(header, event))
  }

  /** @throws AuditUnavailable */
  readonly sandbox = (event: SandboxEvent): void => {
    this.#files.sandbox.write(event.at, (header) => sandboxRecord(header, event))
  }

  end(): void {
    for (const log of Object.values(this.#files)) log.end()
  }
}

/** One role's file with its counter. */
class Log {
  readonly #options: AuditOptions
  readonly #file: AuditFile
  #sequence = 0
  #lost = 0
  #failing = false

  constructor(role: AuditRole, options: AuditOptions) {
    this.#options = options
    this.#file = new AuditFile(join(options.directory, `${role}.ndjson`))
  }

  write(at: number, build: (header: Header) => AuditRecord): void {
    try {
      if (this.#lost > 0) {
        this.#append(gapRecord(this.#header(this.#options.now()), this.#lost))
        this.#lost = 0
      }
      this.#append(build(this.#header(at)))
    } catch (error) {
      if (!this.#failing) this.#options.onChange((error as Error).message)
      this.#failing = true
      throw error
    }
    if (this.#failing) this.#options.onChange('the audit log can be written again; service resumes')
    this.#failing = false
  }

  writeOrCount(at: number, build: (header: Header) => AuditRecord): void {
    try {
      this.write(at, build)
    } catch {
      this.#lost += 1
    }
  }

  end(): void {
    try {
      if (this.#lost > 0) this.#append(gapRecord(this.#header(this.#options.now()), this.#lost))
    } catch {
      // It was said when the log stopped working; there is nobody left to tell.
    }
    this.#file.close()
  }

  #header(at: number): Header {
    return { at, sequence: this.#sequence, gate: this.#options.gate }
  }

  #append(record: AuditRecord): void {
    this.#file.append(JSON.stringify(record))
    this.#sequence += 1
  }
}
