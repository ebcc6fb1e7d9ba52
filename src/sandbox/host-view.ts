import { installDirectory } from '../common/install.js'
import type { UnixUser } from './identity.js'
import { findHardLinks } from './hard-links.js'
import {
  defaultMaskBounds,
  hideClosedDirectories,
  maskExplicit,
  searchTree,
  type MaskBounds,
} from './masked-paths.js'
import type { HostView } from './plan.js'
import { isInHome, isSandboxOwn } from './kept-home.js'
import { findProtected } from './protected-paths.js'
import { resolveMounts, type ShownTrees } from './resolve-mounts.js'
import type { SandboxRequest } from './spec.js'

/** The files of the host that the request shares with the sandbox. Throws a SandboxError. */
export function viewTrees({ workdir, mounts, writable, home }: SandboxRequest): ShownTrees {
  return resolveMounts(workdir, mounts, writable, home ?? null)
}

export interface HidingRules {
  /** paths to hide wherever they would be visible; one that does not exist yet cannot be hidden */
  masked: readonly string[]
  /** files that a later command would take for its policy or `.env`, besides `egress.yaml` in the trees */
  policies: readonly string[]
  /** further trees of the host that the backend always shows */
  systemTrees: readonly string[]
  runAs: UnixUser | null
  bounds?: MaskBounds
}

/** Searches the trees for files to hide or to protect. Throws a SandboxError. */
export function hideIn(
  trees: ShownTrees,
  { masked, policies, systemTrees, runAs, bounds = defaultMaskBounds }: HidingRules,
): HostView {
  const shown = trees.shown.map(({ path }) => path)
  const visible = [...shown, ...systemTrees]
  const directories = trees.shown.flatMap(({ kind, path }) => (kind === 'directory' ? [path] : []))
  const contents = directories.map((path) => searchTree(path, bounds, shown))
  const secrets = contents
    .flatMap(({ masks }) => masks)
    .filter(({ path }) => !isInHome(path, trees) || !isSandboxOwn(path))
  const found = [...secrets, ...maskExplicit(masked, visible)]
  const linked = [...found, ...findHardLinks(found, directories).names]
  const hidden = runAs === null ? linked : hideClosedDirectories(linked, visible, runAs)
  const byPath = new Map(hidden.map((mask) => [mask.path, mask]))
  const gitPlaces = contents.flatMap((content) => content.gitPlaces).filter((path) => !isInHome(path, trees))
  const { readOnly, reserved } = findProtected({ trees, policies, gitPlaces, install: installDirectory() })
  return {
    ...trees,
    hidden: [...byPath.values()],
    readOnly: readOnly.filter(({ path }) => !byPath.has(path)),
    reserved,
  }
}
