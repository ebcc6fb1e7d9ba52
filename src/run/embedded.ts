import { DOTENV_FILES } from '#config/secrets/dotenv.js'
import { existsSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { isatty } from 'node:tty'
import type { Server as TcpServer } from 'node:net'
import type { Socket as UdpSocket } from 'node:dgram'
import { ignoredProxies } from '#config/hosts/upstream-proxy.js'
import { readSettings } from '#config/settings.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Policy } from '#firewall/contracts/policy.js'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { readAuditSettings } from '#config/audit-settings.js'
import { Audit } from '../audit/audit.js'
import { openAuditKey } from '../audit/audit-key.js'
import { maskCommand } from './mask-command.js'
import { policyHash } from '../serve/policy-hash.js'
import { chooseAgent } from '../common/choose-agent.js'
import { GATEWAY_HOST, makePlaceholders, PORTS, sandboxEnvironment } from '../common/environment.js'
import type { Gateway, GatewayOptions, GatewaySockets } from '../gateway/gateway.js'
import { tuneGarbageCollector } from '../gateway/gc-tuning.js'
import { LateGateway } from '../gateway/late-gateway.js'
import { LOOPBACK_ADDRESS } from '../common/own-names.js'
import { SandboxCounts } from '../control/sandbox-counts.js'
import { createLog } from '../common/log.js'
import { auditKeyDirectory, stateDirectory } from '../common/sandbox-writes.js'
import { newSandboxId } from '../common/sandbox-id.js'
import { closeInheritedDescriptors } from '../sandbox/descriptors.js'
import { NamespacesBackend } from '../sandbox/backends/namespaces/backend.js'
import { agentHome } from '../sandbox/etc-files.js'
import { planNamespaces, systemTrees } from '../sandbox/backends/namespaces/setting.js'
import { chooseUser, type UnixUser } from '../sandbox/identity.js'
import type { CommandIo } from '../common/io.js'
import { isNamed, noPolicy, openPolicy, policyFile, type PolicyOnDisk } from '../common/policy-file.js'
import { RunSummary } from '../logs/run-summary.js'
import { setNewRepositoriesAside } from '../sandbox/new-repositories.js'
import { locateAgent } from './agent-program.js'
import { endNotes, hiddenNotes } from './hiding-notes.js'
import { operateRun, stoppedByOperator } from './operated-run.js'
import { ObservedHosts, observeWarning } from './observe.js'
import { recordWrites } from './record-writes.js'
import { homeTrustFiles, trustFiles } from '../trust/trust-files.js'
import { applyRecipe, environmentChanges, ownPolicy, explainOwnPolicy, quietHosts } from './run-recipe.js'
import { refuseWritable } from './trusted-files.js'
import { quoteWord } from '../sandbox/shell-quote.js'
import { openTelemetry } from '../telemetry/telemetry-sink.js'
import { FORWARDED, parseEnvironment, requestOf, type RunOptions } from './options.js'

/**
 * Runs a command in a sandbox behind its own gateway. One flow, top to bottom: policy, sandbox, gateway, serve, start,
 * wait, close.
 *
 * @returns the command's exit code (128 + n for signal n)
 */
export async function runEmbedded(
  command: readonly string[],
  options: RunOptions,
  io: CommandIo,
): Promise<number> {
  closeInheritedDescriptors()
  const {
    policy,
    sensitiveFiles,
    trustedFiles,
    refresher,
    settings: file,
    quiet,
    empty,
    ...loaded
  } = await openOrMakePolicy(options, io)
  const flags = { policy: options.policy, auditDir: options.auditDir }
  const settings = readSettings({ flags, env: io.env, cwd: io.cwd, file })
  const log = createLog(settings.logLevel, (line) => io.stderr.write(line))
  const { recipe } = options
  if (empty === 'missing' && isNamed(options.policy, io)) throw noPolicy(loaded.file)
  if (empty !== null)
    log.warn(`${loaded.file} is ${empty}, so everything is denied. Create a policy with \`egress init\``)
  const ignored = ignoredProxies(io.env, policy.proxies)
  if (ignored !== null) log.warn(ignored)
  const identity = identify(options, policy)
  const asked = requestOf(command, options, { cwd: io.cwd, terminal: isatty(0) && isatty(1), user: userFor })
  const agent = recipe === null ? null : locateAgent(recipe, process.env['PATH'] ?? '', systemTrees())
  const request = recipe === null || agent === null ? asked : applyRecipe(asked, recipe, agent)
  const writable = [
    ...(request.writable ? [request.workdir] : []),
    ...request.mounts.flatMap((mount) => (mount.writable ? [mount.path] : [])),
  ]
  refuseWritable(trustedFiles, writable)
  const beside = DOTENV_FILES.map((name) => join(dirname(loaded.file), name))
  const policies = [loaded.file, ...beside].map((path) => resolve(io.cwd, path))
  const keyDirectory = auditKeyDirectory(io.env)
  const kept = readAuditSettings(io.env, loaded.audit)
  const directory = join(settings.auditDir, 'runs', runName(identity.id))
  const summary = new RunSummary([...quiet, ...quietHosts(recipe?.quiet)])
  const counts = new SandboxCounts()
  const observed = options.observe ? new ObservedHosts() : null
  const telemetry = openTelemetry(io.env, (message) => log.warn(message))
  const audit = new Audit({
    directory,
    gateway: identity.id,
    now: Date.now,
    onChange: (message) => log.error(message),
    whenLost: settings.auditLost,
    key: openAuditKey(keyDirectory),
    sinks: [
      summary,
      counts,
      ...(observed === null ? [] : [observed]),
      ...(telemetry === null ? [] : [telemetry]),
    ],
  })
  let making: Promise<CertificateAuthority> | null = null
  const authority = () => (making ??= CertificateAuthority.create(Date.now()))
  const files = async () => {
    const { pem } = await authority()
    const inMemory = request.home === null ? homeTrustFiles(pem, agentHome) : {}
    return { ...trustFiles(pem, Date.now()), ...inMemory }
  }
  const env = sandboxEnvironment(policy, identity, [LOOPBACK_ADDRESS])
  const { plan, warnings, notes } = await planNamespaces(identity.id, {
    ...request,
    masked: [...sensitiveFiles, settings.auditDir, stateDirectory(), keyDirectory],
    policies,
    env,
    changes: environmentChanges(recipe, request.workdir, env, parseEnvironment(options.env)),
    listen: [
      { name: 'dnsUdp', kind: 'udp', port: PORTS.dns },
      { name: 'dnsTcp', kind: 'tcp', port: PORTS.dns },
      { name: 'http', kind: 'tcp', port: PORTS.http },
      { name: 'https', kind: 'tcp', port: PORTS.https },
      { name: 'forward', kind: 'tcp', port: PORTS.forward },
      { name: 'reverse', kind: 'tcp', port: PORTS.reverse },
    ],
    hosts: { [GATEWAY_HOST]: '127.0.0.1' },
  })
  const sandbox = new NamespacesBackend(files, (message) => log.warn(message))
  await sandbox.sweep()
  let running: Gateway | null = null
  const operated = await operateRun({
    sandbox: identity,
    command: command[0] ?? '',
    audit,
    counts,
    stateDirectory: stateDirectory(),
    end: () => void sandbox.end(),
    async routes() {
      const { approvalRoutes } = await import('../approvals/routes.js')
      return approvalRoutes(() => running?.approvals ?? null)
    },
    warn: (message) => log.warn(message),
    fail: (error) => log.error('Internal error on the admin socket', error),
  }).catch((error: unknown) => {
    audit.end()
    throw error
  })
  let gateway: LateGateway | null = null
  const tell = (line: string) => void io.stderr.write(`egress: ${line}\n`)
  const since = Date.now()
  const beginWritable = recordWrites(plan)
  let endWritable = (): void => undefined
  try {
    await sandbox.prepare(plan)
    endWritable = beginWritable()
    for (const warning of warnings) log.warn(warning)
    for (const line of [...notes, ...hiddenNotes(plan, [resolve(io.cwd, loaded.file)])]) tell(line)
    if (observed !== null) tell(observeWarning())
    const ca = await authority()
    const fail = (error: unknown) => log.error('Internal error on a connection', error)
    const warn = (message: string) => log.warn(message)
    const who = { audit, ca, identify: () => identity, address: { ipv4: '127.0.0.1', ipv6: null } }
    let broken: { readonly error: unknown } | null = null
    gateway = new LateGateway({
      sockets: socketsOf(sandbox),
      async load() {
        running = await loadGateway({ policy, refresher, fail, warn, observe: options.observe, ...who })
        operated.attach(running)
        return running
      },
      failed: (error) => {
        broken = { error }
        void sandbox.end()
      },
    })
    const event = { sandbox: identity, command: command[0] ?? '', exitCode: null }
    const start = {
      user: String(plan.user.uid),
      image: null,
      directory: plan.workdir,
      commandLine: maskCommand(
        command,
        policy.secrets.map(({ secret }) => secret),
      ),
      policyHash: policyHash(loaded.text),
    }
    audit.sandbox({ ...event, at: Date.now(), action: 'sandbox-start', start })
    forwardSignals(sandbox, (message) => log.warn(message))
    sandbox.start()
    gateway.start()
    const code = await sandbox.wait()
    throwIf(broken)
    audit.sandbox({ ...event, at: Date.now(), action: 'sandbox-end', exitCode: code })
    if (operated.isStopped) throw stoppedByOperator()
    return code
  } finally {
    operated.close()
    await sandbox.end()
    endWritable()
    try {
      const repositories = setNewRepositoriesAside(plan)
      for (const line of endNotes(plan, sandbox.hiddenLate, since, repositories)) tell(line)
    } finally {
      await gateway?.close()
      audit.end()
      await telemetry?.flush()
    }
    if (kept.keepMs !== null || kept.maxBytes !== null || kept.compress !== 'none') {
      const { Retention } = await import('../audit/retention.js')
      const warn = (message: string) => log.warn(message)
      await new Retention({ ...kept, directory: settings.auditDir, now: Date.now, warn }).look()
    }
    const refused = summary.line()
    if (refused !== null) tell(`${refused}: ${logsCommand(options, identity.id)}`)
    if (observed !== null) tell(`${observed.line()}: ${suggestCommand(options, identity.id)}`)
  }
}

/** The policy; without one, that of the recipe. */
async function openOrMakePolicy({ policy, recipe }: RunOptions, io: CommandIo): Promise<PolicyOnDisk> {
  const isMade =
    recipe !== null && !isNamed(policy, io) && !existsSync(resolve(io.cwd, policyFile(policy, io)))
  if (!isMade) return openPolicy(policy, io, CREDENTIAL_KINDS)
  try {
    const opened = await openPolicy(policy, io, CREDENTIAL_KINDS, true, ownPolicy(recipe, io.env))
    io.stderr.write(
      `egress: No ${opened.file} here: ${recipe.title} gets what it needs, and nothing else (\`egress init --agent ${recipe.name}\` writes it down)\n`,
    )
    return opened
  } catch (error) {
    throw explainOwnPolicy(recipe, error)
  }
}

/** The user of a sandbox that root starts. */
function userFor(workdir: string): UnixUser | null {
  const owner = statSync(workdir, { throwIfNoEntry: false }) ?? { uid: 0, gid: 0 }
  const { SUDO_UID: sudoUid, SUDO_GID: sudoGid } = process.env
  return chooseUser({ uid: process.getuid?.() ?? 0, sudoUid, sudoGid, owner })
}

/** In this order, because V8 takes no stored code any more once its options have changed. */
async function loadGateway(options: GatewayOptions): Promise<Gateway> {
  const { Gateway } = await import('../gateway/gateway.js')
  const gateway = await Gateway.create(options)
  setImmediate(() => {
    gateway.warmUp()
    tuneGarbageCollector()
  })
  return gateway
}

/** A function, because assignments in callbacks are unknown to the compiler. */
function throwIf(broken: { readonly error: unknown } | null): void {
  if (broken !== null) throw broken.error
}

/** What shows the refusals of this run. */
function logsCommand({ auditDir }: RunOptions, id: string): string {
  return `egress logs --denied --sandbox ${id}${auditDir === undefined ? '' : ` --audit-dir ${quoteWord(auditDir)}`}`
}

/** What shows the policy that an observed run needs. */
function suggestCommand({ auditDir }: RunOptions, sandbox: string): string {
  return `egress suggest --sandbox ${sandbox}${auditDir === undefined ? '' : ` --audit-dir ${quoteWord(auditDir)}`}`
}

function identify(
  { agent: named, labels }: Pick<RunOptions, 'agent' | 'labels'>,
  policy: Policy,
): RegisteredSandbox {
  const agent = chooseAgent(named, policy.agents)
  return { id: newSandboxId(), agent, labels, placeholders: makePlaceholders(policy, agent) }
}

/** A directory name that sorts by start time. */
function runName(id: string): string {
  return `${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}-${id}`
}

function socketsOf({ sockets }: NamespacesBackend): GatewaySockets {
  const tcp = (name: string) => sockets.get(name) as TcpServer
  return {
    dnsUdp: sockets.get('dnsUdp') as UdpSocket,
    dnsTcp: tcp('dnsTcp'),
    http: tcp('http'),
    https: tcp('https'),
    forward: tcp('forward'),
    reverse: tcp('reverse'),
  }
}

function forwardSignals(sandbox: NamespacesBackend, warn: (message: string) => void): void {
  for (const signal of FORWARDED) if (signal !== 'SIGHUP') process.on(signal, () => sandbox.signal(signal))
  const hasTerminal = () => [0, 1, 2].some((descriptor) => isatty(descriptor))
  const hadTerminal = hasTerminal()
  process.on('SIGHUP', () => {
    if (hadTerminal && !hasTerminal()) sandbox.signal('SIGHUP')
    // A reloaded policy could refer to secret files that are already visible in the running sandbox.
    else warn('SIGHUP has no effect: a run keeps the policy that it was started with')
  })
}
