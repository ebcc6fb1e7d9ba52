import type { KubernetesApi } from './api.js'
import { refused } from './token-review.js'

/** A registration that must survive the shard: which pod has proven to be at which address. The rest is in the API. */
export interface KeptPod {
  readonly uid: string
  readonly address: string
}

const KEY = 'registrations'

/**
 * Keeps the registrations of a shard in a ConfigMap of its own, so that agents outlive a shard that is moved or killed. Whoever
 * can write there could as well write the policy.
 */
export class KeptPods {
  readonly #api: Pick<KubernetesApi, 'ask'>
  readonly #path: string
  readonly #current: () => readonly KeptPod[]
  #running: Promise<unknown> = Promise.resolve()
  #waiting: Promise<void> | null = null

  /** @param current what is to be kept, at the moment of writing */
  constructor(
    api: Pick<KubernetesApi, 'ask'>,
    namespace: string,
    name: string,
    current: () => readonly KeptPod[],
  ) {
    this.#api = api
    this.#path = `/api/v1/namespaces/${namespace}/configmaps/${name}`
    this.#current = current
  }

  /** @throws EgressError */
  async read(): Promise<readonly KeptPod[]> {
    const { status, body } = await this.#api.ask(this.#path)
    if (status !== 200) throw refused(`read the ConfigMap in which it keeps its registrations`, status)
    const { data } = body as { data?: Readonly<Record<string, string>> }
    return parseKept(data?.[KEY] ?? '')
  }

  /** Resolves when what is registered now is kept. Calls during a write share the next one. @throws EgressError */
  write(): Promise<void> {
    this.#waiting ??= this.#running.then(() => {
      this.#waiting = null
      const write = this.#write()
      this.#running = write.catch(() => undefined)
      return write
    })
    return this.#waiting
  }

  async #write(): Promise<void> {
    const text = this.#current()
      .map(({ uid, address }) => `${uid} ${address}\n`)
      .join('')
    const { status } = await this.#api.ask(this.#path, { data: { [KEY]: text } }, 'PATCH')
    if (status !== 200) throw refused('write the ConfigMap in which it keeps its registrations', status)
  }
}

export function parseKept(text: string): KeptPod[] {
  return text.split('\n').flatMap((line) => {
    const [, uid, address] = /^([0-9a-f-]{36}) ([0-9a-f.:]{2,45})$/.exec(line) ?? []
    return uid === undefined || address === undefined ? [] : [{ uid, address }]
  })
}
