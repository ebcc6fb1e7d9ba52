import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import type { AdminError } from './route.js'

export interface AdminQuestion {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** With its query. */
  readonly path: string
  /** Sent as JSON. */
  readonly body?: unknown
}

export interface AdminAnswer {
  readonly status: number
  /** Parsed if it is JSON, otherwise text. */
  readonly body: unknown
}

/** Asks a gateway through its Unix socket. Null if none is running there, or if it ended before it answered. */
export async function askAdmin(
  socketPath: string,
  { method, path, body }: AdminQuestion,
): Promise<AdminAnswer | null> {
  const sent = body === undefined ? '' : JSON.stringify(body)
  const headers = { host: 'egress', connection: 'close', 'content-length': Buffer.byteLength(sent) }
  const asked = request({ socketPath, method, path, headers })
  try {
    const [status, type, received] = await new Promise<[number, string, string]>((resolve, reject) => {
      asked.once('error', reject)
      asked.once('response', (response) => {
        const { statusCode = 0, headers: told } = response
        text(response).then((all) => resolve([statusCode, told['content-type'] ?? '', all]), reject)
      })
      asked.end(sent)
    })
    return {
      status,
      body: type.startsWith('application/json') ? (JSON.parse(received) as unknown) : received,
    }
  } catch {
    return null
  }
}

/** The error that an answer tells; null if it tells none. */
export function errorIn({ status, body }: AdminAnswer): AdminError['error'] | null {
  if (status < 400) return null
  const { error } = (body ?? {}) as Partial<AdminError>
  if (error !== undefined) return error
  const problem = `The gateway answered with status ${String(status)}`
  return { code: 'EGRESS_ADMIN', problem, fix: 'Check the log of the gateway', exit_code: 1 }
}
