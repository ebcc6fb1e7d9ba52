import type { UnixUser } from './identity.js'
import { findMaskedPaths, hideClosedDirectories, maskExplicit, type MaskBounds } from './masked-paths.js'
import type { HostView } from './plan.js'
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
  runAs: UnixUser | null
  bounds?: MaskBounds
}

/** Searches the trees for files to hide. Throws a SandboxError. */
export function hideIn(trees: ShownTrees, { masked, systemTrees, runAs, bounds }: HidingRules): HostView {
  const visible = [...trees.shown.map(({ path }) => path), ...systemTrees]
  const directories = trees.shown.filter(({ kind }) => kind === 'directory')
  const found = [
    ...directories.flatMap(({ path }) => findMaskedPaths(path, bounds)),
    ...maskExplicit(masked, visible),
  ]
  const hidden = runAs === null ? found : hideClosedDirectories(found, visible, runAs)
  return { ...trees, hidden: [...new Map(hidden.map((mask) => [mask.path, mask])).values()] }
}
