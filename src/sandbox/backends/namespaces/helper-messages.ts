import type { ListenRequest } from '../../spec.js'

/** What the gateway asks of the helper inside. Paths are those inside the sandbox. */
export interface HelperOrder {
  /** where the new root is mounted while it is being built */
  root: string
  directories: readonly { path: string; mode: string }[]
  links: Readonly<Record<string, string>>
  files: Readonly<Record<string, string>>
  listen: readonly ListenRequest[]
}

/** What the helper answers; a message with `socket` carries the open socket as its handle. */
export type HelperReport = { socket: string } | { done: true } | { failed: string }
