import type { CommandStreams } from '../../backend.js'
import type { CleanUpOrder } from './clean-up.js'

/** What a call of `docker` came to. */
export interface DockerResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** What is known of the host that sandboxes are started on. */
export interface HostFacts {
  /** the process whose end is the end of the run */
  readonly pid: number
  readonly uid: number
  readonly gid: number
  /** which of standard input and output are terminals */
  readonly terminals: { readonly input: boolean; readonly output: boolean }
  /** where this product stands on the host, with docker-compose.yml in it */
  readonly root: string
  /** a directory of this run, open to its user alone; the engine can mount what is in it */
  readonly directory: string
}

/**
 * The host's side of the Docker backend: `docker` itself, and the little that only a process of the host can tell. The
 * program runs there, or in a container, where a shell on the host does these things for it.
 */
export interface DockerHost {
  readonly facts: HostFacts

  /** Runs `docker` without input, to its end. Never rejects: a client that is not there has code 127. */
  docker(args: readonly string[], options?: { readonly showErrors?: boolean }): Promise<DockerResult>

  /** Runs `docker` with these streams, out of the reach of the terminal's signals unless it has the terminal; its exit code. */
  attach(args: readonly string[], streams: CommandStreams): Promise<number>

  /** Calls `listener` for every signal that the run gets. Once. */
  onSignal(listener: (name: NodeJS.Signals) => void): void

  /** A name for a process that no later process will have: `PLACE/PID/SINCE`; null where there is no such process. */
  owner(pid: number): Promise<string | null>

  isFile(path: string): Promise<boolean>

  /** The host's own addresses, IPv4. */
  addresses(): Promise<string[]>

  /** Directories of runs that have not been taken away, with the owner that each names. */
  runDirectories(): Promise<{ directory: string; owner: string }[]>

  removeDirectory(directory: string): Promise<void>

  /** Has the rest done after the run has given its exit code. Once. */
  cleanUpLater(order: CleanUpOrder): void
}
