import type { CheckpointEvent, CheckpointRef, GatewayEvent } from '../events/events.js'
import { recordLine } from '../events/records.js'
import type { AuditKey } from './audit-key.js'
import { hashOf, type ChainEnd } from './chain.js'
import { Timestamps } from './timestamps.js'

/** Records between two checkpoints, at most. */
export const MAX_UNSEALED = 1_000

/** Milliseconds after which a record has a checkpoint behind it, as soon as anything is written. */
export const SEAL_MS = 10_000

/** An event, and when it was. */
export interface Dated {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly event: GatewayEvent
}

/** Lines that are to be written together; nothing has changed until they are. */
export interface Draft {
  readonly lines: readonly string[]
  /** Of each event: its time and its line. */
  readonly written: readonly { readonly time: string; readonly line: string }[]
  /** Those of them that are checkpoints. */
  readonly checkpoints: readonly string[]
  readonly state: State
}

interface State {
  readonly sequence: number
  readonly previous: string | null
  readonly torn: string | null
  readonly hasBegun: boolean
  /** Records behind the last checkpoint, and the time of the first of them. */
  readonly unsealed: number
  readonly unsealedSince: number
  readonly checkpoint: CheckpointRef | null
  /** Whether the last record closes its file. */
  readonly isFileClosed: boolean
}

export interface ChainOptions {
  readonly role: string
  readonly observer: string
  readonly now: () => number
  /** Null where nothing is signed. */
  readonly key: AuditKey | null
  /** The last checkpoints of the other logs of this process. */
  readonly others: () => readonly CheckpointRef[]
}

/** Turns events into lines: each with the number and the hash that chain it to the one before, and checkpoints where they are due. */
export class ChainedLines {
  readonly #options: ChainOptions
  readonly #timestamps = new Timestamps()
  #state: State

  constructor(end: ChainEnd, options: ChainOptions) {
    this.#options = options
    this.#state = {
      ...end,
      hasBegun: false,
      unsealed: 0,
      unsealedSince: 0,
      checkpoint: null,
      isFileClosed: false,
    }
  }

  get lastCheckpoint(): CheckpointRef | null {
    return this.#state.checkpoint
  }

  get isFileClosed(): boolean {
    return this.#state.isFileClosed
  }

  get hasUnsealed(): boolean {
    return this.#state.unsealed > 0
  }

  get hasBegun(): boolean {
    return this.#state.hasBegun
  }

  /** @param cause of a checkpoint behind them */
  draft(events: readonly Dated[], cause: CheckpointEvent['cause'] | null = null): Draft {
    const { key, now } = this.#options
    const lines: string[] = []
    const written: { time: string; line: string }[] = []
    const checkpoints: string[] = []
    let state = this.#state
    const put = ({ at, event }: Dated, checkpoint: AuditKey | null) => {
      const time = this.#timestamps.format(at)
      const line = this.#lineOf(state, time, event, checkpoint)
      const hash = hashOf(line)
      const { sequence } = state
      lines.push(line)
      if (checkpoint !== null) checkpoints.push(line)
      // Field by field: this is done for each record, and a spread costs more than the line and its hash.
      state = {
        sequence: sequence + 1,
        previous: hash,
        torn: null,
        hasBegun: true,
        unsealed: checkpoint === null ? state.unsealed + 1 : 0,
        unsealedSince: state.unsealed === 0 ? at : state.unsealedSince,
        checkpoint: checkpoint === null ? state.checkpoint : { role: this.#options.role, sequence, hash },
        isFileClosed: event.type === 'checkpoint' && event.event.cause === 'rotation',
      }
      return { time, line }
    }
    const seal = (why: CheckpointEvent['cause']) => {
      if (key === null) return
      const event = {
        ...{ at: now(), role: this.#options.role, cause: why, torn: state.torn, key: key.publicKey },
        ...{ others: this.#options.others(), signature: null },
      }
      put({ at: event.at, event: { type: 'checkpoint', event } }, key)
    }
    if (!state.hasBegun) seal('start')
    for (const event of events) {
      const isDue = state.unsealed > 0 && event.at - state.unsealedSince > SEAL_MS
      if (isDue || state.unsealed >= MAX_UNSEALED) seal('interval')
      written.push(put(event, null))
    }
    if (cause !== null) seal(cause)
    return { lines, written, checkpoints, state }
  }

  /** The lines are in the file. */
  commit({ state }: Draft): void {
    this.#state = state
  }

  #lineOf(state: State, time: string, event: GatewayEvent, key: AuditKey | null): string {
    const { sequence, previous } = state
    const header = { time, sequence, observer: this.#options.observer, previous }
    const line = recordLine(header, event)
    if (key === null || event.type !== 'checkpoint') return line
    return recordLine(header, { ...event, event: { ...event.event, signature: key.sign(line) } })
  }
}
