import { readFileSync } from 'node:fs'
import { Agent, request, type RequestOptions } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { EgressError, EXIT } from '../common/errors.js'

/** Where a pod finds the API server's authority and its own token. */
export const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Milliseconds in which the API server must answer. */
const ANSWER_MS = 10_000

/** Seconds after which a watch is asked to end, so that a connection that died without a word is noticed. */
const WATCH_SECONDS = 240
const WATCH_SLACK_MS = 30_000

/** Bytes of one answer, and of one event. */
const MAX_BYTES = 32 * 2 ** 20

export interface ApiAnswer {
  readonly status: number
  readonly body: unknown
}

/** One event of a watch. */
export interface WatchEvent {
  readonly type: string
  readonly object: unknown
}

export interface ApiAccess {
  /** `https://HOST:PORT` */
  readonly server: string
  /** PEM of the authority that issued its certificate. */
  readonly ca: string
  /** Of a service account. Read for each request, because the kubelet replaces it. */
  readonly token?: () => string
  /** PEM of a client certificate and its key, for who has no token. */
  readonly client?: { readonly cert: string; readonly key: string }
}

/**
 * The few requests that the gateway has for the Kubernetes API. docs/decisions/kubernetes-api.md says why they are not made by
 * a client library.
 */
export class KubernetesApi {
  readonly #access: ApiAccess
  readonly #agent: Agent

  constructor(access: ApiAccess) {
    this.#access = access
    const { ca, client } = access
    this.#agent = new Agent({ keepAlive: true, maxSockets: 16, ca, ...client })
  }

  /**
   * As the service account of this pod.
   *
   * @throws EgressError
   */
  static inCluster(
    env: Readonly<Record<string, string | undefined>>,
    directory = SERVICE_ACCOUNT_DIRECTORY,
  ): KubernetesApi {
    const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env
    try {
      if (host === undefined) throw new Error('KUBERNETES_SERVICE_HOST is not set')
      const token = () => readFileSync(join(directory, 'token'), 'utf8').trim()
      token()
      const name = host.includes(':') ? `[${host}]` : host
      return new KubernetesApi({
        server: `https://${name}:${port}`,
        ca: readFileSync(join(directory, 'ca.crt'), 'utf8'),
        token,
      })
    } catch (cause) {
      throw new EgressError({
        code: 'EGRESS_KUBERNETES',
        problem: `This is not a pod with access to the Kubernetes API (${cause instanceof Error ? cause.message : 'unknown error'})`,
        fix: 'Install the gateway with the chart in kubernetes/chart, or unset EGRESS_KUBERNETES_NAMESPACES',
        cause,
      })
    }
  }

  /** @param body makes it a POST, or what `method` says; a PATCH merges (RFC 7396) */
  async ask(
    path: string,
    body?: unknown,
    method = body === undefined ? 'GET' : 'POST',
    signal?: AbortSignal,
  ): Promise<ApiAnswer> {
    const sent = body === undefined ? '' : JSON.stringify(body)
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const headers = { 'content-type': type, 'content-length': Buffer.byteLength(sent) }
    const limit = AbortSignal.any([AbortSignal.timeout(ANSWER_MS), ...(signal ? [signal] : [])])
    try {
      const response = await this.#send({ path, method, headers, signal: limit }, sent)
      const text = await readAll(response)
      return { status: response.statusCode ?? 0, body: JSON.parse(text) as unknown }
    } catch (cause) {
      throw unreachable(cause)
    }
  }

  /**
   * The events of a collection from a version on. Ends from time to time; whoever watches asks again.
   *
   * @throws EgressError; also when the version is too old, which calls for another list
   */
  async *watch(path: string, version: string, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const query = `watch=1&allowWatchBookmarks=true&timeoutSeconds=${String(WATCH_SECONDS)}&resourceVersion=${encodeURIComponent(version)}`
    const limit = AbortSignal.any([AbortSignal.timeout(WATCH_SECONDS * 1000 + WATCH_SLACK_MS), signal])
    try {
      const whole = `${path}${path.includes('?') ? '&' : '?'}${query}`
      const response = await this.#send({ path: whole, method: 'GET', headers: {}, signal: limit }, '')
      if (response.statusCode !== 200) {
        response.resume()
        throw new Error(`status ${String(response.statusCode)}`)
      }
      for await (const line of createInterface({ input: response, crlfDelay: Infinity })) {
        if (line === '') continue
        const { type, object } = JSON.parse(line) as Partial<WatchEvent>
        if (type === 'ERROR') throw new Error(String((object as { message?: unknown }).message))
        yield { type: String(type), object }
      }
    } catch (cause) {
      throw unreachable(cause)
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  #send(options: RequestOptions, body: string): Promise<IncomingMessage> {
    const { server, token } = this.#access
    const headers = {
      accept: 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token()}` }),
      ...(options.headers as Record<string, string | number>),
    }
    return new Promise((resolve, reject) => {
      const sent = request(server, { ...options, agent: this.#agent, headers }, resolve)
      sent.once('error', reject)
      sent.end(body)
    })
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BYTES) throw new Error('the answer is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function unreachable(cause: unknown): EgressError {
  return new EgressError({
    code: 'EGRESS_KUBERNETES',
    problem: `The Kubernetes API does not answer (${cause instanceof Error ? cause.message : 'unknown error'})`,
    fix: 'Check that the gateway may reach the API server, and that the API server is up',
    exitCode: EXIT.failed,
    cause,
  })
}
