import { TLSSocket } from 'node:tls'
import type { ProxyContext } from '../context/context.js'
import { deny, type Denial } from '../contracts/denial.js'
import { codeOf } from '../contracts/errors.js'
import { innerConnection, turnOf, type Connection } from './connection.js'
import { denyConnection, recordHandshakeFailure } from './deny-connection.js'
import type { ConnectionTools, Protocol } from './protocol.js'

/** Milliseconds in which a client must have finished its handshake. */
const HANDSHAKE_TIMEOUT_MS = 15_000

/** Ends TLS here, with a certificate for the name; what is inside is a connection of its own. */
export const tls: Protocol = {
  name: 'tls',
  recognises: ({ opening, destination }) => opening?.kind === 'tls' && destination?.mode === 'intercept',
  serve: serveTls,
}

const NO_REQUEST = 'it was completed, and no request followed'

/** Milliseconds of the processor that a handshake takes after its signature. */
const FINISH_COST_MS = 0.3

async function serveTls(connection: Connection, { context, run }: ConnectionTools): Promise<void> {
  const { socket, opening, host } = connection
  if (opening?.kind !== 'tls' || host === null) return
  // Minted only now, after the name was allowed.
  const turn = turnOf(connection)
  const denial = limitCertificates(connection, host, turn, context)
  if (denial !== null) return denyConnection(context, connection, denial)
  const secureContext = await context.turns.enter(turn, () =>
    context.ca.contextFor(turn, host, context.now()),
  )
  const ALPNProtocols = opening.offer.hasHttp2Cipher ? ['h2', 'http/1.1'] : ['http/1.1']
  // The hello is in the socket again, so the signature is computed here.
  const { inner, done } = await context.turns.enter(turn, () => {
    const inner = new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols })
    const done = handshake(inner)
    if (socket.destroyed) inner.destroy()
    return Promise.resolve({ inner, done })
  })
  context.turns.charge(turn, FINISH_COST_MS)
  const failure = await done
  if (failure !== null) {
    await recordHandshakeFailure(context, connection, opening.offer, failure)
    return
  }
  inner.once('close', () => {
    // A name was told and nothing was asked: no record of a request says so.
    if (inner.bytesRead === 0) void recordHandshakeFailure(context, connection, opening.offer, NO_REQUEST)
  })
  const expects = inner.alpnProtocol === 'h2' ? 'http2' : 'http'
  await run(innerConnection(connection, { socket: inner, expects }))
}

/** Threat: names under a wildcard are without end, and each takes a signature and memory. */
function limitCertificates(
  { snapshot }: Connection,
  host: string,
  sandbox: string,
  { ca, ledger, now }: ProxyContext,
): Denial | null {
  const at = now()
  if (ca.knows(sandbox, host, at)) return null
  const waitMs = ledger.certificates.take(sandbox, snapshot.policy.limits.certificates, at)
  return waitMs === 0 ? null : deny('busy', { detail: 'too many new certificates of this sandbox' })
}

/** Null once it is done; else how it ended: the code of OpenSSL's error, which names the alert that was sent or came. */
function handshake(inner: TLSSocket): Promise<string | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve('it took too long')
      inner.destroy()
    }, HANDSHAKE_TIMEOUT_MS)
    const settle = (failure: string | null) => {
      clearTimeout(timer)
      resolve(failure)
    }
    inner.on('error', (error) => {
      settle(codeOf(error))
      inner.destroy()
    })
    inner.once('close', () => settle('the client went away'))
    inner.once('secure', () => settle(null))
  })
}
