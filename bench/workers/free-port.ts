import { createServer } from 'node:net'
import { listen, portOf } from './gateway.js'

/** A port on loopback that has just been free. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await listen(server)
  const port = portOf(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}
