import { gatherHostFacts, type HostFacts } from './host-facts.js'
import { SandboxError } from '../../sandbox-error.js'

/** One reason why a host cannot build a sandbox. */
interface Obstacle {
  code: `EGRESS_SANDBOX_${string}`
  applies: (facts: HostFacts) => boolean
  problem: (facts: HostFacts) => string
  fix: string
}

const orDocker = 'or run `./sandbox-run --backend docker -- command`'

/** In order of reporting: the first that applies may cause those after it. */
export const obstacles: readonly Obstacle[] = [
  {
    code: 'EGRESS_SANDBOX_PLATFORM',
    applies: ({ platform }) => platform !== 'linux',
    problem: ({ platform }) => `The namespaces backend requires Linux, and this is ${platform}`,
    fix: 'Start Docker and run `./sandbox-run --backend docker -- command`',
  },
  {
    code: 'EGRESS_SANDBOX_ARCHITECTURE',
    applies: ({ architecture }) => architecture !== 'x64' && architecture !== 'arm64',
    problem: ({ architecture }) => `The system call filter does not support ${architecture}`,
    fix: 'Start Docker and run `./sandbox-run --backend docker -- command`',
  },
  {
    code: 'EGRESS_SANDBOX_TOOLS',
    applies: ({ missingTools }) => missingTools.length > 0,
    problem: ({ missingTools }) => `Not found in the system directories: ${missingTools.join(', ')}`,
    fix: 'Install the packages util-linux, mount and coreutils (busybox alone is not enough)',
  },
  {
    code: 'EGRESS_SANDBOX_TOOLS',
    applies: ({ hasInterpreter }) => !hasInterpreter,
    problem: () => 'Cannot install the system call filter: neither perl nor python3 found',
    fix: 'Install perl (Debian: perl-base) or python3 system-wide',
  },
  {
    code: 'EGRESS_SANDBOX_USERNS',
    applies: ({ maxUserNamespaces }) => maxUserNamespaces === null,
    problem: () => 'This kernel has no user namespaces, or /proc/sys is hidden',
    fix: `Use a kernel with CONFIG_USER_NS, ${orDocker}`,
  },
  {
    code: 'EGRESS_SANDBOX_USERNS',
    applies: ({ maxUserNamespaces }) => maxUserNamespaces === 0,
    problem: () => 'User namespaces are disabled: user.max_user_namespaces is 0',
    fix: `Run: sudo sysctl -w user.max_user_namespaces=15000 (keep it in /etc/sysctl.d), ${orDocker}`,
  },
  {
    code: 'EGRESS_SANDBOX_USERNS',
    applies: ({ usernsClone }) => usernsClone === 0,
    problem: () => 'Ordinary users cannot create user namespaces: kernel.unprivileged_userns_clone is 0',
    fix: `Run: sudo sysctl -w kernel.unprivileged_userns_clone=1 (keep it in /etc/sysctl.d), ${orDocker}`,
  },
  {
    code: 'EGRESS_SANDBOX_APPARMOR',
    applies: ({ apparmorRestriction }) => apparmorRestriction === 1,
    problem: () =>
      'AppArmor restricts user namespaces of ordinary users: kernel.apparmor_restrict_unprivileged_userns is 1',
    fix: `Run: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu 23.10 and later), ${orDocker}`,
  },
  {
    code: 'EGRESS_SANDBOX_PROC',
    applies: ({ procOvermounts }) => procOvermounts.length > 0,
    problem: ({ procOvermounts }) =>
      `Parts of /proc are hidden (${procOvermounts[0] ?? ''}), as in a container, so the kernel does not allow a new /proc`,
    fix: 'Run on the host itself, or start this container with --security-opt systempaths=unconfined',
  },
]

/** The first obstacle that these facts show, null if there is none. */
export function diagnoseHost(facts: HostFacts): SandboxError | null {
  const found = obstacles.find(({ applies }) => applies(facts))
  return found ? new SandboxError(found.code, found.problem(facts), found.fix) : null
}

/** Null if this host seems able to build a sandbox (without trying it), otherwise why it cannot. */
// eslint-disable-next-line @typescript-eslint/require-await -- callers are not to depend on how the facts are gathered
export async function checkHost(): Promise<SandboxError | null> {
  return diagnoseHost(gatherHostFacts())
}

/** Error messages of the tools, and their causes. */
const failures: readonly { said: RegExp; problem: string; fix: string }[] = [
  {
    said: /unshare failed: Operation not permitted/,
    problem: 'The kernel does not allow this process to create namespaces',
    fix: 'In a container, add --security-opt seccomp=unconfined (Docker forbids namespaces by default); elsewhere, check the security module',
  },
  {
    said: /unshare failed: (No space left on device|Too many users)/,
    problem: 'Too many user namespaces, or too many levels of them',
    fix: 'Increase user.max_user_namespaces, and do not start one sandbox inside another',
  },
  {
    said: /uid_map|write failed .*map/,
    problem: 'The kernel does not allow this process to map its user id',
    fix: 'Run on the host itself as an ordinary user (AppArmor and Docker can forbid this step)',
  },
  {
    said: /Address already in use/i,
    problem: 'Two of the requested sockets have the same port',
    fix: 'Use a different port for each socket',
  },
]

/** Turns the error output of the tools into a SandboxError. */
export function explainFailure(said: string): SandboxError {
  const known = failures.find((failure) => failure.said.test(said))
  const detail = said.trim().split('\n').slice(-3).join('; ') || 'a process of the sandbox was killed'
  return new SandboxError(
    'EGRESS_SANDBOX_SETUP',
    `${known?.problem ?? 'Could not build the sandbox'} (${detail})`,
    known?.fix ?? `Check whether a security module or a container forbids this step, ${orDocker}`,
  )
}
