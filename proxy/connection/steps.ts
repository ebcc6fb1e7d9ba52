import { parseAuthority, type Authority } from '#firewall/names/hostname.js'
import { deny, type Denial } from '../contracts/denial.js'
import { statusLine } from '../message/status-line.js'
import type { Connection } from './connection.js'
import { decideName, evaluateAuthority, type NameInquiry } from './evaluate-name.js'
import { mayBeHttp, nameOpening } from './foreign-protocols.js'
import { peek, SILENCE_MS } from './opening.js'
import type { ConnectionTools, Protocol } from './protocol.js'
import { recordLostOpening } from './deny-connection.js'

/** How a step ends a connection: with a denial that is yet to be recorded and told, or because there is nobody to tell. */
export type StepEnd = Denial | 'gone'

/** One step of a connection: it ends it, or passes on. It may set the field that it is there to find out. */
export interface ConnectionStep {
  readonly name: string
  run(
    connection: Connection,
    tools: ConnectionTools & { readonly protocols: readonly Protocol[] },
  ): StepEnd | null | Promise<StepEnd | null>
}

const identifySandbox: ConnectionStep = {
  name: 'identify the sandbox by its peer',
  run(connection, { context }) {
    if (connection.parent === null) connection.sandbox = context.identify(connection.peer)
    return null
  },
}

const readConnectTarget: ConnectionStep = {
  name: 'read what CONNECT asks for',
  run(connection, { context: { gatewayName } }) {
    const { connect } = connection
    if (connect === null) return null
    const authority = parseAuthority(connect.target)
    if (authority === null || authority.port === null) return deny('bad-authority')
    connection.host = authority.host
    connection.port = authority.port
    return checkConnectHost(connect.headers['host'], authority, gatewayName)
  },
}

/**
 * RFC 9112 section 3.2.3: Host repeats the target. Python before 3.12 sends none, and Node's own client names the proxy;
 * both say nothing else than the target does.
 */
function checkConnectHost(
  named: string | string[] | undefined,
  { host, port }: Authority,
  gateway: string,
): Denial | null {
  if (named === undefined) return null
  if (typeof named !== 'string') return deny('bad-framing', { detail: 'there must be one Host header' })
  const authority = parseAuthority(named)
  if (authority?.host === gateway) return null
  return authority?.host === host && (authority.port ?? port) === port ? null : deny('host-mismatch')
}

const evaluateConnect: ConnectionStep = {
  name: 'the policy lists the name that CONNECT asks for',
  run(connection, { context }) {
    if (connection.connect === null) return null
    if (connection.sandbox === null) return deny('unknown-sandbox')
    return payForName(connection, context.now(), null)
  },
}

const answerConnect: ConnectionStep = {
  name: 'answer CONNECT',
  run({ connect, socket }) {
    if (connect === null) return null
    socket.write(`${statusLine(200, 'Connection Established')}\r\n\r\n`)
    if (connect.head.length > 0) socket.unshift(connect.head)
    return null
  },
}

const readOpening: ConnectionStep = {
  name: 'read the opening, where the listener takes more than HTTP',
  run(connection, { context }) {
    if (connection.expects === 'http' || connection.expects === 'http2') {
      connection.opening = { kind: connection.expects === 'http' ? 'unread' : 'http2' }
      return null
    }
    return peek(connection.socket).then(async (opening) => {
      if (opening.kind === 'closed') {
        // One that has only stopped sending would stay half open, and count as one of its sandbox's.
        connection.socket.destroy()
        await recordLostOpening(context, connection, opening)
        return 'gone'
      }
      connection.opening = opening
      return null
    })
  },
}

const checkServerName: ConnectionStep = {
  name: 'TLS names a server, and the one that CONNECT asked for',
  run(connection) {
    const { opening, sandbox, expects } = connection
    // Inside a CONNECT, plain bytes are HTTP unless another protocol knows them.
    if (opening?.kind === 'plain' && expects === 'any') connection.scheme = 'http'
    if (opening?.kind !== 'tls') return null
    const { serverName } = opening.offer
    connection.scheme = 'https'
    connection.host ??= serverName
    if (sandbox === null) return deny('unknown-sandbox')
    if (serverName === null || connection.port === null) return deny('no-server-name')
    return serverName === connection.host ? null : deny('host-mismatch')
  },
}

const evaluateServerName: ConnectionStep = {
  name: 'the policy lists the name, unless it was asked for this connection before',
  run(connection, { context }) {
    const { opening, scheme } = connection
    if (opening?.kind === 'tls') {
      const denial = payForName(connection, context.now(), 'https')
      if (denial !== null) return denial
    }
    const inquiry = inquiryOf(connection)
    if (inquiry === null || scheme === null) return null
    const destination = evaluateAuthority(inquiry, scheme)
    if (!('reason' in destination)) connection.destination = destination
    // What is not TLS says more with its requests, and is denied in its own words.
    else if (opening?.kind === 'tls') return destination
    return null
  },
}

/** Threat: a name under a wildcard is data that leaves. It is charged once for a connection, however often it is repeated. */
function payForName(connection: Connection, now: number, scheme: 'https' | null): Denial | null {
  const { snapshot, checkedName } = connection
  const inquiry = inquiryOf(connection)
  if (inquiry === null) return deny('unknown-sandbox')
  if (checkedName?.host === inquiry.host) return null
  const denial = decideName(inquiry, scheme, now, true)
  if (denial === null) connection.checkedName = { host: inquiry.host, snapshot }
  return denial
}

function inquiryOf({ snapshot, sandbox, host, port }: Connection): NameInquiry | null {
  return sandbox === null || host === null || port === null ? null : { snapshot, sandbox, host, port }
}

const chooseProtocol: ConnectionStep = {
  name: 'choose the protocol',
  run(connection, { protocols }) {
    connection.protocol = protocols.find((protocol) => protocol.recognises(connection)) ?? null
    return connection.protocol === null ? denyOpening(connection.opening) : null
  },
}

/** Threat: what nobody can check passes in a CONNECT for whatever it may be, or hangs there and leaves no record. */
function denyOpening(opening: Connection['opening']): Denial {
  if (opening?.kind === 'plain')
    return mayBeHttp(opening.first)
      ? deny('not-tls')
      : deny('not-http', { detail: nameOpening(opening.first) })
  if (opening?.kind !== 'silent') return deny('not-tls')
  const seconds = String(SILENCE_MS / 1000)
  const detail = `the client sent nothing for ${seconds} seconds, and may wait for the server to speak first`
  return deny('not-http', { detail })
}

/** A connection, from the accepted socket to the moment before its protocol takes it over. */
export const CONNECTION_STEPS: readonly ConnectionStep[] = [
  identifySandbox,
  readConnectTarget,
  evaluateConnect,
  answerConnect,
  readOpening,
  checkServerName,
  evaluateServerName,
  chooseProtocol,
]
