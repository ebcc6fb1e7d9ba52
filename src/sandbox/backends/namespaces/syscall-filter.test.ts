import t from 'tap'
import { buildSyscallFilter, filterInstaller } from './syscall-filter.js'

const allowed = 0x7fff0000
const killed = 0x80000000
const errno = (number: number) => 0x00050000 + number

interface Call {
  architecture: number
  number: number
  arguments?: bigint[]
}

/** A classic BPF machine for the instructions that the filter uses, independent of how it was built. */
function policyEngine(filter: Buffer, call: Call): number {
  const data = Buffer.alloc(64)
  data.writeUInt32LE(call.number, 0)
  data.writeUInt32LE(call.architecture, 4)
  call.arguments?.forEach((argument, index) => data.writeBigUInt64LE(argument, 16 + 8 * index))
  let accumulator = 0
  for (let at = 0; at * 8 < filter.length; at++) {
    const code = filter.readUInt16LE(at * 8)
    const [ifTrue, ifFalse] = [filter.readUInt8(at * 8 + 2), filter.readUInt8(at * 8 + 3)]
    const value = filter.readUInt32LE(at * 8 + 4)
    if (code === 0x06) return value
    if (code === 0x20) accumulator = data.readUInt32LE(value)
    else if (code === 0x15) at += accumulator === value ? ifTrue : ifFalse
    else if (code === 0x35) at += accumulator >= value ? ifTrue : ifFalse
    else throw new Error(`instruction ${code} at ${at}`)
  }
  throw new Error('fell off the end')
}

const machines = {
  x64: {
    audit: 0xc000003e,
    read: 0,
    ioctl: 16,
    socket: 41,
    socketpair: 53,
    keyctl: 250,
    bpf: 321,
    unshare: 272,
  },
  arm64: {
    audit: 0xc00000b7,
    read: 63,
    ioctl: 29,
    socket: 198,
    socketpair: 199,
    keyctl: 219,
    bpf: 280,
    unshare: 97,
  },
}

for (const [name, machine] of Object.entries(machines)) {
  void t.test(name, (t) => {
    const filter = buildSyscallFilter(name) ?? Buffer.alloc(0)
    const call = (number: number, ...words: bigint[]) =>
      policyEngine(filter, { architecture: machine.audit, number, arguments: words })
    t.equal(call(machine.read), allowed)
    for (const number of [machine.keyctl, machine.bpf, machine.unshare]) t.equal(call(number), errno(1))
    for (const number of [425, 426, 427]) t.equal(call(number), errno(38), 'io_uring')
    for (const family of [1n, 2n, 10n, 16n]) t.equal(call(machine.socket, family), allowed)
    for (const family of [0n, 17n, 38n, 40n, 44n]) t.equal(call(machine.socket, family), errno(97))
    t.equal(call(machine.socketpair, 1n), allowed)
    t.equal(call(machine.socketpair, 40n), errno(97))
    t.equal(call(machine.ioctl, 0n, 0x5412n), errno(1), 'TIOCSTI')
    t.equal(call(machine.ioctl, 0n, 0x541cn), errno(1), 'TIOCLINUX')
    t.equal(call(machine.ioctl, 0n, 0x5401n), allowed, 'TCGETS')
    t.equal(
      policyEngine(filter, { architecture: 0x40000003, number: machine.read }),
      killed,
      'another architecture',
    )
    t.end()
  })
}

void t.test('CVE-2019-10063: the upper half of an argument changes nothing', (t) => {
  const filter = buildSyscallFilter('x64') ?? Buffer.alloc(0)
  const call = (number: number, ...words: bigint[]) =>
    policyEngine(filter, { architecture: 0xc000003e, number, arguments: words })
  t.equal(call(16, 0n, 0x1_0000_5412n), errno(1))
  t.equal(call(41, 0x1_0000_0028n), errno(97))
  t.equal(call(41, 0x1_0000_0002n), allowed)
  t.end()
})

void t.test('the x32 numbers of x64 are refused', (t) => {
  const filter = buildSyscallFilter('x64') ?? Buffer.alloc(0)
  t.equal(policyEngine(filter, { architecture: 0xc000003e, number: 0x40000000 + 41 }), errno(38))
  t.equal(policyEngine(filter, { architecture: 0xc000003e, number: 0x3fffffff }), allowed)
  t.end()
})

void t.test('perl is taken before python, nothing is installed without either', (t) => {
  t.equal(filterInstaller('x64', { perl: '/p', python: '/y' })?.[0], '/p')
  t.equal(filterInstaller('x64', { perl: null, python: '/y' })?.[0], '/y')
  t.equal(filterInstaller('x64', { perl: null, python: null }), null)
  t.equal(filterInstaller('mips', { perl: '/p', python: null }), null)
  t.end()
})
