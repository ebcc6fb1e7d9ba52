import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:net'
import type { Explanation } from '../common/errors.js'
import { errorResponse } from '../control/route.js'
import type { Admission } from './admit-pod.js'

/** Where pods register, and where nobody may connect: a policy that is in force refuses it. */
export const POD_PORTS = { register: 9197, canary: 9198 } as const

/** A token is at most a few KiB; nothing else of a request is read. */
const MAX_HEAD_BYTES = 16_384
const MAX_CONNECTIONS = 1_024
const TIMEOUT_MS = 10_000

/** Registrations of one address, and of all, that are being worked on. Each is two requests of the API server's. */
const MAX_AT_ONCE = 64

/** Attempts of one address in a minute; a pod needs one, or a few when its address is not known yet. */
const MAX_ATTEMPTS = 60
const MINUTE_MS = 60_000

/** What a pod gets for its token. */
export interface RegistrationAnswer {
  readonly sandbox: string
  readonly agent: string
  readonly environment: Readonly<Record<string, string>>
  /** PEM of the gateway's certificate authority. */
  readonly authority: string
}

export interface RegistrationOptions {
  readonly admit: (token: string, source: string) => Promise<Admission>
  readonly answer: (admission: Extract<Admission, { outcome: 'registered' }>) => RegistrationAnswer
  /** Told of each refusal. */
  readonly refused: (source: string, why: Explanation) => void
  readonly fail: (error: unknown) => void
  readonly now: () => number
}

export interface PodListeners {
  close(): void
}

/** Serves the registration of pods, and the canary. */
export async function servePodListeners(options: RegistrationOptions): Promise<PodListeners> {
  const register = registrationServer(options)
  const canary = canaryServer()
  await Promise.all([listening(register, POD_PORTS.register), listening(canary, POD_PORTS.canary)])
  return {
    close() {
      register.close()
      register.closeAllConnections()
      canary.close()
    },
  }
}

/** Accepts, and says so: a connection that a proxy in between accepted would prove nothing. */
function canaryServer(): Server {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.end('egress canary\n')
    socket.resume()
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy())
  })
  server.maxConnections = MAX_CONNECTIONS
  return server
}

export function registrationServer(options: RegistrationOptions) {
  const { admit, answer, refused, fail, now } = options
  const attempts = new Map<string, number>()
  const busy = new Set<string>()
  let minute = 0
  const server = createHttpServer(
    {
      maxHeaderSize: MAX_HEAD_BYTES,
      headersTimeout: TIMEOUT_MS,
      requestTimeout: TIMEOUT_MS,
      connectionsCheckingInterval: 1_000,
      insecureHTTPParser: false,
    },
    (request, response) => {
      void serve(request, response).catch((error: unknown) => {
        fail(error)
        response.destroy()
      })
    },
  )
  server.maxConnections = MAX_CONNECTIONS
  server.maxHeadersCount = 32
  return server

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const source = request.socket.remoteAddress ?? ''
    if (request.url === '/ready' && request.method === 'GET') {
      tell(response, 200, { ready: true })
      return
    }
    if (request.method !== 'POST' || request.url !== '/register') {
      deny(response, 404, { problem: 'There is only POST /register here', fix: 'See docs/kubernetes.md' })
      return
    }
    const token = /^Bearer ([A-Za-z0-9_.-]+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined) {
      const why = { problem: 'There is no token', fix: 'Send it as `Authorization: Bearer TOKEN`' }
      refused(source, why)
      deny(response, 401, why)
      return
    }
    // Threat: a pod that asks without end would make the gateway ask the API server without end.
    if (isTooMuch(source)) {
      deny(response, 429, { problem: 'Too many attempts', fix: 'Wait a minute' })
      return
    }
    busy.add(source)
    try {
      const admission = await admit(token, source)
      if (admission.outcome === 'registered') {
        tell(response, 200, answer(admission))
        return
      }
      const { outcome, problem, fix } = admission
      if (outcome === 'refused') refused(source, { problem, fix })
      deny(response, outcome === 'early' ? 425 : 403, { problem, fix })
    } catch (error) {
      const { status, body } = errorResponse(error)
      if (status === 500) fail(error)
      response.writeHead(status === 500 ? 500 : 503, {
        'content-type': 'application/json',
        connection: 'close',
      })
      response.end(body)
    } finally {
      busy.delete(source)
    }
  }

  function isTooMuch(source: string): boolean {
    const at = Math.floor(now() / MINUTE_MS)
    if (at !== minute) attempts.clear()
    minute = at
    const count = (attempts.get(source) ?? 0) + 1
    attempts.set(source, count)
    return count > MAX_ATTEMPTS || busy.has(source) || busy.size >= MAX_AT_ONCE
  }
}

function tell(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    connection: 'close',
  })
  response.end(`${JSON.stringify(body)}\n`)
}

function deny(response: ServerResponse, status: number, { problem, fix }: Explanation): void {
  tell(response, status, { error: { code: 'EGRESS_REGISTRATION', problem, fix, exit_code: 1 } })
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host: '0.0.0.0', backlog: 511 }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
