import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findGateway } from './gateway.js'
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
  /** the end that the gateway has not heard of, null if it has */
  readonly untold: { readonly exitCode: number | null } | null
  /** directories of the run */
  readonly directories: readonly string[]
  /** an empty file on the host */
  readonly emptyFile: string
}

/** A gateway that is restarting leaves a network with a delay of about a second. */
const LEAVE_ATTEMPTS = 10

/** Attempts to tell a gateway the end of a run, a second apart: an upgrade replaces its containers meanwhile. */
const TELL_ATTEMPTS = 60

/** Age in milliseconds from which a network that no sandbox is registered for was left behind: to register takes seconds. */
const ABANDONED_MS = 600_000

/** The machine in the name of an owner. */
export const placeOf = (owner: string): string => owner.split('/').slice(0, -2).join('/')

/** Path of a run's empty file, which is mounted over hidden files and copied to report the end. */
export const emptyFileIn = (directory: string): string => join(directory, 'empty')

/** Removes a run's network and directories, and the remains of killed runs. */
export async function cleanUp(host: DockerHost, order: CleanUpOrder): Promise<void> {
  const { network, untold } = order
  if (network !== null && untold !== null)
    for (let attempt = 1; attempt < TELL_ATTEMPTS; attempt += 1) {
      if (await tellEnd(host, { ...order, containers: await containersNow(host, order) }, network, untold))
        break
      await sleep(1000)
    }
  const now = { ...order, containers: await containersNow(host, order) }
  if (network !== null) await removeNetwork(host, now.containers, network)
  await sweep(host, now)
  for (const directory of order.directories) await host.removeDirectory(directory)
}

/** The gateway's containers as they are now: an upgrade replaces them. */
async function containersNow(
  host: DockerHost,
  { project, containers }: Pick<CleanUpOrder, 'project' | 'containers'>,
): Promise<GatewayContainers> {
  const found = await findGateway(host, { project })
  return typeof found === 'string' ? containers : found
}

/** Removes the remains of killed runs of this machine, and networks that belong to no sandbox, such as those before a restart of it. */
export async function sweep(
  host: DockerHost,
  order: Pick<CleanUpOrder, 'project' | 'place' | 'containers' | 'emptyFile'>,
): Promise<void> {
  const { stdout } = await host.docker([
    ...['network', 'ls', '--filter', `label=io.egress.project=${order.project}`],
    ...['--format', '{{.Name}} {{.Label "io.egress.owner"}} {{.CreatedAt}}'],
  ])
  const networks = stdout.split('\n').flatMap((line) => {
    const [network = '', owner = '', ...created] = line.split(' ')
    return network === '' ? [] : [{ network, owner, created: readTime(created.join(' ')) }]
  })
  const elsewhere: string[] = []
  for (const { network, owner, created } of networks) {
    if (await isOver(host, order.place, owner)) {
      await tellEnd(host, order, network, { exitCode: null })
      await removeNetwork(host, order.containers, network)
    } else if (placeOf(owner) !== order.place && Date.now() - created > ABANDONED_MS) elsewhere.push(network)
  }
  if (elsewhere.length > 0) await sweepAbandoned(host, order, elsewhere)
  await host.sweepReserved()
  for (const { directory, owner } of await host.runDirectories())
    if (isOfEarlierBoot(order.place, owner) || (await isOver(host, order.place, owner)))
      await host.removeDirectory(directory)
}

/**
 * Runs of other machines, and of this one before it was restarted, look alike: their processes are not visible here. So what counts
 * is whether the gateway knows a sandbox of that network, and whether there is a container.
 */
async function sweepAbandoned(
  host: DockerHost,
  { containers }: Pick<CleanUpOrder, 'containers'>,
  networks: readonly string[],
): Promise<void> {
  const listed = await host.docker(['exec', containers.proxy, 'egress-admin', 'list'])
  if (listed.code !== 0) return
  const registered = new Set(listed.stdout.split('\n').map((line) => `egress-${line.split(' ')[0] ?? ''}`))
  for (const network of networks) {
    if (registered.has(network)) continue
    const { code, stdout } = await host.docker(['ps', '-aq', '--filter', `name=^${network}$`])
    if (code === 0 && stdout.trim() === '') await removeNetwork(host, containers, network)
  }
}

/** A directory for temporary files is the machine's own, so that a run of another start of the machine is over. */
function isOfEarlierBoot(place: string, owner: string): boolean {
  const [now = '', then = ''] = [place, owner].map((name) => /^[0-9a-f-]{36}(?=\/)/.exec(name)?.[0] ?? '')
  return now !== '' && then !== '' && now !== then
}

async function isOver(host: DockerHost, place: string, owner: string): Promise<boolean> {
  const pid = Number(owner.split('/').at(-2))
  if (placeOf(owner) !== place || !Number.isInteger(pid) || pid < 1) return false
  return (await host.owner(pid)) !== owner
}

/** `2026-01-31 12:00:00.5 +0100 CET`; milliseconds since 1970, and now for what cannot be read, which is never old. */
function readTime(text: string): number {
  const [, date, time, zone] = /^(\S+) (\d\d:\d\d:\d\d)\S* ([+-]\d{4})/.exec(text) ?? []
  const parsed = Date.parse(`${date ?? ''}T${time ?? ''}${zone ?? ''}`)
  return Number.isNaN(parsed) ? Date.now() : parsed
}

/**
 * Reports the end to the gateway by a file name. Without an exit code, the container may still exist, so remove it.
 *
 * @returns whether the gateway has it
 */
export async function tellEnd(
  host: DockerHost,
  { containers, emptyFile }: Pick<CleanUpOrder, 'containers' | 'emptyFile'>,
  network: string,
  { exitCode }: { readonly exitCode: number | null },
): Promise<boolean> {
  if (exitCode === null) await host.docker(['rm', '-f', network])
  const name = `${network.replace(/^egress-/, '')}.${exitCode === null ? '' : String(exitCode)}`
  const { code } = await host.docker([
    ...['cp', emptyFile, `${containers.proxy}:/var/lib/egress/shared/ended/${name}`],
  ])
  return code === 0
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
