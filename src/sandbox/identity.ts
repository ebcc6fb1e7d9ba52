import type { Stats } from 'node:fs'

/** A user and group of the host. */
export interface UnixUser {
  uid: number
  gid: number
}

/** Above the ids that distributions assign to users, daemons and containers, and below the ranges of /etc/subuid. */
const unusedId = 61000

export interface IdentityInput {
  uid: number
  sudoUid: string | undefined
  sudoGid: string | undefined
  owner: UnixUser
}

/**
 * The user that runs the sandbox if root starts it; null if the caller runs it. Never uid 0: /proc/sys belongs to that id in
 * every user namespace, and writing to kernel.core_pattern runs programs on the host.
 */
export function chooseUser({ uid, sudoUid, sudoGid, owner }: IdentityInput): UnixUser | null {
  if (uid !== 0) return null
  const sudo = { uid: parseId(sudoUid), gid: parseId(sudoGid) }
  if (sudo.uid !== null) return { uid: sudo.uid, gid: sudo.gid ?? sudo.uid }
  if (owner.uid !== 0) return { uid: owner.uid, gid: owner.gid === 0 ? owner.uid : owner.gid }
  return { uid: unusedId, gid: unusedId }
}

function parseId(text: string | undefined): number | null {
  const id = /^[1-9]\d{0,9}$/.test(text ?? '') ? Number(text) : Number.NaN
  // 2^32 - 1 means "leave as it is" to setresuid(2), which would be root.
  return id < 0xffffffff ? id : null
}

/** Whether the permission bits grant `wanted` (r=4, w=2, x=1) to a user without supplementary groups. */
export function permits(file: Pick<Stats, 'uid' | 'gid' | 'mode'>, who: UnixUser, wanted: number): boolean {
  const shift = file.uid === who.uid ? 6 : file.gid === who.gid ? 3 : 0
  return ((file.mode >> shift) & wanted) === wanted
}
