import type { ListenRequest } from '../../spec.js'

/** The gateway's order to the helper. Paths are paths in the sandbox. */
export interface HelperOrder {
  /** where the new root is mounted while it is being built */
  root: string
  directories: readonly { path: string; mode: string }[]
  links: Readonly<Record<string, string>>
  /** text of files that the sandbox cannot change */
  files: Readonly<Record<string, string>>
  /** content of further ones, in base64: messages are JSON */
  bytes: Readonly<Record<string, string>>
  /** content of files that belong to the sandbox, in base64 */
  own: Readonly<Record<string, string>>
  listen: readonly ListenRequest[]
}

/** A report of the helper. A message with `socket` carries the open socket as its handle. */
export type HelperReport = { socket: string } | { done: true } | { failed: string }
