import { tuneGarbageCollector } from '../gateway/gc-tuning.js'
import { EgressError, exitCodeOf } from '../common/errors.js'
import type { CommandIo } from '../common/io.js'
import { serveGateway } from './serve-gateway.js'
import type { RoleFlags } from './serve-parts.js'
import { serveResolver } from './serve-resolver.js'

/** The words of `egress serve`. */
export interface ServeOptions extends RoleFlags {
  /** Both roles in one process unless one is named. */
  readonly role: string | undefined
}

/** Milliseconds that what is open at the end (a look-up that nobody answers) may hold the process up. */
const EXIT_MS = 500

/** A gateway that goes on until it is told to stop, for sandboxes that come and go. */
export async function serve({ role, ...flags }: ServeOptions, io: CommandIo): Promise<number> {
  if (role !== undefined && role !== 'dns' && role !== 'proxy')
    throw new EgressError({
      code: 'EGRESS_USAGE',
      problem: `Unknown role \`${role}\``,
      fix: 'Use dns, proxy, or no role for both in one process',
    })
  tuneGarbageCollector()
  try {
    const code =
      role === 'dns' ? await serveResolver(flags, io) : await serveGateway(role === undefined, flags, io)
    endSoon(code)
    return code
  } catch (error) {
    // The sockets that were opened before would hold it up for ever.
    endSoon(exitCodeOf(error))
    throw error
  }
}

function endSoon(code: number): void {
  setTimeout(() => process.exit(code), EXIT_MS).unref()
}
