import { closeSync, readdirSync, readFileSync } from 'node:fs'

/** O_CLOEXEC as /proc shows it, in octal. */
const closeOnExec = 0o2000000

/**
 * The descriptors, beyond the standard three, that would reach every program that this process starts. Node opens its own
 * with O_CLOEXEC, so these came from whoever started it: a shell's `9<secret`, a supervisor's socket.
 */
export function findInheritedDescriptors(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((descriptor) => descriptor > 2 && isInheritable(descriptor))
}

/** To be called once, first thing in the program: nothing may be open yet that is worth keeping. */
export function closeInheritedDescriptors(): void {
  // The channel of a parent that is Node as well is one of them, and libuv watches it.
  if (process.connected) process.disconnect()
  for (const descriptor of findInheritedDescriptors()) {
    try {
      closeSync(descriptor)
    } catch {
      // Closed meanwhile, which is what was wanted.
    }
  }
}

function isInheritable(descriptor: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))?.[1]
    return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0
  } catch {
    return false
  }
}
