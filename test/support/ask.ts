import { request, type IncomingHttpHeaders } from 'node:http'
import type { TestGate } from './gate.js'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A request to the service `api`, or another one, by the routes door. */
export function ask(
  gate: TestGate,
  path: string,
  headers: Record<string, string> = {},
  service = 'api',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: '127.0.0.1',
      port: gate.ports.routes,
      path: `/${service}${path}`,
      headers: { host: 'egress:9199', ...headers },
      agent: false,
    })
    sent.on('error', reject)
    sent.on('response', (response) => {
      let body = ''
      response.setEncoding('latin1')
      response.on('data', (chunk: string) => (body += chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
    sent.end()
  })
}
