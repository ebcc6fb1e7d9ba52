/*
 * Runs in the new network and mount namespaces, before the agent exists. Node gets it as text: if root starts the sandbox, its
 * user may not be allowed to read this file. So it imports only Node's own modules.
 *
 *   gateway  -- skeleton, sockets wanted -->  helper
 *   gateway  <-- one open socket a message --  helper
 *   gateway  -- bye ----------------------->  helper (exits)
 */
import { createSocket } from 'node:dgram'
import { chmodSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import type { HelperOrder, HelperReport } from './helper-messages.js'

// Node's own report of an error is long, and the cause is not in its last lines.
process.once('uncaughtException', (error) => {
  process.stderr.write(`could not open the gateway sockets: ${error.message}\n`)
  process.exit(1)
})
// Without the gateway, no sandbox: nothing could be allowed.
process.once('disconnect', () => process.exit(1))
process.once('message', (order: HelperOrder) => {
  process.once('message', () => process.exit(0))
  obey(order).catch((error: unknown) => {
    report({ failed: error instanceof Error ? error.message : String(error) })
  })
})

async function obey(order: HelperOrder): Promise<void> {
  buildSkeleton(order)
  for (const wanted of order.listen) {
    const socket = wanted.kind === 'tcp' ? await listenTcp(wanted.port) : await bindUdp(wanted.port)
    report({ socket: wanted.name }, socket)
  }
  report({ done: true })
}

function report(
  message: HelperReport,
  socket?: ReturnType<typeof createServer> | ReturnType<typeof createSocket>,
) {
  process.send?.(message, socket)
}

function buildSkeleton({ root, directories, files, bytes, own, links }: HelperOrder): void {
  for (const { path, mode } of directories) {
    mkdirSync(root + path, { recursive: true })
    chmodSync(root + path, mode)
  }
  for (const [path, target] of Object.entries(links)) {
    mkdirSync(dirname(root + path), { recursive: true })
    if (!lstatSync(root + path, { throwIfNoEntry: false })) symlinkSync(target, root + path)
  }
  for (const [path, content] of Object.entries(files)) write(root + path, content, 0o444)
  for (const [path, content] of Object.entries(bytes))
    write(root + path, Buffer.from(content, 'base64'), 0o444)
  for (const [path, content] of Object.entries(own)) write(root + path, Buffer.from(content, 'base64'), 0o600)
}

function write(path: string, content: string | Buffer, mode: number): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content, { mode })
}

function listenTcp(port: number): Promise<ReturnType<typeof createServer>> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port, backlog: 511 }, () => resolve(server))
  })
}

function bindUdp(port: number): Promise<ReturnType<typeof createSocket>> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    socket.once('error', reject)
    socket.bind({ address: '127.0.0.1', port }, () => resolve(socket))
  })
}
