import { formatFstab } from './fstab.js'
import { statSync } from 'node:fs'
import { permits, type UnixUser } from '../../identity.js'
import type { ShownTree } from '../../plan.js'
import type { StagedTree } from './mount-plan.js'
import { SandboxError } from '../../sandbox-error.js'
import { quoteCommand, quoteWord } from '../../shell-quote.js'

/** A mount point that exists on every Linux and that sandboxes do not show. */
const mountPlace = '/sys'

/** Paths that are used while the sandbox is being built. */
export interface Staging {
  /** where the new root is to be mounted */
  root: string
  trees: StagedTree[]
  node: string
  /** script that root runs before it changes to the sandbox's user; null for an ordinary user */
  script: string | null
}

/** The paths for an ordinary user, who can access the trees at their own paths. */
export function withoutStaging(trees: readonly ShownTree[], node: string): Staging {
  return {
    root: mountPlace,
    trees: trees.map((tree) => ({ ...tree, source: tree.path })),
    node,
    script: null,
  }
}

/**
 * The paths for root. The user that builds the sandbox may not be allowed to enter root's directories (/root is 0700), so root
 * binds the trees to a place that this user can enter, in a separate mount namespace, before it gives up its rights.
 */
export function stage(trees: readonly ShownTree[], node: string): Staging {
  const place = (index: number) => `${mountPlace}/stage/${index}`
  const sources = [...trees.map(({ path, kind }) => ({ path, kind })), { path: node, kind: 'file' as const }]
  const targets = (kind: string) =>
    sources.flatMap((item, index) => (item.kind === kind ? [place(index)] : []))
  const fstab = formatFstab(
    sources.map(({ path }, index) => ({
      source: path,
      target: place(index),
      type: 'none',
      options: ['rbind'],
    })),
  )
  const root = `${mountPlace}/root`
  const script = `set -eu
umask 022
mount -n -t tmpfs -o mode=0755,nosuid,nodev,size=1m,nr_inodes=4k none ${mountPlace}
mkdir -p ${quoteCommand([root, ...targets('directory'), `${mountPlace}/stage`])}
: ${targets('file')
    .map((path) => `>${quoteWord(path)}`)
    .join(' ')}
printf %s ${quoteWord(fstab)} >${mountPlace}/fstab
mount -n --all --fstab ${mountPlace}/fstab
rm ${mountPlace}/fstab
exec "$@"
`
  return {
    root,
    trees: trees.map((tree, index) => ({ ...tree, source: place(index) })),
    node: place(trees.length),
    script,
  }
}

/** Throws early if the user of the sandbox could not use a tree. */
export function checkAccess(workdir: string, trees: readonly ShownTree[], who: UnixUser): void {
  for (const { path, kind, writable } of trees) {
    const fix =
      path === workdir
        ? giveAway(path, who)
        : 'Start as a user who has this permission, or remove this --mount'
    const found = statSync(path)
    const traverse = kind === 'directory' ? 1 : 0
    if (!permits(found, who, 4 | traverse)) throw denial(path, 'read', who, fix)
    if (writable && !permits(found, who, 2 | traverse)) throw denial(path, 'write to', who, fix)
  }
}

/** Only for the work directory: a mount may be a system file, such as /etc/shadow, that must not be given to the agent. */
function giveAway(path: string, { uid, gid }: UnixUser): string {
  return `Run: chown -R ${uid}:${gid} ${quoteWord(path)} (the agent then runs as that owner), or start as an ordinary user`
}

function denial(path: string, what: string, { uid }: UnixUser, fix: string): SandboxError {
  return new SandboxError(
    'EGRESS_SANDBOX_ACCESS',
    `The agent cannot ${what} ${path}: when root starts it, it runs as uid ${uid}`,
    fix,
  )
}
