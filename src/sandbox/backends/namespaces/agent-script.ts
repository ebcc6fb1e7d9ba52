import { agentHome, agentUser } from '../../etc-files.js'
import { quoteCommand, quoteWord } from '../../shell-quote.js'
import type { SandboxLimits } from '../../spec.js'

/** Absolute paths of the tools that start the agent. They run with capabilities, so the agent's PATH must not choose them. */
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
  /** whether to leave the launcher's terminal; false if script(1) has given the agent its own */
  leaveTerminal: boolean
}

/**
 * The script that becomes the agent. The agent can read it, so it must not contain a secret. RLIMIT_NPROC counts per user
 * namespace since Linux 5.14. Memory is limited by RLIMIT_DATA: RLIMIT_AS would stop every runtime that reserves address space
 * without using it (Node, Go, the JVM).
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
    // Last: the agent's variables can be code (LD_PRELOAD, PERL5OPT), and the tools before still have capabilities.
    ...[tools.env, '-i', ...variables],
    ...command,
  ]
  return `cd ${quoteWord(workdir)} || exit 126\nexec ${quoteCommand(words)}\n`
}

/** The caller's variables for terminal and language. No others are passed on. */
const harmlessVariables = /^(LANG|LANGUAGE|LC_[A-Z]+|TERM|COLORTERM|NO_COLOR|TZ)$/

export interface EnvironmentInput {
  caller: Readonly<Record<string, string | undefined>>
  product: Readonly<Record<string, string>>
  path: string
  shell: string
}

/** The complete environment of the agent. */
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
