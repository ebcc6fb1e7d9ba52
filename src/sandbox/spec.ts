/** What is asked for one sandbox. All paths are absolute. */
export interface SandboxRequest {
  /** argument vector of the agent */
  command: readonly string[]
  /** work directory, mounted at its own path */
  workdir: string
  /** whether the agent may write to the work directory */
  writable: boolean
  /** further files or directories, mounted at their own paths */
  mounts: readonly ExtraMount[]
  limits: SandboxLimits
  /** whether stdin and stdout are a terminal */
  terminal: boolean
}

/** A request for a sandbox whose gateway is in this process. */
export interface SandboxSpec extends SandboxRequest {
  /** paths to hide wherever they would be visible; one that does not exist yet cannot be hidden */
  masked: readonly string[]
  /** complete environment of the product; PATH, HOME and the like are added */
  env: Readonly<Record<string, string>>
  /** sockets to open on 127.0.0.1 inside */
  listen: readonly ListenRequest[]
  /** name -> address, further lines of /etc/hosts */
  hosts: Readonly<Record<string, string>>
}

/** path inside -> content, read-only inside */
export type SandboxFiles = Readonly<Record<string, string>>

export interface ExtraMount {
  path: string
  writable: boolean
}

export interface SandboxLimits {
  /** processes and threads, all together */
  processes: number
  /** data segment of each process with namespaces, the whole sandbox with Docker; bytes */
  memoryBytes: number
  /** /tmp, the home directory, /run and /dev/shm, all together with namespaces, /tmp and the home directory each with Docker; bytes */
  tmpBytes: number
  /** open files of each process */
  openFiles: number
  /** processors, a fraction too; null: all. Docker only */
  processors: number | null
}

export interface ListenRequest {
  name: string
  kind: 'udp' | 'tcp'
  port: number
}
