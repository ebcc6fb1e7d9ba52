import { agentHome, agentUser } from '../../etc-files.js'
import { quoteCommand, quoteWord } from '../../shell-quote.js'
import type { SandboxLimits } from '../../spec.js'

/** Absolute paths of the tools that start the agent: its own PATH must not choose what still runs with capabilities. */
export interface AgentTools {
  env: string
  prlimit: string
  setpriv: string
  setsid: string
}

export interface AgentScriptInput {
  command: readonly string[]
  workdir: string
  environment: Readonly<Record<string, string>>
  limits: SandboxLimits
  tools: AgentTools
  /** command prefix that installs the system call filter */
  filter: readonly string[]
  /** whether to leave the terminal that the launcher has; script(1) has given the agent one of its own already */
  leaveTerminal: boolean
}

/**
 * The script that becomes the agent. It may hold nothing that the agent must not know, since the agent can read it.
 * RLIMIT_NPROC counts per user namespace since Linux 5.14. RLIMIT_AS would stop every runtime that reserves address space
 * it never touches (Node, Go, the JVM), so memory is limited by RLIMIT_DATA.
 */
export function formatAgentScript({
  command,
  workdir,
  environment,
  limits,
  tools,
  ...rest
}: AgentScriptInput) {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
  const words = [
    ...(rest.leaveTerminal ? [tools.setsid] : []),
    ...[tools.prlimit, `--nproc=${limits.processes}`, `--data=${limits.memoryBytes}`],
    ...[`--nofile=${limits.openFiles}`, '--core=0', '--'],
    ...rest.filter,
    ...[
      tools.setpriv,
      '--no-new-privs',
      '--bounding-set=-all',
      '--inh-caps=-all',
      '--ambient-caps=-all',
      '--',
    ],
    // Last, because with LD_PRELOAD or PERL5OPT among them the agent's variables are code, and all before still has
    // capabilities.
    ...[tools.env, '-i', ...variables],
    ...command,
  ]
  return `cd ${quoteWord(workdir)} || exit 126\nexec ${quoteCommand(words)}\n`
}

/** What of the caller's environment is about its terminal and language, and nothing else. */
const harmlessVariables = /^(LANG|LANGUAGE|LC_[A-Z]+|TERM|COLORTERM|NO_COLOR|TZ)$/

export interface EnvironmentInput {
  caller: Readonly<Record<string, string | undefined>>
  product: Readonly<Record<string, string>>
  path: string
  shell: string
}

/** The agent's whole environment: nothing is inherited that is not named here. */
export function agentEnvironment({ caller, product, path, shell }: EnvironmentInput): Record<string, string> {
  const kept = Object.entries(caller).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && harmlessVariables.test(entry[0]),
  )
  return {
    ...Object.fromEntries(kept),
    ...{ PATH: path, HOME: agentHome, USER: agentUser, LOGNAME: agentUser, SHELL: shell },
    ...product,
  }
}
