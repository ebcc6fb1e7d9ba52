import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import type { AdminReply, AdminRequest } from './admin-protocol.js'

/** Sends a request to the gateway's admin socket. Null if the gateway is not running, or ended before it replied. */
export async function askAdmin(socketPath: string, request: AdminRequest): Promise<AdminReply | null> {
  const socket = connect(socketPath)
  socket.end(JSON.stringify(request))
  try {
    return JSON.parse(await text(socket)) as AdminReply
  } catch {
    return null
  }
}
