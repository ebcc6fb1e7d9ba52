/** What one round of a contender gave. */
export interface Outcome {
  readonly operations: number
  readonly perSecond: number
  /** Milliseconds; null where nobody can say. */
  readonly p50: number | null
  readonly p99: number | null
  readonly errors: number
}

/** A program that does the same as the others of its row. */
export interface Contender {
  readonly name: string
  /** Of the process whose processor time and memory count. */
  readonly pid: number
  /** One round. */
  run(): Promise<Outcome>
}

export interface Contest {
  /** Ours first: the others are seen in proportion to it. */
  readonly contenders: readonly Contender[]
  /** What would be compared, and is not there. */
  readonly missing: readonly string[]
  stop(): Promise<void>
}

export interface BenchOptions {
  /** Path of an iron-proxy that the user has built; null for none. */
  readonly iron: string | null
  /** Milliseconds of a round. */
  readonly roundMs: number
}

/** A row of the table: one kind of work, by every program that does it. */
export interface BenchRow {
  readonly id: string
  readonly title: string
  /** What is counted each second. */
  readonly unit: string
  /** Fewer than usual, for what takes long. */
  readonly rounds?: number
  open(options: BenchOptions): Promise<Contest>
}
