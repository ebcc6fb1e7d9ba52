import { TRUST_DIRECTORIES } from '../../../trust/clients.js'
import type { SandboxPlan, ScratchPlace, ShownTree } from '../../plan.js'
import { isRaw, printablePath } from '../../raw-path.js'
import { dockerError } from './options.js'

/** A plan, and the further inputs of its container. */
export interface ContainerInput {
  readonly plan: SandboxPlan
  /** of the container and of its network */
  readonly name: string
  readonly project: string
  readonly image: string
  /** path inside -> file of the host that holds its content */
  readonly files: Readonly<Record<string, string>>
  /** an empty file of the host */
  readonly emptyFile: string
  /** path of a hidden file -> file of the host to show instead */
  readonly shownInstead: Readonly<Record<string, string>>
  /** file of the host with the environment, one variable per line */
  readonly environmentFile: string
  /** whether the kernel has IPv6, which is then disabled */
  readonly ipv6: boolean
  /** the value of TERM on a terminal */
  readonly term: string
}

/** Docker's client passes the host's proxy settings, including passwords, to containers; these variables clear them. */
const NO_PROXIES = ['FTP_PROXY', 'ftp_proxy', 'ALL_PROXY', 'all_proxy']

/** The arguments of `docker run` for a plan. Throws a SandboxError. */
export function containerArguments(input: ContainerInput): string[] {
  const { plan, name, project } = input
  const { limits, user } = plan
  const { unset } = plan
  // The engine can only set variables.
  const [program = '', ...args] =
    unset.length === 0
      ? plan.command
      : ['env', ...unset.flatMap((variable) => ['-u', variable]), ...plan.command]
  const who = `${String(user.uid)}:${String(user.gid)}`
  return [
    ...['run', '--rm', '--init', '--interactive', '--sig-proxy=false', '--name', name],
    ...['--hostname', plan.hostname],
    // With userns-remap another user than the caller would run inside, who can neither read nor write the caller's files.
    ...['--userns', 'host'],
    ...['--label', `io.egress.project=${project}`, '--label', `io.egress.sandbox=${plan.id}`],
    ...['--network', name, '--ip', plan.addresses.own, '--dns', plan.addresses.resolver, '--dns-search', '.'],
    ...Object.entries(plan.hosts).flatMap(([host, address]) => ['--add-host', `${host}:${address}`]),
    ...['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true', '--read-only', '--user', who],
    ...['--pids-limit', String(limits.processes), '--memory', String(limits.memoryBytes)],
    ...['--memory-swap', String(limits.memoryBytes)],
    ...(limits.processors === null ? [] : ['--cpus', String(limits.processors)]),
    ...['--ulimit', `nofile=${String(limits.openFiles)}:${String(limits.openFiles)}`, '--ulimit', 'core=0:0'],
    ...['--ipc', 'private', '--cgroupns', 'private', '--log-driver', 'none', '--no-healthcheck'],
    ...plan.scratch.flatMap((place) => scratchArguments(place, plan)),
    ...Object.entries(input.files).flatMap(([path, source]) => bind(source, path, false)),
    ...TRUST_DIRECTORIES.flatMap((path) =>
      mount('type=volume', `source=${project}_certificates`, `target=${path}`, 'readonly', 'volume-nocopy'),
    ),
    ...treeArguments(plan, input),
    ...(plan.terminal ? ['--tty', '--env', `TERM=${input.term}`] : []),
    ...(input.ipv6 ? ['all', 'default'].flatMap(withoutIpv6) : []),
    ...NO_PROXIES.flatMap((variable) => ['--env', `${variable}=`]),
    ...['--workdir', plan.workdir, '--env-file', input.environmentFile],
    // An environment file cannot contain line breaks.
    ...Object.entries(plan.environment)
      .filter(([, value]) => value.includes('\n'))
      .flatMap(([variable, value]) => ['--env', `${variable}=${value}`]),
    ...['--entrypoint', program, input.image, ...args],
  ]
}

/** The text of an environment file (--env-file). */
export function environmentText({ environment }: SandboxPlan): string {
  return Object.entries(environment)
    .filter(([, value]) => !value.includes('\n'))
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

/** The order is irrelevant: the engine mounts parents first. */
function treeArguments(
  { shown, pinned, readOnly, hidden }: SandboxPlan,
  { emptyFile, shownInstead }: Pick<ContainerInput, 'emptyFile' | 'shownInstead'>,
): string[] {
  const files = hidden.filter(({ kind }) => kind === 'file')
  const directories = hidden.filter(({ kind }) => kind === 'directory')
  return [
    ...shown.flatMap(({ path, writable }: ShownTree) => bind(path, path, writable)),
    // A mount point cannot be renamed.
    ...pinned.flatMap((path) => bind(path, path, true)),
    ...readOnly.flatMap(({ path }) => bind(path, path, false)),
    ...files.flatMap(({ path }) => bind(shownInstead[path] ?? emptyFile, path, false)),
    ...directories.flatMap(({ path }) =>
      mount('type=tmpfs', `target=${path}`, 'tmpfs-size=4096', 'tmpfs-mode=0555'),
    ),
  ]
}

function scratchArguments({ path, mode, own, executable, bytes }: ScratchPlace, plan: SandboxPlan): string[] {
  const size = String(bytes ?? plan.limits.tmpBytes)
  // The engine creates /dev/shm itself; this option sets its size.
  if (path === '/dev/shm') return ['--shm-size', size]
  const owner = own ? `,uid=${String(plan.user.uid)},gid=${String(plan.user.gid)}` : ''
  const options = `rw,${executable ? 'exec' : 'noexec'},nosuid,nodev,mode=${mode}${owner},size=${size}`
  return ['--tmpfs', `${path}:${options}`]
}

const withoutIpv6 = (scope: string) => ['--sysctl', `net.ipv6.conf.${scope}.disable_ipv6=1`]

function bind(source: string, target: string, writable: boolean): string[] {
  return mount('type=bind', `source=${source}`, `target=${target}`, ...(writable ? [] : ['readonly']))
}

function mount(...fields: string[]): string[] {
  return ['--mount', fields.map(csvField).join(',')]
}

/** RFC 4180, as Docker's client parses it. The client would drop a carriage return. */
function csvField(field: string): string {
  if (isRaw(field))
    throw dockerError(
      `The engine cannot hide ${printablePath(field.replace(/^[a-z]+=/, ''))}: its name is not UTF-8`,
      'Rename it, or use --backend namespaces',
    )
  if (field.includes('\r'))
    throw dockerError(`${JSON.stringify(field)} contains a carriage return`, 'Rename the file or directory')
  return /[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field
}
