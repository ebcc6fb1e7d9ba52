import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { median } from './statistics.js'

/** What a command and everything that it started took; null where this machine does not say. */
export interface Cost {
  readonly wallMs: number
  readonly cpuMs: number | null
  /** highest sum of memory */
  readonly bytes: number | null
}

export interface Measured {
  readonly name: string
  readonly words: readonly string[]
}

/**
 * A control group counts processes that were killed or given away, which the parent's own counters miss. Needs root. In the old
 * hierarchy each resource has a tree of its own.
 */
class Group {
  readonly #directories: readonly string[]
  readonly #isNew = existsSync('/sys/fs/cgroup/cgroup.controllers')

  constructor() {
    const name = `egress-bench-${String(process.pid)}`
    const trees = this.#isNew ? [''] : ['cpuacct/', 'memory/']
    this.#directories = trees.map((tree) => `/sys/fs/cgroup/${tree}${name}`)
    for (const directory of this.#directories) mkdirSync(directory)
  }

  /** Words before a command that put it into the group. */
  get prefix(): readonly string[] {
    const enter = this.#directories.map((directory) => `echo $$ >${directory}/cgroup.procs`).join(' && ')
    return ['sh', '-c', `${enter} && exec "$@"`, 'sh']
  }

  begin(): void {
    const [, memory = ''] = this.#directories
    if (this.#isNew) return
    writeFileSync(`${memory}/memory.force_empty`, '0')
    writeFileSync(`${memory}/memory.max_usage_in_bytes`, '0')
  }

  cpuMs(): number {
    const [cpu = ''] = this.#directories
    return this.#isNew
      ? Number(/^usage_usec (\d+)/m.exec(readFileSync(`${cpu}/cpu.stat`, 'utf8'))?.[1]) / 1e3
      : Number(readFileSync(`${cpu}/cpuacct.usage`, 'utf8')) / 1e6
  }

  /** Since `begin`; in the new hierarchy since the group was made. */
  peakBytes(): number {
    const [first = '', memory = first] = this.#directories
    return Number(
      readFileSync(`${memory}/${this.#isNew ? 'memory.peak' : 'memory.max_usage_in_bytes'}`, 'utf8'),
    )
  }

  async empty(): Promise<void> {
    const [first = ''] = this.#directories
    while (readFileSync(`${first}/cgroup.procs`, 'utf8') !== '')
      await new Promise((resolve) => setTimeout(resolve, 10))
  }

  remove(): void {
    for (const directory of this.#directories) rmdirSync(directory)
  }
}

/** Medians of `rounds`, each command in turn, so that a change of the machine's load meets all of them. */
export async function measureCosts(
  commands: readonly Measured[],
  rounds: number,
  cwd: string,
): Promise<ReadonlyMap<string, Cost>> {
  const costs = new Map(commands.map(({ name }) => [name, [] as Cost[]]))
  for (let round = 0; round < rounds; round += 1)
    for (const { name, words } of commands) costs.get(name)?.push(await measureOnce(words, cwd))
  return new Map([...costs].map(([name, all]) => [name, medianOf(all)]))
}

async function measureOnce(words: readonly string[], cwd: string): Promise<Cost> {
  const group = process.getuid?.() === 0 ? new Group() : null
  const [program = '', ...args] = [...(group?.prefix ?? []), ...words]
  group?.begin()
  const before = group?.cpuMs() ?? 0
  const started = performance.now()
  const { status, stderr } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const wallMs = performance.now() - started
  if (status !== 0) throw new Error(`${words.join(' ')}: ${stderr}`)
  if (group === null) return { wallMs, cpuMs: null, bytes: null }
  await group.empty()
  const cost = { wallMs, cpuMs: group.cpuMs() - before, bytes: group.peakBytes() }
  group.remove()
  return cost
}

function medianOf(costs: readonly Cost[]): Cost {
  const of = (values: readonly (number | null)[]) => {
    const known = values.filter((value) => value !== null)
    return known.length === 0 ? null : median(known)
  }
  return {
    wallMs: median(costs.map(({ wallMs }) => wallMs)),
    cpuMs: of(costs.map(({ cpuMs }) => cpuMs)),
    bytes: of(costs.map(({ bytes }) => bytes)),
  }
}
