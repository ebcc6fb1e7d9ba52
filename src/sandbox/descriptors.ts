import { closeSync, readdirSync, readFileSync } from 'node:fs'

/** O_CLOEXEC as /proc shows it, in octal. */
const closeOnExec = 0o2000000

/**
 * The descriptors, beyond the standard three, that would reach every program that this process starts. Node opens its own
 * with O_CLOEXEC, so these come from the parent process: a shell's `9<secret`, a supervisor's socket.
 */
export function findInheritedDescriptors(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((descriptor) => descriptor > 2 && isInheritable(descriptor))
}

/** Closes inherited descriptors. Call it once, before the program opens anything of its own. */
export function closeInheritedDescriptors(): void {
  // One of them may be the IPC channel of a Node parent, which libuv watches.
  if (process.connected) process.disconnect()
  for (const descriptor of findInheritedDescriptors()) {
    try {
      closeSync(descriptor)
    } catch {
      // Already closed.
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
