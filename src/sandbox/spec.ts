import type { EnvironmentChanges } from '../common/environment-changes.js'
import type { FileContent } from '../trust/trust-files.js'

/** A request for one sandbox. All paths are absolute. */
export interface SandboxRequest {
  /** argument vector of the agent */
  command: readonly string[]
  /** work directory, mounted at its own path */
  workdir: string
  /** whether the agent may write to the work directory */
  writable: boolean
  /** further files or directories, mounted at their own paths */
  mounts: readonly ExtraMount[]
  /** a directory among the writable mounts that is the home directory; null: one in memory */
  home?: string | null
  /** files for the home directory, created where they do not exist: relative path -> content */
  seeds?: Readonly<Record<string, string>>
  limits: SandboxLimits
  /** whether stdin and stdout are a terminal */
  terminal: boolean
}

/** A request for a sandbox whose gateway is in this process. */
export interface SandboxSpec extends SandboxRequest {
  /** paths to hide wherever they would be visible; one that does not exist yet cannot be hidden */
  masked: readonly string[]
  /** files that a later command would take for its policy or `.env` */
  policies: readonly string[]
  /** all variables of the gateway; PATH, HOME and similar ones are added */
  env: Readonly<Record<string, string>>
  /** what the caller changes in the environment */
  changes?: EnvironmentChanges
  /** sockets to open on 127.0.0.1 inside */
  listen: readonly ListenRequest[]
  /** name -> address, further lines of /etc/hosts */
  hosts: Readonly<Record<string, string>>
}

/** path inside -> content */
export type SandboxFiles = Readonly<Record<string, FileContent>>

export interface ExtraMount {
  path: string
  writable: boolean
}

export interface SandboxLimits {
  /** processes and threads, all together */
  processes: number
  /** bytes; namespaces: data segment of each process, Docker: the whole sandbox */
  memoryBytes: number
  /** bytes; namespaces: /tmp, the home directory, /run and /dev/shm together, Docker: /tmp and the home directory, each */
  tmpBytes: number
  /** open files of each process */
  openFiles: number
  /** number of processors, may be a fraction; null: all. Docker only */
  processors: number | null
}

export interface ListenRequest {
  name: string
  kind: 'udp' | 'tcp'
  port: number
}
