import { chooseBackend } from '../run/choose-backend.js'
import type { RunOptions } from '../run/options.js'
import { withDockerHost } from '../run/with-host.js'
import type { CommandIo } from '../common/io.js'

/**
 * Runs a command in a sandbox: of namespaces behind a gateway of its own, or on Docker behind the one that runs there.
 *
 * @returns the command's exit code (128 + n for signal n)
 */
export function run(command: readonly string[], options: RunOptions, io: CommandIo): Promise<number> {
  return withDockerHost(io, async (host, io) => {
    const chosen = await chooseBackend(options, io.env, host)
    if (chosen.name === 'docker') {
      const { runDocker } = await import('../run/docker.js')
      return runDocker(command, options, io, host, chosen.gateway)
    }
    const { runEmbedded } = await import('../run/embedded.js')
    return runEmbedded(command, options, io)
  })
}
