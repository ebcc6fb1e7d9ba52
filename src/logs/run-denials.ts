import { parseHostname } from '#firewall/names/hostname.js'
import type { AuditRole } from '../audit/audit.js'
import { logDirectories, readLogOf, type LogLine } from './read.js'

/** A host that was refused to a run, with what was asked of it. */
export interface DeniedHost {
  readonly host: string
  /** Methods, as far as requests came that far; empty where only its name was asked for. */
  readonly methods: readonly string[]
  readonly count: number
}

/** Hosts that are remembered: an agent may ask for any number. */
const MAX_HOSTS = 200

/** What the last run of this command was refused because the policy does not list it; null where there was no such run. */
export async function lastDenials(auditDir: string, command: string): Promise<readonly DeniedHost[] | null> {
  for (const directory of logDirectories(auditDir).reverse()) {
    let sandbox: string | null = null
    for await (const { shown } of linesOf(directory, 'sandbox'))
      if (shown.type === 'sandbox' && shown.event.action === 'sandbox-start')
        if (shown.event.command.replace(/^.*\//, '') === command) sandbox = shown.event.sandbox.id
    if (sandbox !== null) return denialsOf(directory, sandbox)
  }
  return null
}

async function denialsOf(directory: string, sandbox: string): Promise<readonly DeniedHost[]> {
  const hosts = new Map<string, { methods: Set<string>; count: number }>()
  for (const role of ['dns', 'http'] as const)
    for await (const line of linesOf(directory, role)) {
      const denied = line.sandbox === sandbox ? deniedIn(line) : null
      if (denied === null || (!hosts.has(denied.host) && hosts.size >= MAX_HOSTS)) continue
      const known = hosts.get(denied.host) ?? { methods: new Set(), count: 0 }
      hosts.set(denied.host, known)
      known.count += denied.count
      if (denied.method !== null) known.methods.add(denied.method)
    }
  return [...hosts].map(([host, { methods, count }]) => ({ host, methods: [...methods].sort(), count }))
}

/** Null for what was allowed, or refused for another reason than that the policy does not list it. */
function deniedIn({ shown }: LogLine): { host: string; method: string | null; count: number } | null {
  if (shown.type !== 'query' && shown.type !== 'decision' && shown.type !== 'repeat') return null
  const { event } = shown
  if (event.verdict !== 'deny' || event.reason !== 'host-not-listed') return null
  const named = 'question' in event ? event.question?.name : event.host
  const host = parseHostname(named ?? '')
  if (host === null) return null
  const isQuery = shown.type === 'query' || ('action' in event && event.action === 'dns-query')
  const method = isQuery || !('method' in event) || event.method === 'CONNECT' ? null : event.method
  return { host, method, count: 'count' in event ? event.count : 1 }
}

function linesOf(directory: string, role: AuditRole): AsyncGenerator<LogLine> {
  return readLogOf(directory, role, () => undefined)
}
