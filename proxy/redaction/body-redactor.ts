/** Searches a body as it comes, and replaces secrets in it by as many stars. `Redactor` does so for text; others know its form. */
export interface BodyRedactor {
  /** Takes the next bytes; returns those that may go on, which may be none. @throws UnreadableMessage */
  push(chunk: Buffer): Buffer
  /** Whether `idle` may pass something. */
  readonly waitsForLine: boolean
  /** What may pass of that which waits, where nothing came for a while. */
  idle(): Buffer
  /** What waits, at the end. */
  flush(): Buffer
}

/** A message that cannot be opened, so that nothing can be found in it. */
export class UnreadableMessage extends Error {
  readonly code = 'EGRESS_UNREADABLE_MESSAGE'
}
