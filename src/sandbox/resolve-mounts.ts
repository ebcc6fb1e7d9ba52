import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { refuseSandboxLinks } from '../common/sandbox-writes.js'
import { isWithin } from './paths.js'
import type { HostView, ShownTree } from './plan.js'
import { SandboxError } from './sandbox-error.js'
import type { ExtraMount } from './spec.js'

/** Trees that every sandbox has its own version of. */
const ownTrees = ['/proc', '/sys', '/dev', '/.sandbox']

/** Directories that contain much more than an agent needs: files of other users, sockets of daemons. */
const tooWide = [
  '/',
  '/bin',
  '/boot',
  '/etc',
  '/home',
  '/lib',
  '/opt',
  '/root',
  '/run',
  '/sbin',
  '/srv',
  '/usr',
  '/var',
  '/var/run',
  '/private',
  '/Users',
]

/** Paths that are typical of a home directory. A project may contain one of them, but hardly two. */
const credentialPlaces = [
  '.ssh',
  '.aws',
  '.gnupg',
  '.kube',
  '.docker/config.json',
  '.config/gcloud',
  '.config/gh',
  '.mozilla',
  '.config/google-chrome',
  '.local/share/keyrings',
  '.password-store',
  '.netrc',
  '.git-credentials',
]

/** The trees to show, not yet searched for files to hide. */
export type ShownTrees = Omit<HostView, 'hidden' | 'readOnly' | 'reserved'>

/**
 * Resolves the work directory and the extra mounts. A home directory is rejected as the work directory, because no list of
 * names covers all secrets in it. To use one anyway, add it as an extra mount too.
 */
export function resolveMounts(
  workdir: string,
  extra: readonly ExtraMount[],
  writable: boolean,
  home: string | null = null,
): ShownTrees {
  const links: Record<string, string> = {}
  const look = (mount: ExtraMount): ShownTree => {
    refuseSandboxLinks(mount.path)
    const resolved = resolveMount(mount)
    if (resolved.path !== resolve(mount.path)) links[resolve(mount.path)] = resolved.path
    return resolved
  }
  const work = look({ path: workdir, writable })
  const others = extra.map(look)
  if (work.kind !== 'directory') {
    throw denial(workdir, 'is not a directory', 'Choose a directory, and add single files with --mount')
  }
  const asked = others.some(({ path }) => path === work.path)
  const found = credentialPlaces.filter((place) => existsSync(join(work.path, place)))
  if (!asked && found.length >= (isHome(work.path) ? 1 : 2)) {
    throw denial(
      workdir,
      `is a home directory: it contains ${found.join(', ')}`,
      `Start in a project directory, or add --mount ${work.path} if the agent may read all of it`,
    )
  }
  const byPath = new Map([work, ...others].map((mount) => [mount.path, mount]))
  byPath.set(work.path, work)
  return {
    workdir: work.path,
    home: home === null ? null : realpathSync(home),
    shown: [...byPath.values()],
    links,
  }
}

/** Whether it is the home directory of the caller or of an account in /etc/passwd. */
function isHome(directory: string): boolean {
  const homes = [process.env.HOME ?? '', homedir()]
  try {
    homes.push(
      ...readFileSync('/etc/passwd', 'utf8')
        .split('\n')
        .map((line) => line.split(':')[5] ?? ''),
    )
  } catch {
    // Accounts may come from another source; then only HOME is checked.
  }
  return homes.includes(directory)
}

function resolveMount({ path, writable }: ExtraMount): ShownTree {
  if (!isAbsolute(path)) throw denial(path, 'is not an absolute path', 'Use an absolute path')
  let real: string
  try {
    real = realpathSync(path)
  } catch (cause) {
    throw denial(
      path,
      'cannot be read',
      'Check that it exists and that you have permission to read it',
      cause,
    )
  }
  if (tooWide.includes(real))
    throw denial(path, 'is too broad to share with an agent', 'Choose a directory inside it')
  if (ownTrees.some((tree) => isWithin(real, tree))) {
    throw denial(path, 'cannot be mounted: every sandbox has its own', 'Choose another path')
  }
  const found = statSync(real)
  if (!found.isDirectory() && !found.isFile()) {
    throw denial(
      path,
      'is not a regular file or directory',
      'Choose a file or directory; sockets and devices would break isolation',
    )
  }
  return { path: real, writable, kind: found.isDirectory() ? 'directory' : 'file' }
}

function denial(path: string, what: string, fix: string, cause?: unknown): SandboxError {
  return new SandboxError('EGRESS_SANDBOX_MOUNT', `${path} ${what}`, fix, { cause })
}

/** Whether the sandbox could write to a path, going by the innermost tree that contains it. */
export function isWritable(path: string, { shown }: Pick<ShownTrees, 'shown'>): boolean {
  const around = shown.filter((tree) => isWithin(path, tree.path))
  return around.sort((a, b) => b.path.length - a.path.length)[0]?.writable === true
}
