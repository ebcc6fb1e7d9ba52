import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { stateDirectory } from '../common/sandbox-writes.js'
import { isRunning, processName } from '../common/process-name.js'
import type { ReservedPath, SandboxPlan } from './plan.js'
import { SandboxError } from './sandbox-error.js'

/** Where runs list the names that they have reserved. */
export const reservations = (): string => join(stateDirectory(), 'reserved')

/** Reserved names of one run: paths that this run created. */
interface Reservation {
  readonly owner: string | null
  readonly paths: readonly ReservedPath[]
}

/**
 * Creates names that a sandbox must not create, and returns a function that removes them. What has been created is written
 * down first, so that a later run can remove it if this one is killed.
 *
 * Another run may have created names that this one has found and protects: they stay until this run ends as well.
 *
 * @param directory for the list, outside of every sandbox
 */
export function reserve(
  { reserved: paths, readOnly, pinned }: Pick<SandboxPlan, 'reserved' | 'readOnly' | 'pinned'>,
  directory: string,
  id: string,
): () => void {
  const found = [...readOnly.map(({ path }) => path), ...pinned].filter(
    (path) => !paths.some((own) => own.path === path),
  )
  if (paths.length + found.length === 0) return () => undefined
  const list = join(directory, `${id}.json`)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const absent = paths.filter(({ path }) => lstatSync(path, { throwIfNoEntry: false }) === undefined)
  // Another sandbox in the same directory may have created some: the one that ends last removes them.
  const shared = reservedElsewhere(directory, list)
  const reservation: Reservation = {
    owner: processName(process.pid),
    paths: [
      ...paths.filter((path) => absent.includes(path) || shared.has(path.path)),
      ...found.flatMap((path) => shared.get(path) ?? []),
    ].sort((a, b) => a.path.length - b.path.length),
  }
  writeFileSync(list, JSON.stringify(reservation), { mode: 0o600 })
  const undo = () => removeReserved(directory, list)
  try {
    for (const { path, kind, content } of absent) create(path, kind, content)
  } catch (cause) {
    undo()
    throw new SandboxError(
      'EGRESS_SANDBOX_RESERVE',
      `Cannot reserve names in the writable directories: ${(cause as Error).message}`,
      'Make the directory writable for the user who starts the sandbox, or start without --write',
      { cause },
    )
  }
  return undo
}

function create(path: string, kind: ReservedPath['kind'], content: string): void {
  if (kind === 'directory') mkdirSync(path)
  else writeFileSync(path, content, { flag: 'wx' })
  chmodSync(path, kind === 'directory' ? 0o755 : 0o644)
}

/** Removes what runs that were killed have left. */
export function sweepReserved(directory: string): void {
  for (const name of namesIn(directory)) {
    const list = join(directory, name)
    const reservation = read(list)
    if (reservation?.owner != null && !isRunning(reservation.owner)) removeReserved(directory, list)
  }
}

/** Removes reserved names that are still as this program created them and that no other run needs, then their list. */
function removeReserved(directory: string, list: string): void {
  const shared = reservedElsewhere(directory, list)
  // Directories may contain other reserved names.
  for (const { path, kind, content } of [...(read(list)?.paths ?? [])].reverse()) {
    if (shared.has(path)) continue
    try {
      if (kind === 'directory') rmdirSync(path)
      else if (readFileSync(path, 'utf8') === content) unlinkSync(path)
    } catch {
      // The user has used the name meanwhile, or removed it.
    }
  }
  rmSync(list, { force: true })
}

function reservedElsewhere(directory: string, list: string): ReadonlyMap<string, ReservedPath> {
  const others = namesIn(directory)
    .map((name) => join(directory, name))
    .filter((other) => other !== list)
  return new Map(
    others.flatMap((other) => read(other)?.paths.map((path) => [path.path, path] as const) ?? []),
  )
}

function read(list: string): Reservation | null {
  try {
    return JSON.parse(readFileSync(list, 'utf8')) as Reservation
  } catch {
    return null
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
