import { AGENT, CORE_SHARE, OPEN_STREAMS, RECORDS_PER_S, REQUESTS_PER_S } from './fleet/agent-load.js'
import { cost, COSTS, KUBERNETES } from './fleet/costs.js'
import { waitsAt } from './fleet/one-shard.js'
import { CHOICES, spread } from './fleet/shard-choice.js'
import { loseZone } from './fleet/zone-loss.js'
import { table } from './workers/statistics.js'

// A fleet that no machine here can hold, from what one shard and one API server were measured to cost. Shards of one core each.
// Nothing is random that a second run would change.
//
//     npm run bench:fleet [-- AGENTS SHARDS]

const [agents = 100_000, shards = 1_000] = process.argv.slice(2).map(Number)
if (!(agents > 0 && shards > 0)) {
  process.stderr.write('bench:fleet: expected two numbers\n  npm run bench:fleet -- 100000 1000\n')
  process.exit(2)
}

const print = (title: string, head: readonly string[], rows: readonly (readonly string[])[]) =>
  process.stdout.write(`\n${title}\n${table(head, rows)}`)
const percent = (share: number) => `${(share * 100).toFixed(1)} %`
const whole = (value: number) => Math.round(value).toLocaleString('en')
const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1)

process.stdout.write('Measured\n')
for (const [name, { value, from }] of Object.entries(COSTS))
  process.stdout.write(`${name}: ${value < 1 ? `${(value * 1e6).toFixed(1)} µs` : whole(value)} (${from})\n`)

process.stdout.write(
  `\n${whole(agents)} agents on ${whole(shards)} shards. An agent: ${REQUESTS_PER_S.toFixed(2)} requests/s, ` +
    `${OPEN_STREAMS.toFixed(1)} open streams, ${percent(CORE_SHARE)} of a core, lives ${String(AGENT.lives / 60)} minutes\n`,
)

print(
  'Choice of the shard',
  ['', 'agents, fullest by mean', 'core busy: mean', '1 in 100', 'busiest'],
  (Object.keys(CHOICES) as (keyof typeof CHOICES)[]).map((choice) => {
    const { agents: most, ...busy } = spread(choice, agents, shards)
    return [CHOICES[choice], most.toFixed(2), percent(busy.mean), percent(busy.p99), percent(busy.most)]
  }),
)

const sizes = [100, 300, 600, 1_000].map((size) => ({ size, ...waitsAt(size) }))
print(
  'One shard',
  ['agents', 'core busy', 'wait p50 ms', 'p99 ms', 'MiB'],
  sizes.map(({ size, busy, p50, p99 }) => [
    String(size),
    percent(busy),
    p50.toFixed(3),
    p99.toFixed(1),
    mib(cost('idleShard') + size * OPEN_STREAMS * cost('openStream')),
  ]),
)

print(
  'Reload, one policy for all',
  ['rules', 'KiB', 'shard stops, ms', 'from the API server, MiB', 'MiB/s'],
  [100, 1_000, 5_000, 18_000].map((rules) => {
    const bytes = rules * cost('bytesPerRule')
    const all = (bytes * shards) / 2 ** 20
    return [
      whole(rules),
      (bytes / 1024).toFixed(0),
      (rules * cost('reloadPerRule') * 1000).toFixed(0),
      all.toFixed(0),
      (all / KUBERNETES.configMapSync).toFixed(1),
    ]
  }),
)

/** Changes of a pod that a watcher sees, from its creation to its end. */
const CHANGES = 8
const starts = agents / AGENT.lives
/** A TokenReview, the pod, and the ConfigMap that keeps the registration: a write of an object costs what a change of a pod does. */
const REGISTRATION = cost('tokenReview') + cost('podGet') + cost('podChange')
/** Bytes of a pod in that ConfigMap. */
const KEPT_BYTES = 52
const changes = starts * CHANGES
const watched = (filters: number, deliveries: number) => [
  (
    changes *
    (cost('podChange') + filters * cost('watchFilter') + deliveries * cost('watchDelivery'))
  ).toFixed(1),
  mib(changes * deliveries * cost('podBytes')),
]
print(
  `API server, ${starts.toFixed(0)} agents start each second`,
  ['', 'cores', 'MiB/s'],
  [
    ['every shard watches all agents', ...watched(0, shards)],
    ['every shard watches its own, by label', ...watched(shards, 1)],
    ['registration: TokenReview, a read and a write', (starts * REGISTRATION).toFixed(2), ''],
    ['all agents register again within a minute', ((agents / 60) * REGISTRATION).toFixed(2), ''],
  ],
)

const records = RECORDS_PER_S * agents
print(
  'Audit',
  ['', 'of a shard', 'of all'],
  [
    ['MiB/s', mib(records / shards), mib(records)],
    ['GiB a day', ...[records / shards, records].map((one) => ((one * 86_400) / 2 ** 30).toFixed(1))],
    [
      'GiB a day, compressed',
      ...[records / shards, records].map((one) =>
        ((one * 86_400) / 2 ** 30 / cost('compression')).toFixed(1),
      ),
    ],
  ],
)

const placements = [
  ['shard anywhere, default toleration', { sameZone: false, toleratedSeconds: KUBERNETES.tolerated }],
  ['shard anywhere, tolerated 10 s', { sameZone: false, toleratedSeconds: 10 }],
  ['shard in the zone of its agents', { sameZone: true, toleratedSeconds: 10 }],
] as const
print(
  'One of three zones is lost: agents in the other two',
  ['', 'without network', 'half until s', 'all until s'],
  placements.map(([name, placement]) => {
    const { affected, p50, all } = loseZone(agents, shards, placement)
    return [name, percent(affected), p50.toFixed(0), all.toFixed(0)]
  }),
)

const watchCores = (many: number) => changes * many * cost('watchDelivery')
print(
  'What breaks first, and where',
  ['', 'at'],
  [
    ['watching all agents: 8 cores of the API server', `${whole(8 / watchCores(1))} shards`],
    ['pods that Kubernetes is tested for', `${whole(KUBERNETES.maxPods)} agents in a cluster`],
    [
      'registrations in the ConfigMap of a shard',
      `${whole(KUBERNETES.maxConfigMap / KEPT_BYTES)} agents of a shard`,
    ],
    ['a policy in one ConfigMap', `${whole(KUBERNETES.maxConfigMap / cost('bytesPerRule'))} rules`],
    ['a reload that stops a shard for a second', `${whole(1 / cost('reloadPerRule'))} rules`],
    ['shards whose cores are half busy', whole((agents * CORE_SHARE) / 0.5)],
    ['a shard whose core is busy for 70 %', `${whole(0.7 / CORE_SHARE)} average agents`],
  ],
)
