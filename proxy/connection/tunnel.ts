import type { OpenStream, StreamEnd } from '../context/open-streams.js'
import { deny } from '../contracts/denial.js'
import { connectionDecision } from '../records/connection-decision.js'
import { Flow, runFlow } from '../records/flow.js'
import { resolveUpstream } from '../upstream/resolve-upstream.js'
import { passThrough } from '../upstream/tunnel.js'
import type { Connection } from './connection.js'
import { takeRoom } from '../request/room.js'
import { denyConnection } from './deny-connection.js'
import type { ConnectionTools, Protocol } from './protocol.js'

/** Passes TLS through unread, where the policy says `tunnel`. */
export const tunnel: Protocol = {
  name: 'tunnel',
  recognises: ({ opening, destination }) => opening?.kind === 'tls' && destination?.mode === 'tunnel',
  serve: serveTunnel,
}

async function serveTunnel(connection: Connection, { context }: ConnectionTools): Promise<void> {
  const { sandbox, host, port, destination, snapshot } = connection
  if (sandbox === null || host === null || port === null || destination === null) return
  const room = takeRoom(context.ledger, sandbox.id, snapshot.policy.limits)
  if ('reason' in room) {
    await denyConnection(context, connection, room)
    return
  }
  try {
    await passTunnel(connection, { sandbox, host, port, destination }, context)
  } finally {
    room.leave()
  }
}

type Target = { readonly [K in 'sandbox' | 'host' | 'port' | 'destination']: NonNullable<Connection[K]> }

async function passTunnel(
  connection: Connection,
  { sandbox, host, port, destination }: Target,
  context: ConnectionTools['context'],
): Promise<void> {
  const { socket, snapshot } = connection
  const origin = { scheme: 'https', host, port } as const
  const upstream = await resolveUpstream(context, snapshot, connection, origin, destination)
  if ('reason' in upstream) {
    await denyConnection(context, connection, upstream)
    return
  }
  if (context.shutdown.hasStarted()) {
    await denyConnection(context, connection, deny('shutting-down'))
    return
  }
  await runFlow(context.shutdown, new Flow(context), async (flow) => {
    const { id, startedAt: at } = flow
    const address = upstream.addresses[0] ?? null
    try {
      const event = { at, id, kind: 'tunnel', rule: destination.id, address } as const
      await flow.decide(connectionDecision(connection, event))
    } catch {
      socket.destroy()
      return
    }
    const forget = context.shutdown.onStart(() => socket.destroy())
    const cutBy: { reason: StreamEnd | null } = { reason: null }
    const stream: OpenStream = {
      sandbox,
      origin,
      mode: 'tunnel',
      end(reason) {
        cutBy.reason = reason
        socket.destroy()
      },
      // The policy says that nobody reads it.
      search: () => undefined,
    }
    const leave = context.streams.add(stream, snapshot, context.snapshot)
    const end = await passThrough(socket, upstream, snapshot.policy.http)
    forget()
    leave()
    const reason = cutBy.reason ?? (context.shutdown.hasStarted() ? 'shutting-down' : null)
    const cut = reason === null ? {} : ({ outcome: 'failure', reason } as const)
    flow.close({ ...end, ...cut, status: null, redactions: [] })
  })
}
