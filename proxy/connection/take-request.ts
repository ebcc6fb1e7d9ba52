import type { Downstream } from '../downstream/downstream.js'
import type { RequestConnection } from '../request/exchange.js'
import { handleRequest } from '../request/handle.js'
import { turnOf, type Connection } from './connection.js'
import type { ConnectionTools } from './protocol.js'

/** A request of a connection, in whatever protocol, takes its steps when its sandbox has its turn. */
export function takeRequest(
  connection: Connection,
  tools: ConnectionTools,
  downstream: Downstream,
): Promise<void> {
  const { context } = tools
  return context.turns.enter(turnOf(connection), () =>
    handleRequest(context, asOfNow(connection, tools), downstream),
  )
}

/** A sandbox that has ended since is nobody any more, and its address may be another's. */
export function asOfNow(connection: Connection, { context }: ConnectionTools): RequestConnection {
  const { sandbox, peer, listener, host, scheme, port, checkedName } = connection
  const now = context.identify(peer)
  if (now === sandbox) return connection
  const same = sandbox === null || now?.id === sandbox.id
  return { sandbox: same ? now : null, peer, listener, host, scheme, port, checkedName }
}
