import type { SandboxLimits } from '#firewall/contracts/limits.js'
import type { Ledger } from '#firewall/ledger/ledger.js'
import type { MemoryReservation } from '#firewall/ledger/memory-budget.js'
import { deny, type Denial } from '../contracts/denial.js'
import type { Coding } from '../redaction/content-coding.js'

/**
 * Bytes that an open request takes at most, apart from bodies that are held whole: its head and what is made of it, 64 KiB
 * read from the upstream, 32 KiB written to a client that does not read, and 32 KiB of a body that may have to be sent again.
 */
const REQUEST_BYTES = 144 * 1024

/** Bytes that undoing a coding takes at most: its window, and what stands before and behind it. */
const DECODER_BYTES: Readonly<Record<Coding, number>> = {
  gzip: 128 * 1024,
  deflate: 128 * 1024,
  // The largest windows that are not refused.
  br: (4 * 1024 + 512) * 1024,
  zstd: (8 * 1024 + 512) * 1024,
}

/** Seconds. */
const BUSY_SECONDS = 1

/** The place of an open request, WebSocket or tunnel among those of its sandbox. */
export interface Room {
  /** What it holds, beyond what every request does. */
  readonly memory: MemoryReservation
  /** False when there is no memory to undo these codings. */
  decodes(codings: readonly Coding[]): boolean
  leave(): void
}

/** Bytes of a head that every request may have. */
const FREE_HEAD = 32_768

/** Threat: a sandbox opens requests, or reads none of its answers, until the gateway has no memory or no connection left. */
export function takeRoom(
  ledger: Ledger,
  sandbox: string,
  limits: SandboxLimits,
  headBytes = 0,
): Room | Denial {
  if (!ledger.requests.take(sandbox, 1, limits.requests))
    return busy('too many open requests of this sandbox')
  const memory = ledger.memory.open(sandbox, limits.memory)
  // A large head is held as it came, and as it is sent.
  if (!memory.tryReserve(REQUEST_BYTES + (headBytes > FREE_HEAD ? 2 * headBytes : 0))) {
    ledger.requests.giveBack(sandbox, 1)
    return busy('this sandbox holds as much memory as it may')
  }
  return {
    memory,
    decodes: (codings) => memory.tryReserve(codings.reduce((sum, coding) => sum + DECODER_BYTES[coding], 0)),
    leave() {
      memory.release()
      ledger.requests.giveBack(sandbox, 1)
    },
  }
}

export function busy(detail: string): Denial {
  return deny('busy', { detail, retryAfter: BUSY_SECONDS })
}
