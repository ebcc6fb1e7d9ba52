import type { CommandStreams } from '../../backend.js'
import type { SandboxPlan } from '../../plan.js'
import type { CleanUpOrder } from './clean-up.js'

/** The result of a `docker` command. */
export interface DockerResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Facts about the host on which sandboxes are started. */
export interface HostFacts {
  /** the process whose end is the end of the run */
  readonly pid: number
  readonly uid: number
  readonly gid: number
  /** which of standard input and output are terminals */
  readonly terminals: { readonly input: boolean; readonly output: boolean }
  /** the directory of this program on the host, which contains docker-compose.yml */
  readonly root: string
  /** a directory of this run, open to its user alone; the engine can mount what is in it */
  readonly directory: string
}

/**
 * Access to the host for the Docker backend: `docker` itself, and facts that only a process on the host can find out. The
 * program runs on the host, or in a container, where a shell on the host does these things for it.
 */
export interface DockerHost {
  readonly facts: HostFacts

  /** Runs `docker` without input and waits for its end. Never rejects: the code is 127 if `docker` is not installed. */
  docker(args: readonly string[], options?: { readonly showErrors?: boolean }): Promise<DockerResult>

  /** Runs `docker` with these streams, out of the reach of the terminal's signals unless it has the terminal; its exit code. */
  attach(args: readonly string[], streams: CommandStreams): Promise<number>

  /**
   * Calls `listener` whenever a container of the gateway's Compose project has started, until the function that it returns is called.
   * It may be late by some seconds. Never throws: without it, a run loses a gateway that is replaced.
   */
  onGatewayStart(project: string, listener: () => void): () => void

  /** Calls `listener` for every signal that the run gets. Once. */
  onSignal(listener: (name: NodeJS.Signals) => void): void

  /** A unique name for a process, `PLACE/PID/SINCE`; null if there is no such process. */
  owner(pid: number): Promise<string | null>

  isFile(path: string): Promise<boolean>

  /** The host's own addresses, IPv4. */
  addresses(): Promise<string[]>

  /** Creates names that the sandbox must not create. Rejects with a SandboxError. */
  reserve(plan: Pick<SandboxPlan, 'id' | 'reserved' | 'readOnly' | 'pinned'>): Promise<void>

  /** Removes the names that `reserve` has created for this run. Never rejects. */
  release(): Promise<void>

  /** Removes names that runs that were killed have reserved. Never rejects. */
  sweepReserved(): Promise<void>

  /** Directories of runs that have not been removed, with their owners. */
  runDirectories(): Promise<{ directory: string; owner: string }[]>

  removeDirectory(directory: string): Promise<void>

  /** Runs the clean-up after the run has returned its exit code. Called once. */
  cleanUpLater(order: CleanUpOrder): void
}
