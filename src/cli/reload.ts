import { askAdmin } from '../control/ask-admin.js'
import { EgressError, EXIT } from '../common/errors.js'
import { adminSocketIn, stateDirectories } from '../common/state.js'
import type { CommandIo } from '../common/io.js'

/**
 * `egress reload`: tells the gateway that runs here (`egress serve`) to read its policy again, and waits for what becomes of it.
 *
 * @returns 0 when the new policy is in force in both roles, 1 when it is not; then the one before still is where it was refused
 */
export async function runReload(io: CommandIo): Promise<number> {
  const socket = adminSocketIn(stateDirectories(io.env).run)
  const reply = await askAdmin(socket, { do: 'reload' })
  if (reply === null)
    throw new EgressError({
      code: 'EGRESS_NO_GATEWAY',
      problem: `no gateway answers at ${socket}`,
      fix: 'start one with `egress serve`; with Compose: `docker compose exec proxy egress reload`',
      exitCode: EXIT.failed,
    })
  if ('lines' in reply) {
    io.stdout.write(reply.lines.map((line) => `${line}\n`).join(''))
    return EXIT.fine
  }
  io.stderr.write(`egress: ${reply.problem}\n  ${reply.fix}\n`)
  return EXIT.failed
}
