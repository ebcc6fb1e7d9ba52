import type { Duplex } from 'node:stream'
import { createCa, type Identity } from '../certificate-authority.js'
import { checkCredential } from '../credential-check.js'
import { listenTls, sendJson } from '../tls-server.js'
import { anthropicApi } from './anthropic.js'
import { geminiApi } from './gemini.js'
import type { Task } from './model-api.js'
import { openaiApi } from './openai.js'

/** A request as it arrived. */
export interface Asked {
  readonly host: string
  readonly method: string
  readonly path: string
  readonly credential: 'real' | 'wrong' | 'missing'
  /** whether the API has such a request */
  readonly known: boolean
}

/** What the APIs need to know. */
export interface ModelOrder {
  readonly identity: Identity
  readonly task: Task
  /** the one key that they take */
  readonly key: string
  readonly host: string
  /** 0: a free one */
  readonly port: number
}

export const MODEL_HOSTS = [
  'api.anthropic.com',
  'api.openai.com',
  'generativelanguage.googleapis.com',
] as const

export interface ModelApis {
  readonly port: number
  /** PEM of the CA that issued their certificates */
  readonly ca: string
  readonly asked: readonly Asked[]
  close(): Promise<void>
}

/** Starts the mock APIs on a free port of loopback. */
export async function startModelApis(task: Task, key: string): Promise<ModelApis> {
  const authority = await createCa('Model APIs')
  const identity = await authority.issue([...MODEL_HOSTS])
  const asked: Asked[] = []
  const order = { identity, task, key, host: '127.0.0.1', port: 0 }
  return { ca: authority.pem, asked, ...(await serveModelApis(order, (one) => asked.push(one))) }
}

/** Serves the mock APIs of the models of known agents, on one port. */
export async function serveModelApis(
  { identity, task, key, host: address, port: wanted }: ModelOrder,
  record: (asked: Asked) => void,
): Promise<{ port: number; close(): Promise<void> }> {
  const apis = [anthropicApi(task), openaiApi(task), geminiApi(task)]
  const find = (host: string) => apis.find((one) => one.host === host)
  const { server, port, close } = await listenTls(
    identity,
    (request, response, body) => {
      const host = String(request.headers.host)
      const api = find(host)
      const [path = ''] = (request.url ?? '').split('?')
      const credential =
        api === undefined ? 'missing' : checkCredential(request, api.location, api.credential(key))
      let known = false
      if (credential !== 'real') sendJson(response, 401, { error: { message: 'not the real key' } })
      else {
        try {
          known = api?.answer(request, response, body) === true
        } catch {
          known = false
        }
        if (!known) sendJson(response, 404, { error: { message: `no ${request.method ?? ''} ${path}` } })
      }
      record({ host, method: request.method ?? '', path, credential, known })
    },
    address,
    wanted,
  )
  server.on('upgrade', (request, socket: Duplex) => {
    const host = String(request.headers.host)
    const api = find(host)
    const credential =
      api === undefined ? 'missing' : checkCredential(request, api.location, api.credential(key))
    const known = credential === 'real' && api?.upgrade?.(request, socket) === true
    record({ host, method: 'WEBSOCKET', path: request.url ?? '', credential, known })
    if (!known) socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
  })
  return { port, close }
}
