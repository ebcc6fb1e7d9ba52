/** A measured figure, and the command or method that gives it. */
interface Cost {
  readonly value: number
  readonly from: string
}

/** What things cost on one core of the machine that `docs/performance.md` names. Seconds of processor time, and bytes. */
export const COSTS = {
  request: { value: 171e-6, from: 'npm run bench, TLS ended, credential injected, response searched' },
  query: { value: 25e-6, from: 'npm run bench' },
  streamEvent: { value: 74e-6, from: 'npm run bench, 100 streams of 50 events a second' },
  recordsOfRequest: { value: 1518, from: 'decision and close of 200 requests, uncompressed' },
  recordOfQuery: { value: 812, from: '100 queries, uncompressed' },
  compression: { value: 10, from: 'gzip of the same records' },
  reloadPerRule: {
    value: 110e-6,
    from: 'checking and building a policy of 1,000 and 5,000 rules, one turn of the loop',
  },
  bytesPerRule: { value: 58, from: 'the same policies' },
  idleShard: { value: 75 * 2 ** 20, from: 'npm run bench:memory' },
  openStream: { value: 100 * 2 ** 10, from: 'npm run bench:http -- streams' },
  tokenReview: { value: 0.85e-3, from: '6,000 TokenReviews at a Kubernetes 1.36 API server' },
  podGet: { value: 0.95e-3, from: '3,000 reads of an agent pod at the same' },
  podChange: { value: 3.9e-3, from: '2,000 status patches of agent pods at the same, without watchers' },
  watchFilter: { value: 3.5e-6, from: 'the same beside 200 watchers of which one wants the change' },
  watchDelivery: { value: 21e-6, from: 'the same beside 200 watchers that all want it' },
  podBytes: { value: 4570, from: 'a watch event of an agent pod' },
} satisfies Record<string, Cost>

/** Values alone. */
export const cost = (name: keyof typeof COSTS): number => COSTS[name].value

/** What Kubernetes says of itself, and has as defaults; not measured here. */
export const KUBERNETES = {
  /** Pods of a cluster, and nodes: the project's own tested limits. */
  maxPods: 150_000,
  maxNodes: 5_000,
  /** Bytes of all values of a ConfigMap. */
  maxConfigMap: 2 ** 20,
  /** Requests in flight at an API server, reading and writing together. */
  inFlight: 600,
  /** Seconds until a node that is silent counts as gone. */
  nodeGone: 50,
  /** Seconds for which its pods are tolerated after that, unless the pod says otherwise. */
  tolerated: 300,
  /** Longest time in seconds between two looks of a kubelet at the ConfigMaps of its pods. */
  configMapSync: 60,
} as const
