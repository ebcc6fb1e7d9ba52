import { askAdmin, errorIn } from '../control/ask-admin.js'
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
  const answer = await askAdmin(socket, { method: 'POST', path: '/reload' })
  if (answer === null)
    throw new EgressError({
      code: 'EGRESS_NO_GATEWAY',
      problem: `No gateway is running here (tried ${socket})`,
      fix: 'Start one with `egress serve`; with Compose, run `docker compose exec proxy egress reload`',
      exitCode: EXIT.failed,
    })
  const error = errorIn(answer)
  if (error === null) {
    io.stdout.write('Policy reloaded\n')
    return EXIT.fine
  }
  io.stderr.write(`egress: ${error.problem}\n  ${error.fix}\n`)
  return EXIT.failed
}
