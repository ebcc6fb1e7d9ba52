import { launchScript, ownDirectory, scratchRoot, sealFstab, treeFstab } from './mount-plan.js'
import { quoteCommand, quoteWord } from '../../shell-quote.js'
import { LOOPBACK_ADDRESS, SANDBOX_HOSTNAME } from '../../../common/own-names.js'

export interface InitInput {
  /** where the new root is mounted while it is being built */
  root: string
  node: string
  /** JavaScript of the socket helper */
  helper: string
  tmpBytes: number
}

/** The line that PID 1 writes once the sandbox is complete. */
export const readyLine = 'ready'

/**
 * The word before the agent's exit code in the last line of PID 1. If PID 1 is killed, unshare(1) exits with 1, which must not be
 * taken for the exit code of the agent.
 */
export const exitWord = 'exit'

/** Descriptors of PID 1: its script is on 0, progress on 1, diagnostics on 2; `steps` only for formatBuildScript. */
export const initDescriptors = { channel: 3, agentInput: 4, agentOutput: 5, agentError: 6, steps: 7 } as const

export const oldRoot = `${ownDirectory}/old-root`

/** Limits the kernel memory that empty files can use: each file of a tmpfs needs an inode and a page. */
export const bytesPerInode = 8192

/**
 * The first part of the script of PID 1, for any POSIX sh. PID 1 reads it from a pipe, so that /proc/1/cmdline and
 * /proc/1/environ contain nothing about the host. If the gateway dies before it has sent the second part, the script ends, and
 * the namespaces end with PID 1.
 */
export function formatInitScript({ root, node, helper, tmpBytes }: InitInput): string {
  const inodes = Math.max(1024, Math.floor(tmpBytes / bytesPerInode))
  const scratch = root + scratchRoot
  // NODE_OPTIONS could load a tool into the helper, such as one that measures coverage, which cannot write its files here.
  return `set -eu
unset NODE_OPTIONS
umask 022
mount -n -t tmpfs -o mode=0755,nosuid,nodev,size=32m,nr_inodes=16k none ${quoteWord(root)}
mkdir -p ${quoteWord(scratch)} ${quoteWord(root + oldRoot)}
mount -n -t tmpfs -o mode=0755,nosuid,nodev,size=${tmpBytes},nr_inodes=${inodes} none ${quoteWord(scratch)}
${loopbackUp}
${quoteCommand([node, '--input-type=module', '-e', helper])} </dev/null >&2
exec 3>&-
mount -n --all --fstab ${quoteWord(root + treeFstab)}
umount -n ${quoteWord(scratch)}
echo 0 >/proc/sys/user/max_user_namespaces
mount -n --all --fstab ${quoteWord(root + sealFstab)}
rm -r ${quoteCommand([treeFstab, sealFstab, scratchRoot].map((path) => root + path))}
cd ${quoteWord(root)}
pivot_root . .${oldRoot}
cd /
umount -n -l ${oldRoot}
rmdir ${oldRoot}
mount -n -o remount,bind,ro,nosuid,nodev /
hostname ${SANDBOX_HOSTNAME} 2>/dev/null || :
echo ${readyLine}
`
}

/**
 * The interface also gets an address for documentation (RFC 5737), to which nothing is routed. With AI_ADDRCONFIG, glibc
 * resolves no IPv4 address if 127.0.0.1 is the only one. The numbers are SIOCSIFFLAGS and SIOCSIFADDR, for hosts without
 * iproute2.
 */
const loopbackUp = `{ ip link set lo up && ip address add ${LOOPBACK_ADDRESS}/32 dev lo; } 2>/dev/null ||
perl -MSocket -e 'socket(my $s, AF_INET, SOCK_DGRAM, 0) or exit 1;
  ioctl($s, 0x8914, pack("a16 s x22", "lo", 0x49)) or exit 1;
  exit !ioctl($s, 0x8916, pack("a16 S n N x16", "lo:1", 2, 0, 0xc0000201))' 2>/dev/null ||
python3 -c 'import fcntl,socket,struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(s, 0x8914, struct.pack("16sh22x", b"lo", 0x49))
fcntl.ioctl(s, 0x8916, struct.pack("=16sHHI16x", b"lo:1", 2, 0, socket.htonl(0xc0000201)))' 2>/dev/null ||
{ busybox ip link set lo up && busybox ip address add ${LOOPBACK_ADDRESS}/32 dev lo; } 2>/dev/null ||
{ echo "cannot enable the loopback interface: ip, perl, python3 and busybox all failed" >&2; exit 1; }`

/**
 * The second part, sent by `start`. PID 1 stays a shell, to reap the processes that the agent leaves behind. It keeps its
 * capabilities, which closes /proc/1 to the agent: ptrace_may_access() requires the agent to have all of them.
 */
export function formatStartScript(scriptTool: string | null): string {
  const { agentInput, agentOutput, agentError } = initDescriptors
  const run = `sh ${launchScript}`
  // CVE-2017-5226: on a shared terminal, TIOCSTI types into the shell of the user. The agent gets its own pseudo-terminal, and
  // script(1), which the agent cannot control, copies the bytes.
  const command = scriptTool === null ? run : `SHELL=/bin/sh ${scriptTool} -qec 'exec ${run}' /dev/null`
  return `code=0
${command} <&${agentInput} >&${agentOutput} 2>&${agentError} ${agentInput}<&- ${agentOutput}>&- ${agentError}>&- || code=$?
echo ${exitWord} $code
exit $code
`
}
