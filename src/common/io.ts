/** Something that text can be written to. */
export interface TextSink {
  write(text: string): unknown
}

/** Streams, variables and directory of the process that a command runs in. */
export interface CommandIo {
  /** Data. */
  readonly stdout: TextSink
  /** Messages. */
  readonly stderr: TextSink
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}
