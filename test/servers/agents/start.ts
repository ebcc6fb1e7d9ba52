import type { Duplex } from 'node:stream'
import { createCa } from '../certificate-authority.js'
import { checkCredential } from '../credential-check.js'
import { listenTls, sendJson } from '../tls-server.js'
import { anthropicApi } from './anthropic.js'
import { geminiApi } from './gemini.js'
import { openaiApi } from './openai.js'
import type { Task } from './model-api.js'

/** A request as it arrived. */
export interface Asked {
  readonly host: string
  readonly method: string
  readonly path: string
  readonly credential: 'real' | 'wrong' | 'missing'
  /** whether the API has such a request */
  readonly known: boolean
}

export interface ModelApis {
  readonly port: number
  /** PEM of the CA that issued their certificates */
  readonly ca: string
  readonly hosts: readonly string[]
  readonly asked: readonly Asked[]
  close(): Promise<void>
}

/** Starts mock APIs of the models of known agents, on one port. */
export async function startModelApis(
  task: Task,
  key: string,
  others: readonly string[] = [],
): Promise<ModelApis> {
  const apis = [anthropicApi(task), openaiApi(task), geminiApi(task)]
  const authority = await createCa('Model APIs')
  const hosts = [...apis.map(({ host }) => host), ...others]
  const identity = await authority.issue(hosts as [string, ...string[]])
  const asked: Asked[] = []
  const { server, port, close } = await listenTls(
    identity,
    (request, response, body) => {
      const host = String(request.headers.host)
      const api = apis.find((one) => one.host === host)
      const [path = ''] = (request.url ?? '').split('?')
      const credential =
        api === undefined ? 'missing' : checkCredential(request, api.location, api.credential(key))
      let known = false
      if (api === undefined) sendJson(response, (known = others.includes(host)) ? 200 : 404, {})
      else if (credential !== 'real') sendJson(response, 401, { error: { message: 'not the real key' } })
      else {
        try {
          known = api.answer(request, response, body)
        } catch {
          known = false
        }
        if (!known) sendJson(response, 404, { error: { message: `no ${request.method ?? ''} ${path}` } })
      }
      asked.push({ host, method: request.method ?? '', path, credential, known })
    },
    '127.0.0.1',
  )
  server.on('upgrade', (request, socket: Duplex) => {
    const host = String(request.headers.host)
    const api = apis.find((one) => one.host === host)
    const credential =
      api === undefined ? 'missing' : checkCredential(request, api.location, api.credential(key))
    const known = credential === 'real' && api?.upgrade?.(request, socket) === true
    asked.push({ host, method: 'UPGRADE', path: request.url ?? '', credential, known })
    if (!known) socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
  })
  return { port, ca: authority.pem, hosts, asked, close }
}
