import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import type { AdminAccess } from './route.js'

/** Who may ask over TCP. */
export interface TcpAccess {
  readonly token: string
  /** Host names by which clients reach the listener, in lower case, beside `localhost` and addresses. */
  readonly hosts: readonly string[]
}

/** Whether the request may be answered: with what it came, or the status and the sentence of the denial. */
export type Admission =
  { readonly access: AdminAccess } | { readonly status: 401 | 403 | 421; readonly problem: string }

/** @param tcp null for the Unix socket, which needs no proof: only the gateway's user may open it */
export function admit(headers: IncomingHttpHeaders, tcp: TcpAccess | null, isPublic: boolean): Admission {
  if (tcp === null) return { access: 'socket' }
  const { host = '', origin, authorization } = headers
  // Threat: DNS rebinding. A page of another site, whose name has the gateway's address now, is of the same origin to a browser,
  // and gives itself away by that name alone. An address cannot be rebound.
  if (!isOwnHost(host, tcp.hosts)) return { status: 421, problem: 'Unknown Host' }
  // Threat: a page of another site makes a browser ask.
  if (origin !== undefined && hostOf(origin) !== host.toLowerCase())
    return { status: 403, problem: 'Requests from pages of another origin are not answered' }
  const token = /^Bearer ([!-~]+)$/i.exec(authorization ?? '')?.[1]
  if (token !== undefined && isSame(token, tcp.token)) return { access: 'token' }
  if (isPublic && token === undefined) return { access: 'none' }
  return { status: 401, problem: 'Send the token of the admin listener: `Authorization: Bearer TOKEN`' }
}

function isOwnHost(host: string, hosts: readonly string[]): boolean {
  const name = host.replace(/:\d{1,5}$/, '').toLowerCase()
  return name === 'localhost' || hosts.includes(name) || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null
}

/** In constant time, whatever the lengths: both are hashed first. */
function isSame(given: string, token: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(given), hash(token))
}
