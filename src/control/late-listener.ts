import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import type { AdminListener, ServedRoutes } from './listener.js'

/** Bytes of the path of a Unix socket. Node cuts a longer one short without a word, and makes a socket with another name. */
const MAX_PATH = 107

/** An operator, and a page or two. */
const MAX_CONNECTIONS = 64

/**
 * The admin listener of a single run, which is seldom asked anything: what serves it is loaded with the first connection, so
 * that runs start no later for it.
 *
 * @param socket path of the Unix socket, in a directory that is hidden from sandboxes
 */
export async function serveAdminLate(
  socket: string,
  served: () => Promise<ServedRoutes>,
): Promise<AdminListener> {
  if (Buffer.byteLength(socket) > MAX_PATH)
    throw Object.assign(new Error(`${socket} is too long`), { code: 'ENAMETOOLONG' })
  mkdirSync(dirname(socket), { recursive: true, mode: 0o700 })
  rmSync(socket, { force: true })
  const open = new Set<Socket>()
  let loading: Promise<(connection: Socket) => void> | null = null
  const server = createServer({ pauseOnConnect: true }, (connection) => {
    open.add(connection)
    connection.once('close', () => open.delete(connection))
    connection.on('error', () => connection.destroy())
    loading ??= import('./listener.js').then(async ({ connectionHandler }) =>
      connectionHandler(await served()),
    )
    loading.then(
      (serve) => {
        serve(connection)
        connection.resume()
      },
      () => connection.destroy(),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socket, resolve)
  })
  chmodSync(socket, 0o600)
  server.unref()
  server.maxConnections = MAX_CONNECTIONS
  return {
    port: null,
    close() {
      server.close()
      for (const connection of open) connection.destroy()
      rmSync(socket, { force: true })
    },
  }
}
