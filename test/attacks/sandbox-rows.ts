import { all, refused, controlArrived, controlPassed } from './evaluating.js'
import type { Check, Row } from './row.js'

const hostUntouched: Check = ({ host }) =>
  host.damage.length === 0
    ? { passed: true, evidence: 'host untouched' }
    : { passed: false, evidence: `changed on the host: ${host.damage.join(', ')}` }

/** Only the work directory is visible on both sides. */
const workFileArrived: Check = ({ host, marker }) => {
  const arrived = host.workFiles.includes(`control-${marker.value}`)
  return arrived
    ? { passed: true, evidence: '' }
    : { passed: false, evidence: 'the work directory stayed empty outside' }
}

export const sandboxRows: readonly Row[] = [
  {
    id: 'file-system',
    title: 'write or read outside the work directory',
    threat: 'A changed system file takes effect outside the sandbox and after it.',
    evaluate: all(refused, hostUntouched),
    control: all(controlPassed, workFileArrived),
  },
  {
    id: 'kernel',
    title: 'mount, mknod, chroot, sysctl, engine sockets',
    threat: 'Each of these interfaces leads to code that runs as root on the host.',
    evaluate: all(refused, hostUntouched),
    control: all(controlPassed, workFileArrived),
  },
  {
    id: 'nested-namespace',
    title: 'namespaces inside the namespace',
    threat: 'A new user namespace grants all capabilities, which expose much more of the kernel.',
    evaluate: refused,
    control: controlArrived('jira'),
  },
  {
    id: 'ptrace',
    title: 'trace the first process of the sandbox',
    threat: 'A process that traces another one has all of its rights.',
    evaluate: refused,
    control: controlArrived('jira'),
  },
  {
    id: 'gateway-internals',
    title: "the gateway's ports, admin side and files",
    threat: 'With access to the admin socket or the policy file, the agent could change its own policy.',
    evaluate: refused,
    control: controlArrived('jira'),
  },
  {
    id: 'fork-bomb',
    title: 'fork bomb',
    threat: 'Unlimited processes take down the gateway and the host.',
    evaluate: all(refused, ({ inside }) => {
      const said = inside?.attack.attempts[0]?.said ?? ''
      return { passed: said.endsWith(' processes'), evidence: said }
    }),
    control: controlArrived('jira'),
  },
]
