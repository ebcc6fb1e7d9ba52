import { deny } from '../contracts/denial.js'
import type { ConnectRequest } from '../downstream/http1-server.js'
import { innerConnection, turnOf, type Connection } from './connection.js'
import { denyConnection } from './deny-connection.js'
import { mayBeHttp } from './foreign-protocols.js'
import type { ConnectionTools, Protocol } from './protocol.js'
import { asOfNow, takeRequest } from './take-request.js'

/** HTTP/1.1: each request takes the steps of `proxy/request/steps.ts`. */
export const http: Protocol = {
  name: 'http',
  recognises: ({ opening, expects }) =>
    opening?.kind === 'unread' ||
    (opening?.kind === 'plain' && expects === 'any' && mayBeHttp(opening.first)),
  serve: serveHttp,
}

function serveHttp(connection: Connection, tools: ConnectionTools): void {
  const { context, http1, run } = tools
  const { socket, snapshot } = connection
  http1.serve(socket, snapshot.policy.http.idleTimeoutMs, {
    inTurn: (work) => context.turns.do(turnOf(connection), work),
    holdHead: headHolder(connection, tools),
    onRequest: (downstream) => takeRequest(connection, tools, downstream),
    onConnect(request) {
      const inner = behindConnect(connection, request, tools)
      if (connection.listener === 'forward' && connection.parent === null) void run(inner)
      else guard(denyConnection(context, inner, NO_CONNECT), connection, tools)
    },
    onHttp2: () => void run(innerConnection(connection, { expects: 'http2' })),
    onRejected: (denial, kind) => guard(denyConnection(context, connection, denial, kind), connection, tools),
  })
}

/** Bytes by which memory is reserved; each byte of a head is held by the parser, and once more as text. */
const HEAD_STEP = 131_072

/** Threat: a thousand connections, each with most of a large head. */
function headHolder({ sandbox, peer, socket, snapshot }: Connection, { context }: ConnectionTools) {
  let held = 0
  const memory = context.ledger.memory.open(sandbox?.id ?? peer.address, snapshot.policy.limits.memory)
  socket.once('close', () => memory.release())
  return (bytes: number): boolean => {
    const needed = Math.ceil((2 * bytes) / HEAD_STEP) * HEAD_STEP
    if (needed > held && !memory.tryReserve(needed - held)) return false
    if (needed < held) memory.release(held - needed)
    held = needed
    return true
  }
}

const NO_CONNECT = deny('bad-framing', { detail: 'CONNECT belongs to port 3128' })

function behindConnect(connection: Connection, connect: ConnectRequest, tools: ConnectionTools): Connection {
  const { sandbox } = asOfNow(connection, tools)
  return innerConnection(connection, { connect, sandbox, snapshot: tools.context.snapshot(), expects: 'any' })
}

/** A bug of ours on one connection closes that connection and no other. */
function guard(done: Promise<void>, { socket }: Connection, { context }: ConnectionTools): void {
  done.catch((error: unknown) => {
    context.fail(error)
    socket.destroy()
  })
}
