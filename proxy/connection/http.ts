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
