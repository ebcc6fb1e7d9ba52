import { gatherHostFacts, type HostFacts } from './host-facts.js'
import { SandboxError } from '../../sandbox-error.js'

/** One reason why a host cannot build a sandbox. */
interface Obstacle {
  code: `EGRESS_SANDBOX_${string}`
  applies: (facts: HostFacts) => boolean
  problem: (facts: HostFacts) => string
  fix: string
}

const orDocker = 'or use the Docker launcher'

/** In the order in which they are to be reported: the first that applies explains those after it. */
export const obstacles: readonly Obstacle[] = [
  {
    code: 'EGRESS_SANDBOX_PLATFORM',
    applies: ({ platform }) => platform !== 'linux',
    problem: ({ platform }) => `namespaces exist on Linux only, and this is ${platform}`,
    fix: 'start Docker and use the Docker launcher',
  },
  {
    code: 'EGRESS_SANDBOX_ARCHITECTURE',
    applies: ({ architecture }) => architecture !== 'x64' && architecture !== 'arm64',
    problem: ({ architecture }) => `there is no system call filter for ${architecture}`,
    fix: 'use the Docker launcher',
  },
  {
    code: 'EGRESS_SANDBOX_TOOLS',
    applies: ({ missingTools }) => missingTools.length > 0,
    problem: ({ missingTools }) => `not found in the system directories: ${missingTools.join(', ')}`,
    fix: 'install the packages util-linux, mount and coreutils (busybox alone is not enough)',
  },
  {
    code: 'EGRESS_SANDBOX_TOOLS',
    applies: ({ hasInterpreter }) => !hasInterpreter,
    problem: () => 'neither perl nor python3 is there to install the system call filter',
    fix: 'install perl (Debian: perl-base) or python3 system-wide',
  },
  {
    code: 'EGRESS_SANDBOX_USERNS',
    applies: ({ maxUserNamespaces }) => maxUserNamespaces === null,
    problem: () => 'this kernel has no user namespaces, or /proc/sys is hidden',
    fix: `use a kernel with CONFIG_USER_NS, ${orDocker}`,
  },
  {
    code: 'EGRESS_SANDBOX_USERNS',
    applies: ({ maxUserNamespaces }) => maxUserNamespaces === 0,
    problem: () => 'user namespaces are switched off: user.max_user_namespaces is 0',
    fix: `run: sudo sysctl -w user.max_user_namespaces=15000 (keep it in /etc/sysctl.d), ${orDocker}`,
  },
  {
    code: 'EGRESS_SANDBOX_USERNS',
    applies: ({ usernsClone }) => usernsClone === 0,
    problem: () => 'ordinary users may not make user namespaces: kernel.unprivileged_userns_clone is 0',
    fix: `run: sudo sysctl -w kernel.unprivileged_userns_clone=1 (keep it in /etc/sysctl.d), ${orDocker}`,
  },
  {
    code: 'EGRESS_SANDBOX_APPARMOR',
    applies: ({ apparmorRestriction }) => apparmorRestriction === 1,
    problem: () =>
      'AppArmor takes the rights away from user namespaces of ordinary users: kernel.apparmor_restrict_unprivileged_userns is 1',
    fix: `run: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu 23.10 and later), ${orDocker}`,
  },
  {
    code: 'EGRESS_SANDBOX_PROC',
    applies: ({ procOvermounts }) => procOvermounts.length > 0,
    problem: ({ procOvermounts }) =>
      `parts of /proc are hidden (${procOvermounts[0] ?? ''}), as in a container, so the kernel refuses a new one`,
    fix: 'run on the host itself, or start this container with --security-opt systempaths=unconfined',
  },
]

/** The first obstacle that these facts show, null if there is none. */
export function diagnoseHost(facts: HostFacts): SandboxError | null {
  const found = obstacles.find(({ applies }) => applies(facts))
  return found ? new SandboxError(found.code, found.problem(facts), found.fix) : null
}

/** Whether this host can build a sandbox, as far as that can be seen without trying. */
// eslint-disable-next-line @typescript-eslint/require-await -- callers are not to depend on how the facts are gathered
export async function checkHost(): Promise<SandboxError | null> {
  return diagnoseHost(gatherHostFacts())
}

/** What the tools say when a step fails, and what that means. */
const failures: readonly { said: RegExp; problem: string; fix: string }[] = [
  {
    said: /unshare failed: Operation not permitted/,
    problem: 'the kernel does not let this process make namespaces',
    fix: 'in a container, add --security-opt seccomp=unconfined (Docker forbids it by default); elsewhere see the security module',
  },
  {
    said: /unshare failed: (No space left on device|Too many users)/,
    problem: 'there are too many user namespaces, or none are allowed at this depth',
    fix: 'raise user.max_user_namespaces, and do not start one sandbox inside another',
  },
  {
    said: /uid_map|write failed .*map/,
    problem: 'the kernel does not let this process map its user id',
    fix: 'AppArmor and Docker forbid it in some settings: run on the host itself, as an ordinary user',
  },
  {
    said: /Address already in use/i,
    problem: 'two of the sockets asked for have the same port',
    fix: 'give each its own',
  },
]

/** Why the sandbox was not built, out of what the tools wrote. */
export function explainFailure(said: string): SandboxError {
  const known = failures.find((failure) => failure.said.test(said))
  const detail = said.trim().split('\n').slice(-3).join('; ') || 'a process of the sandbox was killed'
  return new SandboxError(
    'EGRESS_SANDBOX_SETUP',
    `${known?.problem ?? 'the sandbox could not be built'} (${detail})`,
    known?.fix ?? 'a security module or container may forbid this step; the Docker launcher does without it',
  )
}
