import type { Socket } from 'node:net'
import { Connection, type ConnectionEvents } from './connection.js'
import type { KeptConnections } from '../idle-connections.js'
import { UpstreamsClosed } from '../errors.js'

/** Connections of one pool. How many requests a sandbox has open is limited before this. */
const MAX_CONNECTIONS = 256

/** Milliseconds for which an idle connection is kept; servers that close earlier without saying so are rare. */
const IDLE_MS = 4_000

/** The same where the server says for how long it keeps one: never up to the last second, and no longer than this. */
const MAX_IDLE_MS = 600_000
const MARGIN_MS = 1_000

/** Milliseconds for which it is remembered that the upstream closed an idle connection. */
const MEMORY_MS = 60_000

/** The part of a time after which connections were seen open, or closed, in which they are taken for open. */
const [OF_OPEN, OF_CLOSED] = [0.9, 0.8]

/** A request that needs a connection. */
export interface Waiting {
  /** May be sent again if the connection turns out to be closed, so any idle one will do. */
  readonly isSafe: boolean
  /** No connection will do that was used before. */
  readonly needsNew: boolean
  onConnection(connection: Connection): void
  onFailed(error: Error): void
}

/** Makes a connection, with its certificate verified. Calls back once; the socket it returns ends the attempt. */
export type Dial = (done: (error: Error | null, socket: Socket | null) => void) => void

/** The connections of one owner to one upstream. */
export class Pool implements ConnectionEvents {
  readonly #dial: Dial
  readonly #idleMs: number
  readonly #onEmpty: () => void
  readonly #kept: KeptConnections
  readonly #open = new Set<Connection>()
  /** With the time since which each is idle, the one that was used last at the end. */
  #idle: { readonly connection: Connection; readonly since: number }[] = []
  readonly #waiting: Waiting[] = []
  #dialling = 0
  #isDraining = false
  #isClosed = false
  #sweep: NodeJS.Timeout | null = null
  /** Milliseconds after which an idle connection was found open. */
  #openAfter = 0
  /** Milliseconds after which the upstream closed an idle connection, the shortest of late; and when that was. */
  #closedAfter = Infinity
  #closedAt = 0

  /**
   * @param idleMs for which either side of a message may be silent
   * @param kept told of each connection while it is idle; it may close it
   * @param onEmpty called when a pool that drains has no connection any more
   */
  constructor(dial: Dial, idleMs: number, kept: KeptConnections, onEmpty: () => void) {
    this.#dial = dial
    this.#idleMs = idleMs
    this.#onEmpty = onEmpty
    this.#kept = kept
  }

  /** Finds a connection now or later. */
  take(waiting: Waiting): void {
    if (this.#isClosed) {
      queueMicrotask(() => waiting.onFailed(new UpstreamsClosed()))
      return
    }
    const idle = waiting.needsNew ? null : this.#takeIdle(waiting.isSafe)
    if (idle !== null) waiting.onConnection(idle)
    else if (this.#open.size + this.#dialling < MAX_CONNECTIONS) this.#connect(waiting)
    else if (waiting.needsNew && this.#idle.length > 0) {
      this.#idle[0]?.connection.destroy()
      this.#connect(waiting)
    } else this.#waiting.push(waiting)
  }

  /** A connection that was taken is not needed after all. */
  giveBack(connection: Connection): void {
    if (!connection.isClosed) this.onFree(connection)
  }

  /** Takes no more requests but those that have a connection, or wait for one. */
  drain(): void {
    this.#isDraining = true
    for (const { connection } of [...this.#idle]) connection.destroy()
    this.#checkEmpty()
  }

  /** Ends everything. Whoever awaits a response is told. */
  close(): void {
    this.#isClosed = true
    this.#isDraining = true
    for (const waiting of this.#waiting.splice(0)) waiting.onFailed(new UpstreamsClosed())
    for (const connection of [...this.#open]) connection.fail(new UpstreamsClosed())
    this.#checkEmpty()
  }

  onFree(connection: Connection): void {
    connection.isNew = false
    connection.idleBefore = 0
    const next = this.#waiting.findIndex(({ needsNew }) => !needsNew)
    const [waiting] = next < 0 ? [] : this.#waiting.splice(next, 1)
    if (waiting !== undefined) waiting.onConnection(connection)
    else if (this.#isDraining || idleLimit(connection) <= 0) connection.destroy()
    else {
      this.#idle.push({ connection, since: Date.now() })
      this.#sweep ??= this.#sweepIn(idleLimit(connection))
      this.#kept.add(connection)
    }
  }

  onClosed(connection: Connection): void {
    this.#open.delete(connection)
    this.#kept.delete(connection)
    const idle = this.#idle.findIndex((one) => one.connection === connection)
    const [closed] = idle < 0 ? [] : this.#idle.splice(idle, 1)
    if (!connection.isOurs) {
      if (closed !== undefined) this.#noteClosed(Date.now() - closed.since)
      // Closed while it was idle, as shows when it is used again.
      else if (connection.idleBefore !== null && !connection.hasBytes) this.#noteClosed(connection.idleBefore)
    }
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) this.#connect(waiting)
    this.#checkEmpty()
  }

  #connect(waiting: Waiting): void {
    this.#dialling += 1
    this.#dial((error, socket) => {
      this.#dialling -= 1
      if (socket === null) {
        waiting.onFailed(error ?? new Error('no connection'))
        const next = this.#waiting.shift()
        if (next !== undefined) this.#connect(next)
        this.#checkEmpty()
        return
      }
      if (this.#isClosed) {
        socket.destroy()
        waiting.onFailed(new UpstreamsClosed())
        this.#checkEmpty()
        return
      }
      const connection = new Connection(socket, this.#idleMs, this)
      this.#open.add(connection)
      waiting.onConnection(connection)
    })
  }

  /**
   * The connection that was used last, if it can be taken for open. A request that may be sent once only gets one that is
   * young, by what is known of this upstream: threat: a server that closes it at this moment carried the request out, or
   * not, and nobody can tell.
   */
  #takeIdle(isSafe: boolean): Connection | null {
    const [oldest, last] = [this.#idle[0], this.#idle.at(-1)]
    if (oldest === undefined || last === undefined) return null
    const now = Date.now()
    this.#openAfter = Math.max(this.#openAfter, now - oldest.since)
    if (now - this.#closedAt > MEMORY_MS) this.#closedAfter = Infinity
    const { connection } = last
    const age = now - last.since
    if (age >= idleLimit(connection) || (!isSafe && !this.#isYoung(connection, age))) return null
    this.#idle.pop()
    this.#kept.delete(connection)
    connection.idleBefore = age
    return connection
  }

  #isYoung({ keepAliveMs }: Connection, age: number): boolean {
    if (age >= this.#closedAfter * OF_CLOSED) return false
    return age <= this.#openAfter * OF_OPEN || (keepAliveMs !== null && this.#closedAfter === Infinity)
  }

  #noteClosed(age: number): void {
    const now = Date.now()
    if (now - this.#closedAt > MEMORY_MS) this.#closedAfter = Infinity
    this.#closedAt = now
    this.#closedAfter = Math.min(this.#closedAfter, age)
    this.#openAfter = Math.min(this.#openAfter, age)
  }

  #sweepIn(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#sweep = null
      const now = Date.now()
      let next = Infinity
      for (const { connection, since } of [...this.#idle]) {
        const left = since + idleLimit(connection) - now
        if (left > 0) next = Math.min(next, left)
        else {
          this.#openAfter = Math.max(this.#openAfter, now - since)
          connection.destroy()
        }
      }
      if (next < Infinity) this.#sweep = this.#sweepIn(next)
    }, ms).unref()
  }

  #checkEmpty(): void {
    if (!this.#isDraining || this.#open.size + this.#dialling + this.#waiting.length > 0) return
    if (this.#sweep !== null) clearTimeout(this.#sweep)
    this.#sweep = null
    this.#onEmpty()
  }
}

/** Milliseconds. */
function idleLimit({ keepAliveMs }: Connection): number {
  return keepAliveMs === null ? IDLE_MS : Math.min(keepAliveMs - MARGIN_MS, MAX_IDLE_MS)
}
