import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import type { AdminReply, AdminRequest } from './admin-protocol.js'

/** Asks the gateway whose admin socket this is. Null when nobody listens, or whoever did went away. */
export async function askAdmin(socketPath: string, request: AdminRequest): Promise<AdminReply | null> {
  const socket = connect(socketPath)
  socket.end(JSON.stringify(request))
  try {
    return JSON.parse(await text(socket)) as AdminReply
  } catch {
    return null
  }
}
