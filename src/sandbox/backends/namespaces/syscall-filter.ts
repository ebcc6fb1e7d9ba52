/*
 * A seccomp filter for what namespaces and capabilities do not restrict. The most important case: AF_VSOCK ignores network
 * namespaces, so in a virtual machine an agent without a route could still connect to the hypervisor's host.
 */

interface Architecture {
  /** AUDIT_ARCH_… as in linux/audit.h */
  audit: number
  /** system call numbers that differ between architectures */
  calls: Record<keyof typeof x64Calls, number>
  /** whether numbers from 0x40000000 mean another ABI (x32), whose calls the list below would miss */
  hasSecondAbi: boolean
}

const x64Calls = {
  ioctl: 16,
  socket: 41,
  socketpair: 53,
  addKey: 248,
  requestKey: 249,
  keyctl: 250,
  unshare: 272,
  perfEventOpen: 298,
  openByHandleAt: 304,
  setns: 308,
  bpf: 321,
  userfaultfd: 323,
}

const arm64Calls: typeof x64Calls = {
  ioctl: 29,
  socket: 198,
  socketpair: 199,
  addKey: 217,
  requestKey: 218,
  keyctl: 219,
  unshare: 97,
  perfEventOpen: 241,
  openByHandleAt: 265,
  setns: 268,
  bpf: 280,
  userfaultfd: 282,
}

/** The same on every architecture. io_uring opens sockets without passing the filter (IORING_OP_SOCKET). */
const ioUringCalls = [425, 426, 427]

const architectures: Partial<Record<string, Architecture>> = {
  x64: { audit: 0xc000003e, calls: x64Calls, hasSecondAbi: true },
  arm64: { audit: 0xc00000b7, calls: arm64Calls, hasSecondAbi: false },
}

const allowedFamilies = { unix: 1, inet: 2, inet6: 10, netlink: 16 }
const refusedRequests = { TIOCSTI: 0x5412, TIOCLINUX: 0x541c }

const EPERM = 1
const ENOSYS = 38
const EAFNOSUPPORT = 97
const allow = 0x7fff0000
const killProcess = 0x80000000
const fail = (errno: number) => 0x00050000 | errno

/** Offsets in struct seccomp_data. Of an argument, only the low half: the kernel reads no more of an int. */
const offsetOf = { number: 0, architecture: 4, argument: (index: number) => 16 + 8 * index }

const load = (offset: number) => instruction(0x20, 0, 0, offset)
const returns = (value: number) => instruction(0x06, 0, 0, value)
const skipIfEqual = (value: number, skip: number) => instruction(0x15, skip, 0, value)
const skipUnlessEqual = (value: number, skip: number) => instruction(0x15, 0, skip, value)
const skipIfBelow = (value: number, skip: number) => instruction(0x35, 0, skip, value)

/** The filter as an array of struct sock_filter; null for an unknown architecture. */
export function buildSyscallFilter(architecture: string): Buffer | null {
  const found = architectures[architecture]
  if (!found) return null
  const { audit, calls, hasSecondAbi } = found
  const { ioctl, socket, socketpair, ...refused } = calls
  return Buffer.concat([
    ...[load(offsetOf.architecture), skipIfEqual(audit, 1), returns(killProcess), load(offsetOf.number)],
    ...(hasSecondAbi ? [skipIfBelow(0x40000000, 1), returns(fail(ENOSYS))] : []),
    ...ioUringCalls.flatMap((number) => [skipUnlessEqual(number, 1), returns(fail(ENOSYS))]),
    ...Object.values(refused).flatMap((number) => [skipUnlessEqual(number, 1), returns(fail(EPERM))]),
    ...onCall(ioctl, [
      load(offsetOf.argument(1)),
      ...Object.values(refusedRequests).flatMap((request) => [
        skipUnlessEqual(request, 1),
        returns(fail(EPERM)),
      ]),
      returns(allow),
    ]),
    ...[socket, socketpair].flatMap((number) =>
      onCall(number, [
        load(offsetOf.argument(0)),
        ...Object.values(allowedFamilies).flatMap((family) => [skipUnlessEqual(family, 1), returns(allow)]),
        returns(fail(EAFNOSUPPORT)),
      ]),
    ),
    returns(allow),
  ])
}

/** `body` must return on every path, because it replaces the system call number in the accumulator by an argument. */
function onCall(number: number, body: readonly Buffer[]): Buffer[] {
  return [skipUnlessEqual(number, body.length), ...body]
}

function instruction(code: number, ifTrue: number, ifFalse: number, value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt16LE(code, 0)
  bytes.writeUInt8(ifTrue, 2)
  bytes.writeUInt8(ifFalse, 3)
  bytes.writeUInt32LE(value >>> 0, 4)
  return bytes
}

/** Numbers of prctl(2), with which the programs below install the filter. */
const prctlNumbers: Partial<Record<string, number>> = { x64: 157, arm64: 167 }

/**
 * A command prefix that installs the filter on itself and then executes the command after it. util-linux can do this only since
 * 2.42, so an interpreter of the host does it, before any variable or file of the agent is used. Null if there is none.
 */
export function filterInstaller(
  architecture: string,
  interpreter: { perl: string | null; python: string | null },
): string[] | null {
  const filter = buildSyscallFilter(architecture)
  const prctl = prctlNumbers[architecture]
  if (filter === null || prctl === undefined) return null
  if (interpreter.perl !== null) {
    const program = `my $f = pack("H*", shift); my $p = pack("S x6 P", length($f) / 8, $f);
syscall(${prctl}, 38, 1, 0, 0, 0) == 0 && syscall(${prctl}, 22, 2, $p, 0, 0) == 0 or die "seccomp: $!\\n"; exec { $ARGV[0] } @ARGV`
    return [interpreter.perl, '-e', program, filter.toString('hex')]
  }
  if (interpreter.python !== null) {
    const program = `import ctypes, os, struct, sys
f = bytes.fromhex(sys.argv[1]); b = ctypes.create_string_buffer(f, len(f)); c = ctypes.CDLL(None, use_errno=True)
p = ctypes.create_string_buffer(struct.pack("@HP", len(f) // 8, ctypes.addressof(b)))
if c.prctl(38, 1, 0, 0, 0) or c.prctl(22, 2, p, 0, 0): sys.exit("seccomp: " + os.strerror(ctypes.get_errno()))
os.execv(sys.argv[2], sys.argv[2:])`
    return [interpreter.python, '-I', '-S', '-c', program, filter.toString('hex')]
  }
  return null
}
