import { EXIT, EgressError, exitCodeOf, formatError } from '../common/errors.js'

/** How an operator reached the listener: through its Unix socket, which only the gateway's user may open, or over TCP with the token. */
export type AdminAccess = 'socket' | 'token' | 'none'

/** The user behind a request. */
export interface AdminUser {
  /** On this machine; null if it is not known. */
  readonly uid: number | null
  /** Login name; likewise. */
  readonly name: string | null
}

/** A request to the admin listener, read in full and checked before a handler sees it. */
export interface AdminRequest {
  /** The parts of the path that the route names with `:name`, decoded. Never empty. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** The body, parsed as JSON; null if there is none. Any value at all: the handler checks its form. */
  readonly body: unknown
  /** `none` only on a public route. */
  readonly access: AdminAccess
  /** Looks up who asks: the user at the other end of the Unix socket. Over TCP nobody in particular. Never rejects. */
  readonly user: () => Promise<AdminUser>
  /** Fires when the client is gone, for answers that go on. */
  readonly signal: AbortSignal
}

export interface AdminResponse {
  readonly status: number
  /** Media type, with charset where it is text. */
  readonly type: string
  /** Text that goes on, such as a stream of events, ends when the iterator ends or the client is gone. */
  readonly body: string | Uint8Array | AsyncIterable<string>
  /** In lower case, beside those that the listener sets. */
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * One thing that can be asked of the admin listener. A file adds its routes by exporting them, or a function that makes them
 * from what they need; whoever starts a gateway puts them into its table.
 */
export interface AdminRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Segments, of which `:name` stands for any one: `/sandboxes/:id/stop`. Each method and path is in the table once. */
  readonly path: `/${string}`
  /** True for files of a page that say nothing about the gateway: they are served over TCP without the token. */
  readonly isPublic?: boolean
  /**
   * May take its time. An EgressError that it throws is shown to the operator with its problem and its fix; any other error is
   * a bug, which the program's log has.
   */
  handle(request: AdminRequest): AdminResponse | Promise<AdminResponse>
}

/** The body of every answer that is an error. */
export interface AdminError {
  readonly error: {
    readonly code: string
    readonly problem: string
    readonly fix: string
    readonly exit_code: number
  }
}

/** A value as JSON, on one line. */
export function json(value: unknown, status = 200): AdminResponse {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(value)}\n` }
}

export function text(body: string, status = 200, type = 'text/plain; charset=utf-8'): AdminResponse {
  return { status, type, body }
}

/** What a handler that threw this answers; it may also return it, to choose the status. */
export function errorResponse(error: unknown, status = statusOf(error)): AdminResponse {
  const { problem, fix } =
    error instanceof EgressError
      ? error
      : { problem: formatError(error).trim(), fix: 'Check the log of the gateway' }
  const code = error instanceof EgressError ? error.code : 'EGRESS_INTERNAL'
  return json({ error: { code, problem, fix, exit_code: exitCodeOf(error) } } satisfies AdminError, status)
}

function statusOf(error: unknown): number {
  if (!(error instanceof EgressError)) return 500
  return error.exitCode === EXIT.usage ? 400 : 503
}
