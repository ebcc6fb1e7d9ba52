import type { AgentRecipe } from '../agents/recipe.js'
import type { CommandIo } from '../common/io.js'
import { HoldFile } from '../control/hold-file.js'
import { stoppedError } from '../control/operator.js'
import { maskCommand } from './mask-command.js'
import { newSandboxId } from '../common/sandbox-id.js'
import { stateDirectory } from '../common/sandbox-writes.js'
import { runHoldsIn } from '../common/state.js'
import { DockerBackend, writeShown } from '../sandbox/backends/docker/backend.js'
import { emptyFileIn } from '../sandbox/backends/docker/clean-up.js'
import {
  agentImage,
  buildAgentImage,
  buildDefaultImage,
  checkEngine,
  engineVersion,
} from '../sandbox/backends/docker/engine.js'
import { openGateway, type FoundGateway, type Gateway } from '../sandbox/backends/docker/gateway.js'
import type { DockerHost } from '../sandbox/backends/docker/host.js'
import { RunNetwork } from '../sandbox/backends/docker/network.js'
import {
  DEFAULT_IMAGE,
  dockerError,
  dockerOptions,
  type DockerOptions,
} from '../sandbox/backends/docker/options.js'
import { hideForDocker, ORDINARY, planForDocker, viewForDocker } from '../sandbox/backends/docker/setting.js'
import { LocalHost } from '../sandbox/backends/docker/local-host.js'
import { setNewRepositoriesAside } from '../sandbox/new-repositories.js'
import { dockerSummary } from './docker-summary.js'
import { endNotes, hiddenNotes, LATE_FILES_NOTE } from './hiding-notes.js'
import { recordWrites } from './record-writes.js'
import { applyRecipe, environmentChanges } from './run-recipe.js'
import { Interruption } from './interruption.js'
import { parseEnvironment, requestOf, type RunOptions } from './options.js'
import { usage } from './usage.js'

/**
 * Runs a command in a container behind the gateway that Compose started. One flow, top to bottom: gateway, network,
 * engine, files, plan, container, clean-up.
 *
 * @returns the command's exit code (128 + n for signal n)
 */
export async function runDocker(
  command: readonly string[],
  options: RunOptions,
  io: CommandIo,
  host: DockerHost,
  found: Promise<FoundGateway>,
): Promise<number> {
  refuseNamespaceOptions(options)
  const { facts } = host
  if (options.tty && !facts.terminals.input)
    throw usage('--tty requires a terminal on standard input', 'Remove --tty')
  const terminal = options.tty || (facts.terminals.input && facts.terminals.output)
  const { recipe } = options
  if (options.home !== undefined && options.home !== false && !(host instanceof LocalHost))
    throw usage('--home needs Node.js on this host', 'Install Node.js 20.19 or later, or remove --home')
  const user = () => (facts.uid === 0 ? ORDINARY : null)
  const home = host instanceof LocalHost ? options.home : false
  const asked = requestOf(command, { ...options, home }, { cwd: io.cwd, terminal, user })
  const program = { path: recipe?.name ?? '', mounts: [] }
  const request = recipe === null ? asked : applyRecipe(asked, recipe, program)
  const changes = parseEnvironment(options.env)
  const docker = withAgentImage(dockerOptions(io.env, options), recipe)
  const say = (message: string) => void io.stderr.write(`egress: ${message}\n`)

  const gateway = await openGateway(host, await found, docker, say)
  const view = viewForDocker(request, host)
  const owner = await host.owner(facts.pid)
  if (owner === null)
    throw dockerError('Cannot determine when this process started', 'Mount /proc or install ps')
  const emptyFile = emptyFileIn(facts.directory)
  writeShown(emptyFile, '')
  const network = new RunNetwork(newSandboxId(), { host, gateway, options: docker, owner, emptyFile })
  const term = io.env['TERM'] ?? 'xterm'
  const backend = new DockerBackend({ host, options: docker, network, term, warn: say })
  const interruption = new Interruption(host)
  let code: number | null = null
  let endWritable = (): void => undefined
  let notes = (): string[] => []
  const since = Date.now()
  try {
    await interruption.orEnd(async () => {
      const connecting = network.connect(options.agent ?? '', {
        command: (command[0] ?? '').replace(/^.*\//, ''),
        start: {
          user: String(view.user.uid),
          image: docker.image,
          directory: view.trees.workdir,
          commandLine: maskCommand(command, []),
        },
        labels: options.labels,
      })
      const checked = checkHost(host, gateway, docker, recipe, say)
      // Mark both as handled: one may reject while the code below still awaits the other.
      for (const work of [connecting, checked]) work.catch(() => undefined)
      const policyDirectory = await checked
      const hidden = hideForDocker(view.trees, policyDirectory)
      await tellPolicy(host, view.trees.workdir, policyDirectory, io)
      const connection = await connecting
      // Of this user, although the gateway takes new sandboxes: it was not reached when all were stopped.
      if (host instanceof LocalHost && new HoldFile(runHoldsIn(stateDirectory())).read().all)
        throw stoppedError()
      const { user } = view
      const env = environmentChanges(recipe, request.workdir, connection.environment, changes)
      if (recipe !== null) checkServices(recipe, connection.environment, policyDirectory)
      const plan = planForDocker({ id: network.id, request, view: hidden, user, connection, env })
      // Where the program itself runs in a container, no other command of it runs on this host.
      const beginWritable = host instanceof LocalHost ? recordWrites(plan) : () => () => undefined
      notes = () => endNotes(plan, backend.hiddenLate, since, setNewRepositoriesAside(plan))
      const own = policyDirectory === null ? [] : [`${policyDirectory}/egress.yaml`]
      for (const line of [...view.notes, ...hiddenNotes(plan, own)]) say(line)
      say(LATE_FILES_NOTE)
      await backend.prepare(plan)
      endWritable = beginWritable()
    })
    backend.start()
    interruption.passOn((name) => backend.signal(name))
    code = await backend.wait()
    explainCode(code, docker.image, io)
    return code
  } finally {
    const asked = code === null ? null : dockerSummary(host, network.gateway, network.id, recipe?.quiet ?? [])
    await backend.end(code)
    endWritable()
    const summary = await asked
    for (const line of [...notes(), ...(summary === null ? [] : [summary])]) say(line)
  }
}

function refuseNamespaceOptions({ policy, auditDir, observe }: RunOptions): void {
  // Threat: a gateway that serves many sandboxes, and lets all of them reach everything because one is observed.
  if (observe)
    throw usage(
      '--observe requires the namespaces backend: with Docker the gateway is shared by all sandboxes',
      'Remove --observe, or add --backend namespaces',
    )
  const name = policy === undefined ? '--audit-dir' : '--policy'
  if (policy !== undefined || auditDir !== undefined)
    throw usage(
      `${name} requires the namespaces backend; with Docker the gateway has its own policy and audit log`,
      `Remove ${name}, or add --backend namespaces`,
    )
}

/**
 * Rejects an engine with a known vulnerability, and builds the default image if it is missing. Other images are pulled by
 * `docker run`, which reports its own errors.
 *
 * @returns the host directory of the gateway's policy, null if it is unknown
 */
async function checkHost(
  host: DockerHost,
  { proxy }: Gateway,
  options: DockerOptions,
  recipe: AgentRecipe | null,
  say: (message: string) => void,
): Promise<string | null> {
  const [version, { code, stdout }] = await Promise.all([
    engineVersion(host),
    // `index` takes containers and images alike.
    host.docker([
      ...['inspect', '--format'],
      '{{range index . "Mounts"}}{{if eq .Destination "/etc/egress"}}{{.Source}}{{end}}{{end}}',
      ...[proxy, options.image],
    ]),
  ])
  const warning = checkEngine(version, options.allowOldEngine)
  if (warning !== null) say(`WARNING: ${warning}`)
  if (code !== 0 && options.image === DEFAULT_IMAGE) await buildDefaultImage(host, options, say)
  if (code !== 0 && recipe !== null && options.image === agentImage(recipe.name))
    await buildAgentImage(host, recipe, options, say)
  return stdout.split('\n')[0] || null
}

/** A known agent has an image of its own, unless the user names one. */
function withAgentImage(options: DockerOptions, recipe: AgentRecipe | null): DockerOptions {
  const { image } = options
  return recipe === null || image !== DEFAULT_IMAGE ? options : { ...options, image: agentImage(recipe.name) }
}

/** Throws if the policy has no service that the agent could use: it would only say that it is not logged in. */
function checkServices(
  { name, title, services }: AgentRecipe,
  environment: Readonly<Record<string, string>>,
  policyDirectory: string | null,
): void {
  if (services.some(({ secret }) => environment[secret] !== undefined)) return
  const place = policyDirectory ?? "the directory of the gateway's policy"
  throw dockerError(
    `The gateway's policy has no service for ${title}`,
    `Run \`egress init --agent ${name}\` in ${place}, add ${services[0]?.secret ?? 'its key'} to egress.env there, then run: docker compose exec proxy egress reload`,
  )
}

/** Warns if the gateway has no policy, or if the work directory has a policy that is ignored. */
async function tellPolicy(
  host: DockerHost,
  workdir: string,
  policyDirectory: string | null,
  io: CommandIo,
): Promise<void> {
  if (policyDirectory === null) return
  const policy = `${policyDirectory}/egress.yaml`
  if (!(await host.isFile(policy)))
    io.stderr.write(
      `egress: WARNING: The gateway has no policy, so everything is denied\n  Create ${policy}, then run \`docker compose exec proxy egress reload\`\n`,
    )
  else if (policyDirectory !== workdir && (await host.isFile(`${workdir}/egress.yaml`)))
    io.stderr.write(
      `egress: NOTE: egress.yaml in this directory is ignored; with Docker the policy is ${policy}\n  To use it, add --backend namespaces\n`,
    )
}

/** Adds a fix to the exit codes of docker: 125 (no container), 126 (not executable) and 127 (not found). */
function explainCode(code: number, image: string, io: CommandIo): void {
  if (code === 125)
    io.stderr.write('egress: Could not start the container\n  Fix the error that docker printed above\n')
  if (code === 126 || code === 127)
    io.stderr.write(
      `egress: Exit code ${String(code)}: the command may be missing from image ${image} or not executable\n` +
        '  Use another image with --image, write the full path of the command, or make it executable (chmod +x)\n',
    )
}
