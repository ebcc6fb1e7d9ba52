import { loadPolicy, type LoadedPolicy } from '#config/load.js'
import { readSettings } from '#config/settings.js'
import { NO_HOLDS } from '#firewall/contracts/holds.js'
import { PolicyEngine } from '#firewall/policy-engine/policy-engine.js'
import { Ledger } from '#firewall/ledger/ledger.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { beat, roleCheck } from '../control/heartbeat.js'
import { withStates } from '../control/operator-routes.js'
import { HoldFile } from '../control/hold-file.js'
import { reloadRoute } from '../control/reload.js'
import { summaryRoute } from '../control/summary-route.js'
import { serveDns } from '../gateway/serve-dns.js'
import { createResolverSnapshot } from '../gateway/resolver-snapshot.js'
import { nextVersion, readTextOrNull } from '../serve/published-policy.js'
import { Reloader } from '../serve/reloader.js'
import { knownSandboxes } from '../serve/sandbox-admin.js'
import { bindDns } from '../serve/sockets.js'
import { holdsIn, policyIn, proxyBeatIn, resolverBeatIn } from '../common/state.js'
import { version } from '../common/version.js'
import type { CommandIo } from '../common/io.js'
import { policyFile } from '../common/policy-file.js'
import { openAdmin } from './serve-admin.js'
import {
  hangups,
  NOT_RELOADED,
  notReloaded,
  openRole,
  pruneCounters,
  recordStop,
  stopSignal,
  type RoleFlags,
} from './serve-parts.js'

/**
 * Serves the resolver only. It has no upstream and no secret. It reads its policy from the proxy, and loads each new version
 * as soon as it appears.
 */
export async function serveResolver(flags: RoleFlags, io: CommandIo): Promise<number> {
  const settings = readSettings({ flags, env: io.env, cwd: io.cwd })
  const parts = openRole(['dns'], settings, io, null, {})
  const { log, state, registry, audit, summaries } = parts
  const file = flags.policy === undefined ? policyIn(state) : policyFile(flags.policy, io)
  const hangup = hangups()
  const stopped = new AbortController()
  const stop = stopSignal().finally(() => stopped.abort())
  const versionAfter = (known: string | null) =>
    nextVersion(file, known, stopped.signal).catch(() => undefined)
  const first = await versionAfter(null)
  if (first === undefined) return 0
  const load = () => loadPolicy(file, { kinds: CREDENTIAL_KINDS, env: {}, cwd: io.cwd, withSecrets: false })
  const ledger = new Ledger()
  const snapshotOf = ({ policy }: LoadedPolicy) =>
    createResolverSnapshot(policy, {
      policyEngine: new PolicyEngine(policy),
      limits: policy.dns.nameLimits,
      budget: ledger.names,
      holds: NO_HOLDS,
    })
  const current = await load()
  let { policy } = current
  let snapshot = snapshotOf(current)
  const reloader = new Reloader({
    current,
    load,
    readText: () => readTextOrNull(file),
    prepare(loaded: LoadedPolicy) {
      const next = snapshotOf(loaded)
      return () => {
        snapshot = next
        policy = loaded.policy
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
  // The proxy writes it. Asked for each query, so that a hold is in force in both roles at once.
  const holdFile = new HoldFile(holdsIn(state))
  const heldSnapshot = () => {
    const holds = holdFile.read()
    if (snapshot.namePolicy.holds !== holds)
      snapshot = { ...snapshot, namePolicy: { ...snapshot.namePolicy, holds } }
    return snapshot
  }
  const dns = serveDns(await bindDns(), {
    snapshot: () => heldSnapshot(),
    queries: ledger.queries,
    identify: (peer) => registry.identify(peer),
    address: (sandbox) => registry.proxyFor(sandbox),
    record: audit.dns,
    fail: (error) => log.error('Internal error on a DNS query', error),
  })
  const admin = await openAdmin({
    parts,
    settings,
    policy: () => policy,
    policyHash: () => reloader.hash,
    isRejected: () => reloader.isRejected,
    usageOf: (id) => ledger.usageOf(id),
    sandboxes: () => withStates(knownSandboxes(registry), holdFile.read()),
    allStopped: () => holdFile.read().all,
    checks: [roleCheck('proxy', proxyBeatIn(state), Date.now)],
    caExpires: null,
    routes: [
      // The proxy knows the policy's `quiet`.
      summaryRoute(summaries, () => []),
      reloadRoute(async () => {
        const outcome = await reloader.reload()
        if (!outcome.loaded) throw notReloaded(outcome)
      }),
    ],
  })
  audit.process({ at: Date.now(), action: 'gateway-start', version: version(), policyHash: reloader.hash })
  const stopBeat = beat(resolverBeatIn(settings.auditDir))
  log.info('Ready: resolver')
  pruneCounters(ledger, registry)
  hangup.listen(() => void reloader.reload())
  const following = followPolicy(first, versionAfter, reloader)
  await stop
  await following
  stopBeat()
  admin.close()
  dns.close()
  recordStop(audit, reloader.hash)
  audit.end()
  return 0
}

/** Reloads each new version, until `version` resolves with undefined. */
async function followPolicy(
  first: string,
  version: (known: string) => Promise<string | undefined>,
  reloader: Pick<Reloader<LoadedPolicy>, 'reload'>,
): Promise<void> {
  for (let seen = await version(first); seen !== undefined; seen = await version(seen)) {
    await reloader.reload()
  }
}
