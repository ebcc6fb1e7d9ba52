import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadPolicy } from '#config/load.js'
import { readSettings, type Settings } from '#config/settings.js'
import { PolicyEngine } from '#firewall/judge/policy-engine.js'
import { Ledger } from '#firewall/ledger/ledger.js'
import type { Policy } from '#firewall/contracts/policy.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { Audit, type AuditRole } from '../audit/audit.js'
import { tuneGarbageCollector } from '../gateway/gc-tuning.js'
import { EgressError, exitCodeOf } from '../errors.js'
import { createLog, type ProgramLog } from '../log.js'
import { formatRecord, painter } from '../logs/format.js'
import type { LogRecord } from '../logs/read.js'
import { serveDns } from '../gateway/serve-dns.js'
import { serveAdmin } from '../control/admin-server.js'
import { openCa } from '../serve/ca-store.js'
import { EndedSandboxes } from '../serve/ended.js'
import { readFixedNetworks } from '../serve/fixed-networks.js'
import { withPlaceholders } from '../serve/fixed-placeholders.js'
import { SandboxRegistry } from '../serve/registry.js'
import { endSandbox, sandboxAdmin, type AdminContext } from '../serve/sandbox-admin.js'
import { bindDns, bindProxy } from '../serve/sockets.js'
import {
  adminSocketIn,
  endedIn,
  policyIn,
  sandboxesIn,
  stateDirectories,
  type StateDirectories,
} from '../serve/state.js'
import type { CommandIo } from './io.js'
import { openPolicy, policyFile } from './policy-file.js'

const FORGET_MS = 60_000

/** Milliseconds in which a run that begins has made its network, on the slowest machine. */
const STALE_MS = 300_000

/** The words of `egress serve`. */
export interface ServeOptions {
  /** Both roles in one process unless one is named. */
  readonly role: string | undefined
  readonly policy: string | undefined
  readonly auditDir: string | undefined
}

/** Milliseconds between two looks at the policy that the proxy hands over. */
const POLICY_POLL_MS = 500

/** Milliseconds that what is open at the end (a look-up that nobody answers) may hold the process up. */
const EXIT_MS = 500

/** A gateway that goes on until it is told to stop, for sandboxes that come and go. */
export async function serve({ role, ...flags }: ServeOptions, io: CommandIo): Promise<number> {
  if (role !== undefined && role !== 'dns' && role !== 'proxy')
    throw new EgressError({
      code: 'EGRESS_USAGE',
      problem: `there is no role \`${role}\``,
      fix: 'write `egress serve dns`, `egress serve proxy`, or `egress serve` for both in one process',
    })
  try {
    const code =
      role === 'dns' ? await serveResolver(flags, io) : await serveGateway(role === undefined, flags, io)
    endSoon(code)
    return code
  } catch (error) {
    // The sockets that were opened before would hold it up for ever.
    endSoon(exitCodeOf(error))
    throw error
  }
}

function endSoon(code: number): void {
  setTimeout(() => process.exit(code), EXIT_MS).unref()
}

/** Proxy, or both roles around one policy engine and one budget. */
async function serveGateway(
  both: boolean,
  flags: Omit<ServeOptions, 'role'>,
  io: CommandIo,
): Promise<number> {
  const stop = stopSignal()
  const loaded = await openPolicy(flags.policy, io, CREDENTIAL_KINDS)
  const { policy, empty, refresher } = loaded
  const settings = readSettings({ flags, env: io.env, cwd: io.cwd, file: loaded.settings })
  const { log, state, registry, audit } = openGateway(
    both ? ['dns', 'http', 'sandbox'] : ['http', 'sandbox'],
    settings,
    io,
    policy,
  )
  const { Gateway } = await import('../gateway/gateway.js')
  const gateway = await Gateway.create({
    policy,
    audit,
    ca: await openCa(state, Date.now()),
    identify: (peer) => registry.identify(peer),
    address: (sandbox) => registry.proxyFor(sandbox),
    fail: (error) => log.error('the gateway failed on one connection', error),
    refresher,
    warn: (message) => log.warn(message),
  })
  if (both) gateway.serve({ ...(await bindDns()), ...(await bindProxy()) })
  else gateway.serveProxy(await bindProxy())
  publishPolicy(settings.policy, policyIn(state))
  const context = { policy, registry, audit, now: Date.now }
  const ended = new EndedSandboxes(endedIn(state), (id, exitCode) => endSandbox(id, exitCode, context))
  const admin = await serveAdmin(
    adminSocketIn(state.run),
    sandboxAdmin({ ...context, readEnded: () => ended.read() }),
  )
  if (empty !== null) log.warn(nothingAllowed(loaded.file, empty))
  log.info(`ready: ${both ? 'resolver and proxy' : 'proxy'}`)
  setImmediate(() => gateway.warmUp())
  pruneCounters(gateway, registry)
  reapStaleSandboxes(context)
  await stop
  admin.close()
  ended.close()
  await gateway.close()
  audit.end()
  return 0
}

/** The resolver alone: names and nothing else. It has no upstream, no secret, and no need of either. */
async function serveResolver(flags: Omit<ServeOptions, 'role'>, io: CommandIo): Promise<number> {
  const settings = readSettings({ flags, env: io.env, cwd: io.cwd })
  const { log, state, registry, audit } = openGateway(['dns'], settings, io, null)
  const file = flags.policy === undefined ? policyIn(state) : policyFile(flags.policy, io)
  const stopped = new AbortController()
  const stop = stopSignal().finally(() => stopped.abort())
  const version = (known: string | null) => nextVersion(file, known, stopped.signal).catch(() => undefined)
  const seen = await Promise.race([version(null), stop])
  if (seen === undefined) return 0
  const { policy } = await loadPolicy(file, {
    kinds: CREDENTIAL_KINDS,
    env: {},
    cwd: io.cwd,
    withSecrets: false,
  })
  tuneGarbageCollector()
  const ledger = new Ledger()
  const dns = serveDns(await bindDns(), {
    namePolicy: {
      policyEngine: new PolicyEngine(policy),
      limits: policy.dns.nameLimits,
      budget: ledger.names,
    },
    queries: ledger.queries,
    settings: policy.dns,
    identify: (peer) => registry.identify(peer),
    address: (sandbox) => registry.proxyFor(sandbox),
    record: audit.dns,
    fail: (error) => log.error('the resolver failed on one query', error),
  })
  const admin = await serveAdmin(adminSocketIn(state.run), () => [])
  log.info('ready: resolver')
  pruneCounters(ledger, registry)
  const replaced = await Promise.race([version(seen), stop])
  if (replaced !== undefined)
    log.info('the policy was replaced: ending, to be started again with the new one')
  admin.close()
  dns.close()
  audit.end()
  return 0
}

/** A gateway that goes on for months must not keep what it counted for every sandbox that there ever was. */
function pruneCounters(counters: Pick<Ledger, 'prune'>, registry: SandboxRegistry): void {
  const forget = () => {
    try {
      counters.prune(registry.activeSandboxes())
    } catch {
      // Whoever is there cannot be told, out of descriptors say: then nobody is forgotten, and nobody's budget begins anew.
    }
  }
  setInterval(forget, FORGET_MS).unref()
}

/** Else the subnet of a run that was killed while it began would be held for ever, and its end be in no log. */
function reapStaleSandboxes(context: AdminContext): void {
  const end = () => {
    try {
      const own = new Set(Object.values(networkInterfaces()).flatMap((all) => all?.map((one) => one.address)))
      const stale = context.registry.stale(context.now() - STALE_MS, (address) => own.has(address))
      for (const { id } of stale) endSandbox(id, null, context)
    } catch {
      // The log cannot be written, or descriptors are out: later, then.
    }
  }
  setInterval(end, FORGET_MS).unref()
}

interface OpenGateway {
  readonly log: ProgramLog
  readonly state: StateDirectories
  readonly registry: SandboxRegistry
  readonly audit: Audit
}

/** What both roles begin with. Decisions are shown as they are recorded. */
function openGateway(
  roles: readonly AuditRole[],
  settings: Settings,
  io: CommandIo,
  policy: Policy | null,
): OpenGateway {
  const log = createLog(settings.logLevel, (line) => io.stderr.write(line))
  const state = stateDirectories(io.env)
  const networks = readFixedNetworks(io.env)
  const known = policy === null ? networks : withPlaceholders(networks, policy, state.shared)
  const registry = new SandboxRegistry(sandboxesIn(state), known)
  const paint = painter(process.stdout.isTTY, io.env)
  const audit = new Audit({
    directory: settings.auditDir,
    gateway: `gateway-${randomBytes(5).toString('hex')}`,
    now: Date.now,
    onChange: (message) => log.error(message),
    roles,
    onLine: (line) => io.stdout.write(`${formatRecord(JSON.parse(line) as LogRecord, paint)}\n`),
  })
  return { log, state, registry, audit }
}

function nothingAllowed(file: string, empty: 'missing' | 'empty'): string {
  const place = `${file} is ${empty}, so everything is denied.`
  return `${place} Write a policy (with Compose: egress.yaml beside docker-compose.yml, as docs/docker.md shows), then restart the gateway`
}

/** Hands the text to the resolver, whole; one that is the same already stays, so that nobody starts again for nothing. */
function publishPolicy(from: string, to: string): void {
  const text = readText(from) ?? ''
  if (readText(to) === text) return
  mkdirSync(dirname(to), { recursive: true })
  writeFileSync(`${to}.new`, text)
  renameSync(`${to}.new`, to)
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

const versionOf = (file: string): string | null => {
  const found = statSync(file, { throwIfNoEntry: false })
  return found === undefined ? null : `${String(found.ino)} ${String(found.mtimeMs)}`
}

/** Resolves with the version that stands in the place of the known one; never, once the signal fires. */
async function nextVersion(file: string, known: string | null, signal: AbortSignal): Promise<string> {
  for (;;) {
    const version = versionOf(file)
    if (version !== null && version !== known) return version
    await sleep(POLICY_POLL_MS, undefined, { signal })
  }
}

function stopSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(undefined))
  })
}
