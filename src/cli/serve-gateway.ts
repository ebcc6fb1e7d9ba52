import { X509Certificate } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import { ignoredProxies } from '#config/hosts/upstream-proxy.js'
import { readSettings, SETTING_VARIABLES, type Settings } from '#config/settings.js'
import type { Policy } from '#firewall/contracts/policy.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { OwnPorts } from '#proxy/upstream/own-listeners.js'
import { approvalRoutes } from '../approvals/routes.js'
import { caCheck } from '../control/health-checks.js'
import { beat, roleCheck } from '../control/heartbeat.js'
import { HoldFile } from '../control/hold-file.js'
import { Operator } from '../control/operator.js'
import { operatorRoutes, withStates } from '../control/operator-routes.js'
import { reloadRoute } from '../control/reload.js'
import { summaryRoute } from '../control/summary-route.js'
import { pageRoutes } from '../page/routes.js'
import { bootId } from '../common/boot-id.js'
import { EgressError, EXIT } from '../common/errors.js'
import type { Gateway } from '../gateway/gateway.js'
import { openCa } from '../serve/ca-store.js'
import { EndedSandboxes } from '../serve/ended.js'
import { withPlaceholders } from '../serve/fixed-placeholders.js'
import { publishPolicy, readTextOrNull, watchResolver } from '../serve/published-policy.js'
import { Reloader } from '../serve/reloader.js'
import { watchPolicy } from '../serve/watch-policy.js'
import { endSandbox, knownSandboxes, sandboxRoutes, type AdminContext } from '../serve/sandbox-admin.js'
import { bindDns, bindProxy } from '../serve/sockets.js'
import {
  endedIn,
  holdsIn,
  policyIn,
  policySourceIn,
  stateDirectories,
  proxyBeatIn,
  resolverBeatIn,
} from '../common/state.js'
import { writeWholeFile } from '../common/write-file.js'
import { version } from '../common/version.js'
import type { CommandIo } from '../common/io.js'
import { noPolicy, openPolicy, type PolicyOnDisk } from '../common/policy-file.js'
import { openAdmin } from './serve-admin.js'
import { servePods } from './serve-pods.js'
import {
  hangups,
  NOT_RELOADED,
  notReloaded,
  openRole,
  pruneCounters,
  recordStop,
  stopSignal,
  type RoleFlags,
  type RoleParts,
} from './serve-parts.js'

/** Milliseconds between two checks for runs that were killed during start-up. */
const REAP_MS = 60_000

/** Milliseconds that a run may take to create its network, on the slowest machine. */
const STALE_MS = 300_000

/** Serves the proxy, or both roles with one policy engine and one ledger. */
export async function serveGateway(both: boolean, flags: RoleFlags, io: CommandIo): Promise<number> {
  const hangup = hangups()
  const stop = stopSignal()
  const loaded = await openPolicy(flags.policy, io, CREDENTIAL_KINDS)
  const settings = readSettings({ flags, env: io.env, cwd: io.cwd, file: loaded.settings })
  refuseLostPolicy(loaded, io)
  const roles = both ? (['dns', 'http', 'sandbox'] as const) : (['http', 'sandbox'] as const)
  const parts = openRole(roles, settings, io, loaded.policy, loaded.audit)
  const { log, state, registry, audit, counts, feed, secrets, summaries } = parts
  secrets.loaded(namesOf(loaded.policy))
  const { Gateway } = await import('../gateway/gateway.js')
  const own = new OwnPorts()
  const gateway = await Gateway.create({
    own,
    policy: loaded.policy,
    refresher: loaded.refresher,
    audit,
    ca: await openCa(state, Date.now()),
    identify: (peer) => registry.identify(peer),
    address: (sandbox) => registry.proxyFor(sandbox),
    fail: (error) => log.error('Internal error on a connection', error),
    warn: (message) => log.warn(message),
  })
  const holdFile = new HoldFile(holdsIn(state))
  // Before anything is served: what an operator held is held over a restart.
  const operator = new Operator({
    holds: holdFile.read(),
    apply: (holds) => gateway.hold(holds),
    keep: (holds) => holdFile.write(holds),
    sandboxes: () => knownSandboxes(registry),
    hasAgent: (agent) => gateway.policy.agents.has(agent),
    audit,
    now: Date.now,
  })
  const drop = (sandbox: string) => {
    gateway.drop(sandbox)
    operator.forget(sandbox)
  }
  if (operator.holds.all) log.warn('An operator has stopped all sandboxes. Lift it with `egress start`')
  const listeners = await bindProxy()
  for (const listener of Object.values(listeners)) own.add((listener.address() as AddressInfo).port)
  if (both) gateway.serve({ ...(await bindDns()), ...listeners })
  else gateway.serveProxy(listeners)
  publishPolicy(loaded.text, policyIn(state))
  writeWholeFile(policySourceIn(state), io.env[POLICY_SOURCE] ?? '')
  const reload = reloading({ both, flags, io, settings, loaded, gateway, ...parts })
  const pods = await servePods({
    env: io.env,
    state,
    policy: () => gateway.policy,
    policyHash: () => reload.hash(),
    audit,
    operatorAdmits: (sandbox) => operator.admit(sandbox, 'token'),
    drop,
    log,
    now: Date.now,
  })
  registry.source = pods
  const stopWatch = pods === null ? null : watchPolicy(settings.policy, () => void reload.start())
  const context: AdminContext = {
    policy: () => gateway.policy,
    registry,
    audit,
    drop,
    now: Date.now,
    policyHash: () => reload.hash(),
  }
  const ended = new EndedSandboxes(endedIn(state), (id, exitCode) => endSandbox(id, exitCode, context))
  const ca = new X509Certificate(gateway.certificate)
  const caExpires = Date.parse(ca.validTo)
  const known = () => {
    ended.read()
    return knownSandboxes(registry, (id) => counts.of(id))
  }
  const admin = await openAdmin({
    parts,
    settings,
    policy: () => gateway.policy,
    policyHash: () => reload.hash(),
    isRejected: () => reload.isRejected(),
    usageOf: (id) => gateway.usageOf(id),
    sandboxes: () => withStates(knownSandboxes(registry), operator.holds),
    allStopped: () => operator.holds.all,
    checks: [
      { name: 'secrets', problem: () => secrets.problem() },
      caCheck(caExpires, Date.now),
      ...(both ? [] : [roleCheck('dns', resolverBeatIn(settings.auditDir), Date.now)]),
    ],
    ready: pods === null ? [] : [pods.check],
    caExpires,
    routes: [
      reloadRoute(() => reload.andWait()),
      summaryRoute(summaries, () => reload.inForce().quiet),
      ...approvalRoutes(() => gateway.approvals),
      ...pageRoutes({
        feed,
        budgets: () => gateway.leakBudgets(),
        async policy() {
          const { describePolicy } = await import('./check-report.js')
          return describePolicy(reload.inForce(), CREDENTIAL_KINDS, io.env)
        },
      }),
      ...sandboxRoutes({ ...context, operator, readEnded: () => ended.read() }),
      ...operatorRoutes(operator, known),
    ],
  })
  if (admin.port !== null) own.add(admin.port)
  const stopBeat = beat(proxyBeatIn(state))
  if (loaded.empty !== null) log.warn(nothingAllowed(loaded.file, loaded.empty))
  const ignored = ignoredProxies(io.env, loaded.policy.proxies)
  if (ignored !== null) log.warn(ignored)
  audit.process({ at: Date.now(), action: 'gateway-start', version: version(), policyHash: reload.hash() })
  log.info(`Ready: ${both ? 'resolver and proxy' : 'proxy'}`)
  setImmediate(() => gateway.warmUp())
  pruneCounters(gateway, registry)
  for (const { id } of registry.ofEarlierBoots(bootId())) endSandbox(id, null, context)
  reapStaleSandboxes(context)
  hangup.listen(() => void reload.start())
  await stop
  stopBeat()
  stopWatch?.()
  pods?.close()
  admin.close()
  ended.close()
  await gateway.close()
  recordStop(audit, reload.hash())
  audit.end()
  await parts.telemetry?.flush()
  return 0
}

/** Which directory of the host the policy is in; docker-compose.yml sets it. */
const POLICY_SOURCE = 'EGRESS_POLICY_DIR'

/**
 * Threat: a `docker compose up -d` in another shell, without the variable that names the policy's directory, replaces the
 * gateway by one that denies everything, without a word. A missing file after a policy is an error, as it is with a reload.
 *
 * @throws EgressError
 */
function refuseLostPolicy({ empty, file }: PolicyOnDisk, io: CommandIo): void {
  const state = stateDirectories(io.env)
  const before = readTextOrNull(policyIn(state)) ?? ''
  if (empty !== 'missing' || before === '') return
  const source = readTextOrNull(policySourceIn(state)) ?? ''
  const directory = source === '' || source === '.' ? 'its directory' : source
  throw new EgressError({
    code: 'EGRESS_POLICY_LOST',
    problem: `${file} is gone: this gateway had a policy when it last ran`,
    fix: `Put it back, or with Compose set ${POLICY_SOURCE} to ${directory}; to deny everything, create an empty egress.yaml`,
    exitCode: EXIT.failed,
  })
}

const namesOf = ({ secrets }: Policy) => [...new Set(secrets.map(({ secret }) => secret.name))]

interface Reloading extends RoleParts {
  /** Whether the resolver is in this process. */
  readonly both: boolean
  readonly flags: RoleFlags
  readonly io: CommandIo
  readonly settings: Settings
  /** The policy with which the gateway started. */
  readonly loaded: PolicyOnDisk
  readonly gateway: Gateway
}

/** Two ways to reload the policy: on a signal, and for `egress reload`, which waits for the result of both roles. */
function reloading(given: Reloading) {
  const {
    both,
    flags,
    io,
    settings,
    loaded: current,
    gateway,
    log,
    state,
    registry,
    audit,
    networks,
    secrets,
  } = given
  let inForce = current
  const reloader = new Reloader<PolicyOnDisk>({
    current,
    async load() {
      const loaded = await openPolicy(flags.policy, io, CREDENTIAL_KINDS)
      // A missing file is an error: it must not cut off all agents.
      if (loaded.empty === 'missing' && current.text !== null) throw noPolicy(loaded.file)
      return loaded
    },
    readText: () => readTextOrNull(settings.policy),
    prepare(loaded) {
      const known = withPlaceholders(networks, loaded.policy, state.shared)
      return () => {
        registry.replaceFixed(known)
        gateway.replace(loaded)
        registry.source?.policyReplaced()
        inForce = loaded
        secrets.loaded(namesOf(loaded.policy))
        publish(loaded.text)
        if (loaded.empty !== null) log.warn(nothingAllowed(loaded.file, loaded.empty))
        const { auditDir = settings.auditDir } = loaded.settings
        if (flags.auditDir === undefined && auditDir !== (current.settings.auditDir ?? settings.auditDir))
          log.warn('settings.audit_dir has changed. Restart the gateway to apply it')
        if (!isDeepStrictEqual(loaded.audit, current.audit))
          log.warn('audit has changed. Restart the gateway to apply it')
        const { logLevel = 'info' } = loaded.settings
        if (io.env[SETTING_VARIABLES.logLevel] === undefined && logLevel !== settings.logLevel)
          log.warn('settings.log_level has changed. Restart the gateway to apply it')
        log.info('Policy reloaded')
      }
    },
    audit,
    rejected(message) {
      io.stderr.write(message)
      log.error(NOT_RELOADED)
    },
    now: Date.now,
  })
  const publish = (text: string | null): void => {
    try {
      publishPolicy(text, policyIn(state))
    } catch (error) {
      log.error('Could not pass the policy to the resolver, so its previous policy stays in force', error)
    }
  }
  return {
    hash: () => reloader.hash,
    inForce: () => inForce,
    isRejected: () => reloader.isRejected,
    start: () => reloader.reload(),
    async andWait(): Promise<void> {
      const resolver = both ? null : watchResolver(settings.auditDir, () => reloader.hash)
      const outcome = await reloader.reload()
      if (!outcome.loaded) throw notReloaded(outcome)
      const said = await resolver?.(outcome.hash)
      if (said !== undefined && said !== 'loaded') throw notInResolver(said)
    },
  }
}

function notInResolver(said: 'rejected' | 'silent'): EgressError {
  return new EgressError({
    code: 'EGRESS_NOT_RELOADED',
    problem:
      said === 'rejected'
        ? 'The proxy reloaded the policy, but the resolver rejected it'
        : 'The proxy reloaded the policy, but the resolver did not confirm it',
    fix: 'Check the output of `docker compose logs dns`',
    exitCode: EXIT.failed,
  })
}

/** Otherwise a run that was killed during start-up would keep its subnet forever and would never get an end record. */
function reapStaleSandboxes(context: AdminContext): void {
  const end = () => {
    try {
      const own = new Set(Object.values(networkInterfaces()).flatMap((all) => all?.map((one) => one.address)))
      const stale = context.registry.stale(context.now() - STALE_MS, (address) => own.has(address))
      for (const { id } of stale) endSandbox(id, null, context)
    } catch {
      // The log cannot be written, or no file descriptors are left. Try again later.
    }
  }
  setInterval(end, REAP_MS).unref()
}

function nothingAllowed(file: string, empty: 'missing' | 'empty'): string {
  const place = `${file} is ${empty}, so everything is denied.`
  return `${place} Create a policy (with Compose: egress.yaml beside docker-compose.yml, see docs/docker.md), then run \`egress reload\``
}
