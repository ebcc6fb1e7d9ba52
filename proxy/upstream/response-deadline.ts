/** Early hints and processing notices; a server sends a handful. */
export const MAX_INTERIM_RESPONSES = 32

/** Bytes of the header fields of all interim responses to one request. */
const MAX_INTERIM_BYTES = 65_536

/** What a client is told: whoever wrote the policy reads it too, and looks for the key. */
export function timeoutText(ms: number): string {
  return `no response began within ${String(ms / 1000)} s (http.response_timeout)`
}

export class ResponseTimeout extends Error {
  readonly code = 'EGRESS_RESPONSE_TIMEOUT'

  constructor(timeoutMs: number) {
    super(timeoutText(timeoutMs))
  }
}

export class TooManyInterimResponses extends Error {
  readonly code = 'EGRESS_INTERIM_RESPONSES'

  constructor() {
    super('too many interim responses')
  }
}

/**
 * The time until a final response has begun, once the request is sent. Threat: an upstream that sends a 1xx, or a byte of a head,
 * now and then puts off every timeout that begins anew with what comes.
 */
export class ResponseDeadline {
  readonly #timeoutMs: number
  readonly #abort: (error: Error) => void
  #timer: NodeJS.Timeout | null = null
  #interim = 0
  #interimBytes = 0
  #done = false

  /** @param abort ends the request with this error */
  constructor(timeoutMs: number, abort: (error: Error) => void) {
    this.#timeoutMs = timeoutMs
    this.#abort = abort
  }

  /** The request is written. An upload may take its time. */
  start(): void {
    if (this.#done || this.#timer !== null) return
    this.#timer = setTimeout(() => this.#abort(new ResponseTimeout(this.#timeoutMs)), this.#timeoutMs)
  }

  /** The request will be written again. */
  pause(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** A 1xx came. */
  interim(headers: Readonly<Record<string, string | string[] | undefined>>): void {
    this.#interim += 1
    for (const name in headers) this.#interimBytes += name.length + String(headers[name]).length
    if (this.#interim > MAX_INTERIM_RESPONSES || this.#interimBytes > MAX_INTERIM_BYTES)
      this.#abort(new TooManyInterimResponses())
  }

  /** The final head is there, or nothing will come any more. */
  stop(): void {
    this.#done = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }
}
