/** What redaction looks for: every byte sequence in which a service may say a secret back. */
export class Needles {
  readonly bytes: readonly Buffer[]
  /** The same as latin1 text in lower case, for header names, in which case means nothing. */
  readonly folded: readonly string[]

  constructor(bytes: readonly Buffer[]) {
    this.bytes = bytes
    this.folded = bytes.map((needle) => needle.toString('latin1').toLowerCase())
  }
}
