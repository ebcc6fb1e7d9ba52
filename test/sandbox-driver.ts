/*
 * A small gateway for the tests: launches one sandbox, serves its sockets, tells on stderr what happened in lines that start
 * with @@. Started as a process of its own, so that it can be run by another user, have a terminal, and be killed. It is copied
 * with `src/sandbox` to a directory of its own, where only relative imports work.
 */
import { writeSync } from 'node:fs'
import type { Socket as DatagramSocket } from 'node:dgram'
import { Server } from 'node:net'
import { closeInheritedDescriptors } from '../src/sandbox/descriptors.js'
import { NamespacesBackend } from '../src/sandbox/backends/namespaces/backend.js'
import { planNamespaces } from '../src/sandbox/backends/namespaces/setting.js'
import { SandboxError } from '../src/sandbox/sandbox-error.js'
import type { BenchSpec } from './sandbox-bench.js'

const { spec, keepDescriptors, hold } = JSON.parse(process.argv[2] ?? '') as {
  spec: BenchSpec
  keepDescriptors?: boolean
  hold?: boolean
}
if (!keepDescriptors) closeInheritedDescriptors()

try {
  const started = performance.now()
  const { plan, warnings } = await planNamespaces('sb-0123456789', spec)
  const sandbox = new NamespacesBackend(() => Promise.resolve(spec.files))
  await sandbox.prepare(plan)
  for (const [name, socket] of sandbox.sockets) serve(name, socket)
  tell({
    built: Math.round(performance.now() - started),
    sockets: [...sandbox.sockets.keys()],
    warnings,
  })
  for (const name of ['SIGTERM', 'SIGINT', 'SIGUSR1'] as const) process.on(name, () => sandbox.signal(name))
  process.on('SIGUSR2', () => void sandbox.end())
  if (!hold) sandbox.start()
  process.exit(await sandbox.wait())
} catch (error) {
  if (!(error instanceof SandboxError)) throw error
  tell({ code: error.code, message: error.message, fix: error.fix })
  process.exit(error.exitCode)
}

function serve(name: string, socket: Server | DatagramSocket): void {
  if (socket instanceof Server) {
    socket.on('connection', (connection) => connection.end(`gateway:${name}\n`))
  } else {
    socket.on('message', (_, peer) => socket.send(`gateway:${name}`, peer.port, peer.address))
  }
}

function tell(event: object): void {
  writeSync(2, `@@${JSON.stringify(event)}\n`)
}
