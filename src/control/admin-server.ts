import { mkdirSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { EgressError, exitCodeOf, formatError } from '../common/errors.js'
import { MAX_REQUEST_BYTES, type AdminReply, type AdminRequest } from './admin-protocol.js'

/** Returns lines of text, or throws the error for the caller. */
export type AdminHandler = (request: AdminRequest) => readonly string[] | Promise<readonly string[]>

/** Milliseconds in which a request must arrive. The reply may take longer, because a reload reads all secrets again. */
const REQUEST_TIMEOUT_MS = 5_000

/**
 * Serves the admin socket. It is in a directory of the gateway's own container, so only programs in that container can use it,
 * and no sandbox can.
 */
export async function serveAdmin(path: string, handle: AdminHandler): Promise<{ close(): void }> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  // Left by a gateway that was killed.
  rmSync(path, { force: true })
  const server = createServer({ allowHalfOpen: true }, (socket) => answer(socket, handle))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  return { close: () => server.close() }
}

function answer(socket: Socket, handle: AdminHandler): void {
  let text = ''
  socket.on('error', () => socket.destroy())
  socket.setTimeout(REQUEST_TIMEOUT_MS, () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    if (text.length > MAX_REQUEST_BYTES) socket.destroy()
  })
  socket.on('end', () => {
    socket.setTimeout(0)
    void replyTo(text, handle).then((reply) => socket.end(`${JSON.stringify(reply)}\n`))
  })
}

async function replyTo(text: string, handle: AdminHandler): Promise<AdminReply> {
  try {
    return { lines: await handle(JSON.parse(text) as AdminRequest) }
  } catch (error) {
    const { problem, fix } =
      error instanceof EgressError
        ? error
        : { problem: formatError(error).trim(), fix: 'Check the log of the gateway' }
    return { problem, fix, exitCode: exitCodeOf(error) }
  }
}
