import type { Socket as DatagramSocket } from 'node:dgram'
import type { Server } from 'node:net'

/** What one sandbox is to contain. All paths are absolute. */
export interface SandboxSpec {
  /** argument vector of the agent */
  command: readonly string[]
  /** work directory, mounted at its own path */
  workdir: string
  /** whether the agent may write to the work directory */
  writable: boolean
  /** further files or directories, mounted at their own paths */
  mounts: readonly ExtraMount[]
  /** paths to hide wherever they would be visible; one that does not exist yet cannot be hidden */
  masked: readonly string[]
  /** complete environment of the product; PATH, HOME and the like are added */
  env: Readonly<Record<string, string>>
  /** path inside -> content, read-only inside; a function is called while the sandbox's processes start */
  files: SandboxFiles | (() => Promise<SandboxFiles>)
  limits: SandboxLimits
  /** sockets to open on 127.0.0.1 inside */
  listen: readonly ListenRequest[]
  /** name -> address, further lines of /etc/hosts */
  hosts: Readonly<Record<string, string>>
  /** whether stdin and stdout are a terminal */
  terminal: boolean
}

export type SandboxFiles = Readonly<Record<string, string>>

export interface ExtraMount {
  path: string
  writable: boolean
}

export interface SandboxLimits {
  /** processes and threads, all together */
  processes: number
  /** data segment of each process, bytes */
  memoryBytes: number
  /** /tmp, the home directory, /run and /dev/shm, all together, bytes */
  tmpBytes: number
  /** open files of each process */
  openFiles: number
}

export interface ListenRequest {
  name: string
  kind: 'udp' | 'tcp'
  port: number
}

/** A built sandbox whose agent waits for `start`. */
export interface Sandbox {
  /** by name, open in the network namespace of the sandbox, living in the calling process */
  sockets: ReadonlyMap<string, Server | DatagramSocket>
  /** what the operator should know, one line each */
  warnings: readonly string[]
  /** releases the agent; to be called once the sockets are served */
  start: () => void
  /** sends a signal to the agent */
  signal: (name: NodeJS.Signals) => void
  /** the agent's exit code, 128+n where signal n ended it */
  exit: Promise<{ code: number }>
  /** ends every process of the sandbox at once */
  kill: () => void
}
