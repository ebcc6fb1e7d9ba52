import { IPV6_LOOPBACK_NAMES, SANDBOX_HOSTNAME } from '../common/own-names.js'
import type { UnixUser } from './identity.js'
import type { SandboxPlan } from './plan.js'

/** Account of the agent inside. */
export const agentUser = 'agent'
export const agentId = 1000
export const agentHome = '/home/agent'

export interface SharedEtcInput {
  user: UnixUser
  home: string
  shell: string
  resolver: string
  resolverOptions: string
}

/** The files of /etc that every backend replaces. */
export function sharedEtcFiles({ user, home, shell, resolver, resolverOptions }: SharedEtcInput) {
  return {
    '/etc/passwd': lines(
      'root:x:0:0:root:/root:/usr/sbin/nologin',
      `${agentUser}:x:${user.uid}:${user.gid}:${agentUser}:${home}:${shell}`,
      'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
    ),
    '/etc/group': lines('root:x:0:', 'tty:x:5:', `${agentUser}:x:${user.gid}:`, 'nogroup:x:65534:'),
    // No search domain: clients would ask again for every denied name under another suffix, and the agent would learn the
    // host's domain.
    '/etc/resolv.conf': lines(`nameserver ${resolver}`, `options ${resolverOptions}`),
    // If root starts the sandbox, files belong to an id that is not mapped inside, and git rejects such repositories. Nobody else
    // uses the sandbox, whose repositories are those of the caller, with submodules and worktrees.
    '/etc/gitconfig': lines('[safe]', '\tdirectory = *'),
  }
}

/** Further files of /etc, for a root that does not come from an image. */
export function rootEtcFiles({ hosts }: Pick<SandboxPlan, 'hosts'>): Record<string, string> {
  const extraHosts = Object.entries(hosts).map(([name, address]) => `${address} ${name}`)
  return {
    // umount(8), run by an id other than 0, wants this file to exist.
    '/etc/fstab': '',
    '/etc/hostname': lines(SANDBOX_HOSTNAME),
    '/etc/hosts': lines(
      '127.0.0.1 localhost',
      `127.0.0.1 ${SANDBOX_HOSTNAME}`,
      `::1 ${IPV6_LOOPBACK_NAMES.join(' ')}`,
      ...extraHosts,
    ),
    // No resolve, mymachines or mdns: these would ask daemons over the host's sockets instead of the gateway.
    '/etc/nsswitch.conf': lines(
      'passwd: files',
      'group: files',
      'shadow: files',
      'hosts: files dns',
      'networks: files',
      'protocols: files',
      'services: files',
      'ethers: files',
      'rpc: files',
    ),
  }
}

function lines(...text: string[]): string {
  return text.map((line) => line + '\n').join('')
}
