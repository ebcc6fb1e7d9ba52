import { cost } from './costs.js'

/** What an average agent does; agents differ from it by a log-normal factor. */
export const AGENT = {
  /** Seconds between two calls of its model, and for how long each streams. */
  callEvery: 20,
  callStreams: 12,
  /** Events a second of a stream. */
  eventRate: 25,
  /** Seconds between two bursts, such as the installation of a package: so many requests at such a rate. */
  burstEvery: 900,
  burstRequests: 300,
  burstRate: 40,
  queriesPerRequest: 0.3,
  /** Seconds that an agent lives. */
  lives: 1_800,
  /** Of the factor's logarithm. */
  sigma: 1.2,
} as const

const { callEvery, callStreams, eventRate, burstEvery, burstRequests, queriesPerRequest } = AGENT

export const REQUESTS_PER_S = 1 / callEvery + burstRequests / burstEvery
export const OPEN_STREAMS = callStreams / callEvery

/** Part of a core that an average agent takes of its shard. */
export const CORE_SHARE =
  REQUESTS_PER_S * (cost('request') + queriesPerRequest * cost('query')) +
  OPEN_STREAMS * eventRate * cost('streamEvent')

/** Bytes of records a second. */
export const RECORDS_PER_S =
  REQUESTS_PER_S * (cost('recordsOfRequest') + queriesPerRequest * cost('recordOfQuery'))
