import { chmodSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chooseBackend } from '../run/choose-backend.js'
import { noOptions, type RunOptions } from '../run/options.js'
import { withDockerHost } from '../run/with-host.js'
import type { FoundGateway } from '../sandbox/backends/docker/gateway.js'
import type { DockerHost } from '../sandbox/backends/docker/host.js'
import { findTool } from '../sandbox/backends/namespaces/host-tools.js'
import { parseLimits } from '../sandbox/limits.js'
import type { CommandIo } from '../common/io.js'

const INSIDE = fileURLToPath(new URL('../doctor/inside.js', import.meta.url))

/** The same, in the gateway's own image. */
const INSIDE_IMAGE = '/app/dist/src/doctor/inside.js'

export interface DoctorOptions {
  readonly json: boolean
  readonly backend: string | undefined
  /** As for `egress run`: which rules the probes meet, where the policy has no agent `default`. */
  readonly agent: string | undefined
  readonly policy: string | undefined
}

/** `egress doctor`: tests the isolation of a temporary sandbox. */
export function doctor({ json, ...chosen }: DoctorOptions, io: CommandIo): Promise<number> {
  const options = { ...noOptions(parseLimits([])), ...chosen }
  const last = json ? ['--json'] : []
  return withDockerHost(io, async (host, io) => {
    const found = await chooseBackend(options, io.env, host)
    if (found.name === 'docker') return onDocker(last, options, io, host, await found.gateway)
    const args = (await host.addresses()).flatMap((address) => ['--host', address])
    const lateFiles = findTool('perl') === null ? ['--late-files', 'Perl is not installed'] : []
    const { runEmbedded } = await import('../run/embedded.js')
    return runEmbedded(
      [process.execPath, INSIDE, ...args, ...lateFiles, ...last],
      { ...options, workdir: dirname(INSIDE) },
      io,
    )
  })
}

async function onDocker(
  last: readonly string[],
  options: RunOptions,
  io: CommandIo,
  host: DockerHost,
  found: FoundGateway,
): Promise<number> {
  const { runDocker } = await import('../run/docker.js')
  const { factsForDoctor } = await import('../run/doctor-facts.js')
  const { args, image, gateway } = await factsForDoctor(host, io, found)
  const workdir = join(host.facts.directory, 'work')
  mkdirSync(workdir)
  chmodSync(workdir, 0o755)
  return runDocker(
    ['node', INSIDE_IMAGE, ...args, ...last],
    // The engine's version is one of the findings.
    { ...options, image, workdir, allowOldEngine: true },
    io,
    host,
    Promise.resolve(gateway),
  )
}
