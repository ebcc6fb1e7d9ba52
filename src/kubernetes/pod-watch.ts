import { setTimeout as sleep } from 'node:timers/promises'
import type { HealthCheck } from '../control/health.js'
import type { KubernetesApi } from './api.js'
import { readPod, SHARD_LABEL, type Pod } from './pod.js'
import { refused } from './token-review.js'

/** Milliseconds between two attempts, at first and at most. */
const FIRST_PAUSE_MS = 200
const MAX_PAUSE_MS = 10_000

/** Pods in one answer. */
const PAGE = 500

export interface PodWatchOptions {
  readonly api: KubernetesApi
  readonly namespaces: readonly string[]
  readonly shard: string
  readonly observe: (pod: Pod, isDeleted: boolean) => void
  readonly observeAll: (namespace: string, pods: readonly Pod[], asked: number) => void
  readonly warn: (message: string) => void
  readonly now: () => number
}

interface Listed {
  readonly pods: readonly Pod[]
  readonly version: string
}

/** Follows the pods of this shard, each namespace with a watch of its own. */
export class PodWatch {
  readonly #options: PodWatchOptions
  readonly #stop = new AbortController()
  /** Namespaces that are followed at the moment. */
  readonly #followed = new Set<string>()
  readonly #problems = new Map<string, unknown>()

  constructor(options: PodWatchOptions) {
    this.#options = options
  }

  /** New sandboxes can be proven only while the API answers. Those that are there are served without it. */
  get check(): HealthCheck {
    return {
      name: 'kubernetes',
      problem: () => {
        const missing = this.#options.namespaces.find((name) => !this.#followed.has(name))
        if (missing === undefined) return null
        const known = this.#problems.get(missing)
        return known instanceof Error ? known : new Error(`The pods of ${missing} are not followed yet`)
      },
    }
  }

  start(): void {
    for (const namespace of this.#options.namespaces) void this.#follow(namespace)
  }

  close(): void {
    this.#stop.abort()
  }

  async #follow(namespace: string): Promise<void> {
    const { warn } = this.#options
    const { signal } = this.#stop
    for (let pause = FIRST_PAUSE_MS; !signal.aborted; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
      try {
        for (;;) {
          await this.#listAndWatch(namespace, () => {
            pause = FIRST_PAUSE_MS
          })
        }
      } catch (error) {
        this.#followed.delete(namespace)
        if (this.#stop.signal.aborted) return
        const isNew = this.#problems.get(namespace) === undefined
        this.#problems.set(namespace, error)
        if (isNew)
          warn(`The pods of ${namespace} are not followed: ${error instanceof Error ? error.message : ''}`)
      }
      await sleep(pause, undefined, { signal }).catch(() => undefined)
    }
  }

  async #listAndWatch(namespace: string, isWell: () => void): Promise<void> {
    const { api, observe, observeAll, shard, now } = this.#options
    const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(`${SHARD_LABEL}=${shard}`)}`
    const asked = now()
    const { pods, version: first } = await list(api, path)
    observeAll(namespace, pods, asked)
    this.#followed.add(namespace)
    this.#problems.delete(namespace)
    isWell()
    for (let version = first; ;) {
      let seen = 0
      for await (const { type, object } of api.watch(path, version, this.#stop.signal)) {
        seen += 1
        version = versionOf(object) ?? version
        const pod = readPod(object)
        if (type !== 'BOOKMARK' && pod !== null) observe(pod, type === 'DELETED')
      }
      // A watch that ends without a word: something between here and the API server does that.
      if (seen === 0) await sleep(FIRST_PAUSE_MS, undefined, { signal: this.#stop.signal })
    }
  }
}

async function list(api: KubernetesApi, path: string): Promise<Listed> {
  const pods: Pod[] = []
  let next = ''
  for (;;) {
    const { status, body } = await api.ask(`${path}&limit=${String(PAGE)}${next}`)
    if (status !== 200) throw refused('list pods', status)
    const { items, metadata } = body as {
      items: readonly unknown[]
      metadata: { resourceVersion: string; continue?: string }
    }
    pods.push(...items.map(readPod).filter((pod) => pod !== null))
    if (metadata.continue === undefined || metadata.continue === '')
      return { pods, version: metadata.resourceVersion }
    next = `&continue=${encodeURIComponent(metadata.continue)}`
  }
}

function versionOf(object: unknown): string | null {
  const { metadata } = (object ?? {}) as { metadata?: { resourceVersion?: unknown } }
  return typeof metadata?.resourceVersion === 'string' ? metadata.resourceVersion : null
}
