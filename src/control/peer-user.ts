import { spawn, type ChildProcess } from 'node:child_process'
import { text } from 'node:stream/consumers'
import type { Socket } from 'node:net'
import type { AdminUser } from './route.js'

/** Nothing is known of who asks. */
export const UNKNOWN_USER: AdminUser = { uid: null, name: null }

/** `SOL_SOCKET` and `SO_PEERCRED` of Linux (unix(7)), for which Node has no call: process, user and group of the peer. */
const PROGRAM =
  'my $c = getsockopt(STDIN, 1, 17) or exit 1; my (undef, $uid) = unpack("iii", $c); print $uid, "\\n", scalar(getpwuid($uid)) // "", "\\n";'

/** Milliseconds that the look-up may take, on the slowest machine. */
const TIMEOUT_MS = 5_000

/**
 * The user at the other end of a Unix socket, as the kernel knows it since the connection was made: nothing that the peer says
 * counts. Never rejects.
 */
export async function peerUser(socket: Socket): Promise<AdminUser> {
  const descriptor = (socket as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd
  if (descriptor === undefined || descriptor < 0) return UNKNOWN_USER
  try {
    const asked = spawn('perl', ['-e', PROGRAM], {
      stdio: [descriptor, 'pipe', 'ignore'],
      timeout: TIMEOUT_MS,
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    })
    if (asked.stdout === null) return UNKNOWN_USER
    const printed = await Promise.race([text(asked.stdout), failure(asked)])
    const [uid = '', name = ''] = printed.split('\n')
    return /^\d+$/.test(uid) ? { uid: Number(uid), name: name === '' ? null : name } : UNKNOWN_USER
  } catch {
    return UNKNOWN_USER
  }
}

/** Rejects if there is no such program. */
function failure(child: ChildProcess): Promise<never> {
  return new Promise((_, reject) => child.once('error', reject))
}
