import { connect, isIPv4, type NetConnectOpts, type Socket } from 'node:net'
import type { ReadableOptions } from 'node:stream'
import { codeOf } from '../contracts/errors.js'

/** Milliseconds after which the next address is tried as well (RFC 8305 section 8, Connection Attempt Delay). */
const ATTEMPT_DELAY_MS = 250

/** Addresses that are tried. Threat: each of hundreds that do not answer takes a socket until the last one was tried. */
const MAX_ADDRESSES = 8

/** Milliseconds of silence after which TCP asks whether the peer is still there. */
const KEEP_ALIVE_PROBE_MS = 60_000

/** Codes that say more about this host than about the upstream: a host without IPv6 has no route to any address of it. */
const NO_ROUTE = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT'])

export interface Connected {
  readonly socket: Socket
  readonly address: string
  /** Addresses that did not fail, in order: what to try if the server behind this one turns out to be useless. */
  readonly rest: readonly string[]
}

/**
 * Connects to one of several addresses (Happy Eyeballs, RFC 8305 section 5): each is tried when the one before it has failed or
 * has not answered for 250 ms. The first connection wins, all others are closed.
 *
 * @param addresses not empty; every one of them may be dialled
 * @throws the error that says most, when all have failed; the signal's reason, when it is aborted
 */
export function connectFirst(
  addresses: readonly string[],
  port: number,
  signal: AbortSignal,
): Promise<Connected> {
  const waiting = interleave(addresses).slice(0, MAX_ADDRESSES)
  const failed = new Map<string, Error>()
  const attempts = new Map<string, Socket>()
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    const settle = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      for (const socket of attempts.values()) socket.destroy()
    }
    const onAbort = () => {
      settle()
      reject(signal.reason as Error)
    }
    const next = () => {
      clearTimeout(timer)
      const address = waiting.shift()
      if (address === undefined) {
        if (attempts.size > 0) return
        settle()
        reject(mostTelling([...failed.values()]))
        return
      }
      if (waiting.length > 0) timer = setTimeout(next, ATTEMPT_DELAY_MS)
      const options: NetConnectOpts & ReadableOptions = {
        host: address,
        port,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
        highWaterMark: 65_536,
      }
      const socket = connect(options)
      attempts.set(address, socket)
      // It stays: an error between two owners of the socket must not end the gateway. `close` tells of it as well.
      socket.on('error', () => undefined)
      socket.once('error', (error) => {
        if (!attempts.delete(address)) return
        failed.set(address, error)
        next()
      })
      socket.once('connect', () => {
        attempts.delete(address)
        settle()
        const rest = interleave(addresses).filter((other) => other !== address && !failed.has(other))
        resolve({ socket, address, rest })
      })
    }
    if (signal.aborted) onAbort()
    else {
      signal.addEventListener('abort', onAbort)
      next()
    }
  })
}

/** Both families in turn, beginning with that of the first address (RFC 8305 section 4). */
export function interleave(addresses: readonly string[]): string[] {
  const [first = ''] = addresses
  const preferred = addresses.filter((address) => isIPv4(address) === isIPv4(first))
  const other = addresses.filter((address) => isIPv4(address) !== isIPv4(first))
  const turns = Math.max(preferred.length, other.length)
  return Array.from({ length: turns }, (_, turn) => [
    ...preferred.slice(turn, turn + 1),
    ...other.slice(turn, turn + 1),
  ]).flat()
}

function mostTelling(errors: readonly Error[]): Error {
  return (
    errors.find((error) => !NO_ROUTE.has(codeOf(error))) ??
    errors[0] ??
    new Error('there is no address to dial')
  )
}
