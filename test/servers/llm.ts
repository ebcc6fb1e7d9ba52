import { setTimeout as sleep } from 'node:timers/promises'
import type { Identity } from './certificate-authority.js'
import { checkCredential, describeLocation } from './credential-check.js'
import type { RequestRecord, Placeholder } from './records.js'
import { headerPairs, listenTls, sendJson } from './tls-server.js'

const ANSWER = ['Both ', 'issues ', 'are ', 'open; ', 'rotate ', 'the ', 'deploy ', 'key ', 'first.']
/** Milliseconds between two events: long enough to notice a gateway that buffers. */
const PACE_MS = 100

/** A model API that streams its response as server-sent events, each with its time of sending. */
export async function startLlm(
  identity: Identity,
  key: string,
  host = '127.0.0.1',
): Promise<Placeholder<RequestRecord>> {
  const records: RequestRecord[] = []
  const { port, close } = await listenTls(
    identity,
    async (request, response) => {
      const { method = '', url: target = '' } = request
      const credential = checkCredential(request, 'x-api-key', key)
      const outside = target.split('?')[0] !== '/v1/messages'
      records.push({ at: Date.now(), method, target, headers: headerPairs(request), credential, outside })
      if (credential !== 'real') {
        const message = `received ${describeLocation(request, 'x-api-key')}`
        sendJson(response, 401, { type: 'error', error: { type: 'authentication_error', message } })
        return
      }
      if (method !== 'POST' || outside) {
        sendJson(response, 404, { type: 'error', error: { type: 'not_found_error', message: 'Not found' } })
        return
      }
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
      for (const text of ANSWER) {
        response.write(
          serverSentEvent('content_block_delta', { delta: { type: 'text_delta', text }, sent: Date.now() }),
        )
        await sleep(PACE_MS)
      }
      response.end(serverSentEvent('message_stop', { sent: Date.now() }))
    },
    host,
  )
  return { port, records, close }
}

function serverSentEvent(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
}
