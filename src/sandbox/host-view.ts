import type { UnixUser } from './identity.js'
import { findHardLinks } from './hard-links.js'
import { findMaskedPaths, hideClosedDirectories, maskExplicit, type MaskBounds } from './masked-paths.js'
import type { HostView, ReadOnlyPath } from './plan.js'
import { isWithin } from './paths.js'
import { resolveMounts, type ShownTrees } from './resolve-mounts.js'
import type { SandboxRequest } from './spec.js'

/** The files of the host that the request shares with the sandbox. Throws a SandboxError. */
export function viewTrees({ workdir, mounts, writable }: SandboxRequest): ShownTrees {
  return resolveMounts(workdir, mounts, writable)
}

export interface HidingRules {
  /** paths to hide wherever they would be visible; one that does not exist yet cannot be hidden */
  masked: readonly string[]
  /** further trees of the host that the backend always shows */
  systemTrees: readonly string[]
  /** paths that no sandbox may write; those outside the writable trees are ignored */
  readOnly?: readonly ReadOnlyPath[]
  runAs: UnixUser | null
  bounds?: MaskBounds
}

/** Searches the trees for files to hide. Throws a SandboxError. */
export function hideIn(
  trees: ShownTrees,
  { masked, systemTrees, readOnly = [], runAs, bounds }: HidingRules,
): HostView {
  const shown = trees.shown.map(({ path }) => path)
  const visible = [...shown, ...systemTrees]
  const directories = trees.shown.flatMap(({ kind, path }) => (kind === 'directory' ? [path] : []))
  const found = [
    ...directories.flatMap((path) => findMaskedPaths(path, bounds, shown)),
    ...maskExplicit(masked, visible),
  ]
  const linked = [...found, ...findHardLinks(found, directories).names]
  const hidden = runAs === null ? linked : hideClosedDirectories(linked, visible, runAs)
  const byPath = new Map(hidden.map((mask) => [mask.path, mask]))
  return {
    ...trees,
    hidden: [...byPath.values()],
    readOnly: readOnly.filter(({ path }) => !byPath.has(path) && isWritable(path, trees)),
  }
}

/** Whether the sandbox could write to a path, going by the innermost tree that contains it. */
export function isWritable(path: string, { shown }: Pick<ShownTrees, 'shown'>): boolean {
  const around = shown.filter((tree) => isWithin(path, tree.path))
  return around.sort((a, b) => b.path.length - a.path.length)[0]?.writable === true
}
