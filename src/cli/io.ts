/** Something that text can be written to. */
export interface TextSink {
  write(text: string): unknown
}

/** What a command has of the world around it. */
export interface CommandIo {
  /** Data. */
  readonly stdout: TextSink
  /** Messages. */
  readonly stderr: TextSink
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}
