import type { UnixUser } from './identity.js'
import { findMaskedPaths, hideClosedDirectories, maskExplicit, type MaskBounds } from './masked-paths.js'
import type { HostView } from './plan.js'
import { resolveMounts, type ShownTrees } from './resolve-mounts.js'
import type { SandboxRequest } from './spec.js'

/** What the sandbox is to see of the host, as far as the request says it. Throws a SandboxError. */
export function viewTrees({ workdir, mounts, writable }: SandboxRequest): ShownTrees {
  return resolveMounts(workdir, mounts, writable)
}

export interface HidingRules {
  /** paths to hide wherever they would be visible; one that does not exist yet cannot be hidden */
  masked: readonly string[]
  /** what the backend shows of the host by itself */
  systemTrees: readonly string[]
  runAs: UnixUser | null
  bounds?: MaskBounds
}

/** Searches the trees for what has to be hidden. Throws a SandboxError. */
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
