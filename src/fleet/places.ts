import { existsSync, readdirSync, rmSync } from 'node:fs'
import { askAdmin, type AdminAnswer, type AdminQuestion } from '../control/ask-admin.js'
import type { CommandIo } from '../common/io.js'
import { stateDirectory } from '../common/sandbox-writes.js'
import { adminSocketIn, runSocketIn, runSocketsIn, stateDirectories } from '../common/state.js'
import { findGateway } from '../sandbox/backends/docker/gateway.js'
import { LocalHost } from '../sandbox/backends/docker/local-host.js'
import { dockerOptions } from '../sandbox/backends/docker/options.js'

/** A gateway that an operator can reach from here. */
export interface Place {
  /** For messages. */
  readonly name: string
  /** Null if it does not answer. */
  ask(question: AdminQuestion): Promise<AdminAnswer | null>
  /**
   * Ends the processes of a sandbox that the gateway has cut off but cannot end, since they run elsewhere. Resolves with false if
   * that is not possible from here.
   */
  kill(sandbox: string): Promise<boolean>
}

/**
 * Every gateway that this user can reach: `egress serve` on this machine or in this container, single runs of this user, and the
 * gateway on Docker.
 */
export async function findPlaces(io: CommandIo): Promise<Place[]> {
  const server = adminSocketIn(stateDirectories(io.env).run)
  return [
    ...(existsSync(server) ? [served(server)] : []),
    ...runs(stateDirectory()),
    ...(await onDocker(io.env)),
  ]
}

function served(socket: string): Place {
  return {
    name: 'The gateway',
    ask: (question) => askAdmin(socket, question),
    kill: () => Promise.resolve(false),
  }
}

function runs(directory: string): Place[] {
  const sockets = runSocketsIn(directory)
  if (!existsSync(sockets)) return []
  return readdirSync(sockets)
    .filter((name) => name.endsWith('.sock'))
    .map((name) => name.slice(0, -'.sock'.length))
    .map((id) => ({
      name: `Run ${id}`,
      async ask(question) {
        const socket = runSocketIn(directory, id)
        const answer = await askAdmin(socket, question)
        // Left by a run that was killed.
        if (answer === null) rmSync(socket, { force: true })
        return answer
      },
      // Its own process has done so.
      kill: () => Promise.resolve(true),
    }))
}

async function onDocker(env: CommandIo['env']): Promise<Place[]> {
  const host = new LocalHost()
  const gateway = await findGateway(host, dockerOptions(env, { image: undefined, allowOldEngine: false }))
  if (typeof gateway === 'string') return []
  return [
    {
      name: 'The gateway on Docker',
      async ask({ method, path, body }) {
        const words = body === undefined ? [] : [JSON.stringify(body)]
        const asked = ['exec', gateway.proxy, 'egress-admin', 'request', method, path, ...words]
        const { code, stdout } = await host.docker(asked)
        return code === 0 ? (JSON.parse(stdout) as AdminAnswer) : null
      },
      async kill(sandbox) {
        const { code, stderr } = await host.docker(['kill', `egress-${sandbox}`])
        return code === 0 || /No such container|is not running/i.test(stderr)
      },
    },
  ]
}
