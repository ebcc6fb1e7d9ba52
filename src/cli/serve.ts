import { tuneGarbageCollector } from '../gateway/gc-tuning.js'
import { exitCodeOf, usage } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'
import { serveGateway } from './serve-gateway.js'
import type { RoleFlags } from './serve-parts.js'
import { serveResolver } from './serve-resolver.js'

/** The words of `egress serve`. */
export interface ServeOptions extends RoleFlags {
  /** Default: both roles in one process. */
  readonly role: string | undefined
}

/** Milliseconds after which the process exits even if something is still open, such as an unanswered DNS lookup. */
const EXIT_MS = 500

/** `egress serve`: runs the gateway for many sandboxes until it receives a stop signal. */
export async function serve({ role, ...flags }: ServeOptions, io: CommandIo): Promise<number> {
  if (role !== undefined && role !== 'dns' && role !== 'proxy')
    throw usage(`Unknown role \`${role}\``, 'Use dns, proxy, or no role for both in one process')
  tuneGarbageCollector()
  try {
    const code =
      role === 'dns' ? await serveResolver(flags, io) : await serveGateway(role === undefined, flags, io)
    endSoon(code)
    return code
  } catch (error) {
    // Sockets that are already open would keep the process alive.
    endSoon(exitCodeOf(error))
    throw error
  }
}

function endSoon(code: number): void {
  setTimeout(() => process.exit(code), EXIT_MS).unref()
}
