import { askAdmin } from '../control/ask-admin.js'
import { EgressError, EXIT } from '../common/errors.js'
import { adminSocketIn, stateDirectories } from '../common/state.js'
import type { CommandIo } from '../common/io.js'

/**
 * `egress reload`: makes the running gateway (`egress serve`) read its policy again, and waits for the result.
 *
 * @returns 0 if the new policy is in force in both roles; 1 if not: a role that rejected it keeps its previous policy
 */
export async function runReload(io: CommandIo): Promise<number> {
  const socket = adminSocketIn(stateDirectories(io.env).run)
  const reply = await askAdmin(socket, { do: 'reload' })
  if (reply === null)
    throw new EgressError({
      code: 'EGRESS_NO_GATEWAY',
      problem: `No gateway is running here (tried ${socket})`,
      fix: 'Start one with `egress serve`; with Compose, run `docker compose exec proxy egress reload`',
      exitCode: EXIT.failed,
    })
  if ('lines' in reply) {
    io.stdout.write(reply.lines.map((line) => `${line}\n`).join(''))
    return EXIT.fine
  }
  io.stderr.write(`egress: ${reply.problem}\n  ${reply.fix}\n`)
  return EXIT.failed
}
