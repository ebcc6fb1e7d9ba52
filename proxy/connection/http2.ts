import { deny } from '../contracts/denial.js'
import type { Connection } from './connection.js'
import { recordBroken } from './deny-connection.js'
import type { ConnectionTools, Protocol } from './protocol.js'
import { takeRequest } from './take-request.js'

/** HTTP/2, where the client and the gateway have agreed on it: each stream takes the steps of `proxy/request/steps.ts`. */
export const http2: Protocol = {
  name: 'http2',
  recognises: ({ opening }) => opening?.kind === 'http2',
  serve: serveHttp2,
}

function serveHttp2(connection: Connection, tools: ConnectionTools): void {
  const { context } = tools
  const { socket, snapshot, scheme, listener, host } = connection
  const isProxy = listener === 'forward' && host === null
  tools.http2.serve(
    socket,
    { scheme, isProxy, idleMs: snapshot.policy.http.idleTimeoutMs },
    {
      onRequest: (downstream) => takeRequest(connection, tools, downstream),
      onBroken: (detail) => void recordBroken(context, connection, deny('bad-framing', { detail })),
      isCurrent: () => context.snapshot() === snapshot,
    },
  )
}
