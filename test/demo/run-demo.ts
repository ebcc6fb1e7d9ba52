import { randomBytes } from 'node:crypto'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ATTACKS, TABLE } from '../attacks/index.js'
import type { InsideReport } from '../attacks/brief.js'
import { evaluateRow, type HostObservation, type EvaluatedRow } from '../attacks/row.js'
import { launchMockServices, type World } from '../servers/launch.js'
import type { Records } from '../servers/messages.js'
import type { KnownSecret } from '../servers/known-secrets.js'
import { evaluateAgent } from './agent-check.js'
import { listenersAt, writeBrief } from './briefing.js'
import { NAMES } from './names.js'
import { demoPolicy } from './policy.js'
import { runInSandbox, type SandboxResult } from './product.js'
import { recordsDuring } from './records-during.js'
import { makeMarker, makeSecrets, secretPatternsOf } from './secrets.js'
import { renderFailures, renderTable, verdictWord, wantsColour } from './table.js'
import { hostAddress, startStack, type Stack } from './stack.js'
import { createWorkspace, type Workspace } from './workspace.js'
import { watchHost } from './host-watch.js'

/** Address of the metadata service, to which the owner of a name can resolve it. */
const HOSTILE_ADDRESSES = { [NAMES.metadata]: '169.254.169.254' }

export interface DemoOptions {
  readonly backend: 'docker' | 'namespaces'
  readonly json: boolean
  /** Ends the demo early; it removes everything that it created before it rejects. */
  readonly signal: AbortSignal
}

/** Runs the agent and the attacks and prints the table. True if every row passed. */
export async function runDemo({ backend, json, signal }: DemoOptions): Promise<boolean> {
  const say = json ? console.error : console.log
  const since = Date.now()
  const secrets = makeSecrets()
  const unixName = `egress-demo-${randomBytes(8).toString('hex')}`
  const host = backend === 'docker' ? await hostAddress() : null
  const world = await launchMockServices({
    ...{ secrets, unixName, addresses: HOSTILE_ADDRESSES },
    // On every address of the host: if a sandbox reaches one of them, the attack worked.
    ...(host === null ? {} : { host: '0.0.0.0', dnsHost: host }),
  })
  let workspace: Workspace | null = null
  let stack: Stack | null = null
  try {
    workspace =
      host !== null
        ? await createWorkspace(demoPolicy(world.ports, host), world.ca, { ...secrets })
        : await createWorkspace(demoPolicy(world.ports), world.ca)
    if (host !== null) {
      say('Starting the gateway in separate containers…\n')
      stack = await startStack(workspace)
    }
    const environment = { ...secrets }
    const sandbox = { ...workspace, environment, stack: stack?.environment ?? null, signal }
    say('The example agent, in its sandbox:\n')
    const agent = await runInSandbox({
      ...sandbox,
      command: ['node', workspace.agent],
      onLine: (line) => say(`  ${line}`),
    })
    if (agent.startMs === null) throw new Error(`the sandbox did not start (exit ${agent.exitCode})`)
    const agentFinding = evaluateAgent(agent, await world.records())
    const start = `${(agent.startMs / 1000).toFixed(2)} s from \`${host !== null ? 'sandbox-run' : 'egress run'}\` to its first instruction`
    say(`\n${verdictWord(agentFinding.passed)}  the agent did its work: ${agentFinding.evidence}\n${start}\n`)
    signal.throwIfAborted()

    say('The attacks, in another sandbox:\n')
    const rows = await attack({
      world,
      workspace,
      since,
      unixName,
      knownSecrets: secretPatternsOf(secrets),
      agent,
      sandbox,
      say,
    })
    const passed = agentFinding.passed && rows.every((row) => row.passed)
    if (json) {
      for (const row of rows) console.log(JSON.stringify(row))
      console.log(JSON.stringify({ id: 'summary', passed, agent: agentFinding, startMs: agent.startMs }))
    } else {
      say(renderTable(rows, wantsColour(process.stdout, process.env)))
      const failures = renderFailures(rows)
      if (failures !== '') say(`\n${failures}`)
      say(`\n${rows.filter((row) => row.passed).length} of ${rows.length} checks passed.`)
      const option = stack === null ? '' : ` --audit-dir ${await keepLog(stack)}`
      say(
        `Every query and request of these runs is in the audit log: \`egress logs dns${option}\`, \`egress logs http --denied${option}\`.`,
      )
    }
    return passed
  } finally {
    await world.close()
    await stack?.down()
    await workspace?.remove()
  }
}

/** The gateway's own log is gone with the gateway; returns the directory of a copy, which stays. */
async function keepLog(stack: Stack): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'egress-demo-log-'))
  await stack.saveLog(directory)
  return directory
}

interface AttackInput {
  readonly world: World
  readonly workspace: Workspace
  readonly since: number
  readonly unixName: string
  readonly knownSecrets: readonly KnownSecret[]
  readonly agent: SandboxResult
  readonly sandbox: Omit<Parameters<typeof runInSandbox>[0], 'command' | 'onLine'>
  readonly say: (line: string) => void
}

async function attack(input: AttackInput): Promise<EvaluatedRow[]> {
  const { world, workspace, since, unixName, knownSecrets, agent, sandbox, say } = input
  const markers = Object.fromEntries(TABLE.map(({ id }) => [id, makeMarker()]))
  const decoy = { file: 'decoy.txt', text: makeMarker() }
  const brief = writeBrief({
    ...{
      listeners:
        sandbox.stack === null ? listenersAt('127.0.0.1', '127.0.0.1') : listenersAt('egress-dns', 'egress'),
    },
    ...{ ports: world.ports, ca: world.ca },
    ...{ rows: ATTACKS.map(({ id }) => id), markers, knownSecrets, decoy, since, unixName },
    hidden: [workspace.policyPath, workspace.canaryPath],
  })
  await workspace.write(decoy.file, `${decoy.text}\n`)
  await workspace.write('brief.json', JSON.stringify(brief))
  const observe = watchHost(workspace, Object.values(markers))
  const reports = new Map<string, InsideReport>()
  const { output } = await runInSandbox({
    ...sandbox,
    command: ['node', workspace.attacks, 'brief.json'],
    onLine: (line) => {
      const report = readReport(line)
      if (report === null) {
        say(`  ${line}`)
        return
      }
      reports.set(report.row, report)
      if (process.stderr.isTTY)
        process.stderr.write(`\r\u001b[K  ${reports.size} of ${ATTACKS.length}: ${report.row}`)
    },
  })
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
  const whole = await world.records()
  const host = await observe()
  return evaluateAll({ reports, whole, host, knownSecrets, markers, output: agent.output + output })
}

function evaluateAll(seen: {
  readonly reports: ReadonlyMap<string, InsideReport>
  readonly whole: Records
  readonly host: HostObservation
  readonly knownSecrets: readonly KnownSecret[]
  readonly markers: Readonly<Record<string, string>>
  readonly output: string
}): EvaluatedRow[] {
  const { reports, whole, markers, ...rest } = seen
  return TABLE.map((row) => {
    const inside = reports.get(row.id) ?? null
    const marker = { name: 'the data', value: markers[row.id] ?? '', prefix: '' }
    return evaluateRow(row, { ...rest, inside, whole, marker, during: recordsDuring(whole, inside?.attack) })
  })
}

/** Null if the line is not a report, because a program inside may print anything. */
function readReport(line: string): InsideReport | null {
  try {
    const report = JSON.parse(line) as Partial<InsideReport> | null
    return typeof report?.row === 'string' && report.attack && report.control
      ? (report as InsideReport)
      : null
  } catch {
    return null
  }
}
