import { networkInterfaces } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CommandIo } from './io.js'
import { parseLimits } from '../limits.js'
import { run } from './run.js'

const INSIDE = fileURLToPath(new URL('../doctor/inside.js', import.meta.url))

/** `egress doctor`: tests the isolation of a temporary sandbox. `sandbox-run --doctor` does the same with Docker. */
export function doctor({ json }: { readonly json: boolean }, io: CommandIo): Promise<number> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const hosts = addresses.filter(({ internal, family }) => !internal && family === 'IPv4')
  const args = [...hosts.flatMap(({ address }) => ['--host', address]), ...(json ? ['--json'] : [])]
  return run(
    [process.execPath, INSIDE, ...args],
    {
      agent: undefined,
      policy: undefined,
      auditDir: undefined,
      workdir: dirname(INSIDE),
      write: false,
      mounts: [],
      env: [],
      limits: parseLimits([]),
    },
    io,
  )
}
