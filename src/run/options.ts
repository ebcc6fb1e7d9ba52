import { resolve } from 'node:path'
import type { AgentRecipe } from '../agents/recipe.js'
import type { EnvironmentChanges } from '../common/environment-changes.js'
import type { UnixUser } from '../sandbox/identity.js'
import type { SandboxLimits, SandboxRequest } from '../sandbox/spec.js'
import { openHome, PROJECT_HOME } from './home.js'
import { usage } from './usage.js'

/** The options of `egress run`. */
export interface RunOptions {
  readonly backend: string | undefined
  readonly agent: string | undefined
  readonly policy: string | undefined
  readonly auditDir: string | undefined
  readonly workdir: string | undefined
  /** default: what the recipe needs, otherwise false */
  readonly write: boolean | undefined
  /** a name or a path; false: in memory; default: the project's with a recipe, otherwise in memory */
  readonly home: string | false | undefined
  /** null: the command is run as it is */
  readonly recipe: AgentRecipe | null
  readonly mounts: readonly string[]
  readonly env: readonly string[]
  readonly limits: SandboxLimits
  readonly labels: readonly string[]
  readonly image: string | undefined
  readonly tty: boolean
  readonly allowOldEngine: boolean
  /** Hosts that the policy does not list pass without credentials. */
  readonly observe: boolean
}

/** The defaults; `limits` is the result of `parseLimits([])`. */
export const noOptions = (limits: SandboxLimits): RunOptions => ({
  backend: undefined,
  agent: undefined,
  policy: undefined,
  auditDir: undefined,
  workdir: undefined,
  write: undefined,
  home: undefined,
  recipe: null,
  mounts: [],
  env: [],
  limits,
  labels: [],
  image: undefined,
  tty: false,
  allowOldEngine: false,
  observe: false,
})

export interface RequestSetting {
  readonly cwd: string
  readonly terminal: boolean
  /** the sandbox's user for a work directory, if it is not the caller */
  readonly user: (workdir: string) => UnixUser | null
}

/** The options that describe the sandbox itself, with absolute paths. Creates the home directory if it stays. */
export function requestOf(
  command: readonly string[],
  options: RunOptions,
  { cwd, terminal, user }: RequestSetting,
): SandboxRequest {
  const { recipe, write = recipe !== null, home: named = recipe !== null && PROJECT_HOME } = options
  const workdir = resolve(cwd, options.workdir ?? '.')
  const home = named === false ? null : openHome({ named, cwd, workdir, user: user(workdir) })
  return {
    command,
    workdir,
    writable: write,
    mounts: [
      ...options.mounts.map((text) => parseMount(text, cwd)),
      ...(home === null ? [] : [{ path: home, writable: true }]),
    ],
    home,
    seeds: {},
    limits: options.limits,
    terminal,
  }
}

/** `PATH` or `PATH:rw`. */
function parseMount(text: string, cwd: string): { path: string; writable: boolean } {
  const path = text.replace(/:r[ow]$/, '')
  // `--mount "$UNSET:rw"` would be the work directory, writable.
  if (path === '')
    throw usage(
      `--mount \`${text}\` has no path`,
      'Write a path, such as --mount ~/data or --mount ~/data:rw',
    )
  return { path: resolve(cwd, path), writable: text.endsWith(':rw') }
}

/** The variables of `--env NAME=VALUE`, and those to remove of `--env -NAME`. */
export function parseEnvironment(pairs: readonly string[]): EnvironmentChanges {
  return Object.fromEntries(
    pairs.map((pair): [string, string | null] => {
      const [, removed] = /^-([A-Za-z_][A-Za-z0-9_]*)$/.exec(pair) ?? []
      if (removed !== undefined) return [removed, null]
      const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(pair)
      if (match === null)
        throw usage(
          `Invalid --env value \`${pair.split('=')[0] ?? ''}\``,
          'Use NAME=VALUE, such as --env DEBUG=1, or -NAME to remove a variable',
        )
      return [match[1] ?? '', match[2] ?? '']
    }),
  )
}

/** Signals that are passed to the agent; the run ends when the agent does. */
export const FORWARDED: readonly NodeJS.Signals[] = [
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
]
