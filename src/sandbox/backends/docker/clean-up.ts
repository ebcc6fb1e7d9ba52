import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DockerHost } from './host.js'

/** The containers of the gateway that runs are connected to. */
export interface GatewayContainers {
  readonly dns: string
  readonly proxy: string
}

/** What to remove after a run. */
export interface CleanUpOrder {
  readonly project: string
  /** the machine of the run: the part of an owner's name before the process id */
  readonly place: string
  readonly containers: GatewayContainers
  /** network of the run, null if it has none */
  readonly network: string | null
  /** directories of the run */
  readonly directories: readonly string[]
  /** an empty file on the host */
  readonly emptyFile: string
}

/** A gateway that is restarting leaves a network with a delay of about a second. */
const LEAVE_ATTEMPTS = 10

/** The machine in the name of an owner. */
export const placeOf = (owner: string): string => owner.split('/').slice(0, -2).join('/')

/** Path of a run's empty file, which is mounted over hidden files and copied to report the end. */
export const emptyFileIn = (directory: string): string => join(directory, 'empty')

/** Removes a run's network and directories, and the remains of killed runs. */
export async function cleanUp(host: DockerHost, order: CleanUpOrder): Promise<void> {
  if (order.network !== null) await removeNetwork(host, order.containers, order.network)
  await sweep(host, order)
  for (const directory of order.directories) await host.removeDirectory(directory)
}

/** Removes the remains of killed runs of this machine. Runs of other machines are left alone: their processes are not visible here. */
export async function sweep(
  host: DockerHost,
  order: Pick<CleanUpOrder, 'project' | 'place' | 'containers' | 'emptyFile'>,
): Promise<void> {
  const { stdout } = await host.docker([
    ...['network', 'ls', '--filter', `label=io.egress.project=${order.project}`],
    ...['--format', '{{.Name}} {{.Label "io.egress.owner"}}'],
  ])
  const networks = stdout.split('\n').flatMap((line) => {
    const [network = '', owner = ''] = line.split(' ')
    return network === '' ? [] : [{ network, owner }]
  })
  for (const { network, owner } of networks) {
    if (!(await isOver(host, order.place, owner))) continue
    await tellEnd(host, order, network, null)
    await removeNetwork(host, order.containers, network)
  }
  await host.sweepReserved()
  for (const { directory, owner } of await host.runDirectories())
    if (await isOver(host, order.place, owner)) await host.removeDirectory(directory)
}

async function isOver(host: DockerHost, place: string, owner: string): Promise<boolean> {
  const pid = Number(owner.split('/').at(-2))
  if (placeOf(owner) !== place || !Number.isInteger(pid) || pid < 1) return false
  return (await host.owner(pid)) !== owner
}

/** Reports the end to the gateway by a file name. Without an exit code, the container may still exist, so remove it. */
export async function tellEnd(
  host: DockerHost,
  { containers, emptyFile }: Pick<CleanUpOrder, 'containers' | 'emptyFile'>,
  network: string,
  exitCode: number | null,
): Promise<void> {
  if (exitCode === null) await host.docker(['rm', '-f', network])
  const name = `${network.replace(/^egress-/, '')}.${exitCode === null ? '' : String(exitCode)}`
  await host.docker(['cp', emptyFile, `${containers.proxy}:/var/lib/egress/shared/ended/${name}`])
}

/** Removes a network. If a gateway container is still connected, the network is left for the next sweep. */
export async function removeNetwork(
  host: DockerHost,
  { dns, proxy }: GatewayContainers,
  network: string,
): Promise<void> {
  const left = await Promise.all([leave(host, network, dns), leave(host, network, proxy)])
  if (left.every(Boolean)) await host.docker(['network', 'rm', network])
}

/**
 * Checks the result: `docker network disconnect` can succeed while a restarting gateway stays connected, and a gateway whose
 * network is removed can never start again.
 */
async function leave(host: DockerHost, network: string, container: string): Promise<boolean> {
  for (let attempt = 0; attempt < LEAVE_ATTEMPTS; attempt += 1) {
    if (attempt > 0) await sleep(1000)
    await host.docker(['network', 'disconnect', '-f', network, container])
    const { code, stdout } = await host.docker([
      ...['container', 'inspect', '--format'],
      ...['{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}', container],
    ])
    if (code !== 0 || !stdout.trim().split(' ').includes(network)) return true
  }
  return false
}
