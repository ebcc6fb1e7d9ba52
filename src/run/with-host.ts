import type { CommandIo } from '../common/io.js'
import { exitCodeOf, formatError } from '../common/errors.js'
import { FrontHost, frontFacts } from '../sandbox/backends/docker/front-host.js'
import type { DockerHost } from '../sandbox/backends/docker/host.js'
import { LocalHost } from '../sandbox/backends/docker/local-host.js'

/** Calls `work` with the host: this program's own, or, in a container, the shell that started it. */
export async function withDockerHost(
  io: CommandIo,
  work: (host: DockerHost, io: CommandIo) => Promise<number>,
): Promise<number> {
  const facts = frontFacts(io.env)
  if (facts === null) return work(new LocalHost(), io)
  const host = new FrontHost(facts)
  const stderr = { write: (text: string) => (host.say(text), true) }
  let code: number
  try {
    code = await work(host, { ...io, stderr })
  } catch (error) {
    stderr.write(formatError(error))
    code = exitCodeOf(error)
  }
  await host.leave(code)
  return code
}
