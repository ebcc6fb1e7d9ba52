import type { IncomingMessage, ServerResponse } from 'node:http'
import { basename } from 'node:path'
import type { Duplex } from 'node:stream'

/** What the model of a mock API makes its agent do: read a file, change one word of it, and say so. */
export interface Task {
  /** absolute path of a text file */
  readonly file: string
  /** a word that is in the file once, and the one to put in its place */
  readonly from: string
  readonly to: string
  /** what the model says at the end */
  readonly says: string
}

/** The API of one vendor: it answers only what its documentation has, and only to the real key. */
export interface ModelApi {
  readonly host: string
  /** The header of the key, in lower case, and its whole value for a key. */
  readonly location: string
  credential(key: string): string
  /** Answers a request whose key is the real one. False for a request that the API does not have. */
  answer(request: IncomingMessage, response: ServerResponse, body: Buffer): boolean
  /** Answers a WebSocket whose key is the real one. False if the API has none at this path. */
  upgrade?(request: IncomingMessage, socket: Duplex): boolean
}

/**
 * The change as text, for agents without tools that ask for it in this form; null for others.
 *
 * @param messages what the agent has sent, with the line to change in it
 */
export function editInText(messages: string, { file, from, to, says }: Task): string | null {
  if (!messages.includes('SEARCH/REPLACE')) return null
  const [line] = new RegExp(`[A-Z][^\\\\"]*\\b${from}\\b[^\\\\"]*(?=\\\\n)`).exec(messages) ?? []
  if (line === undefined) return null
  const edit = `<<<<<<< SEARCH\n${line}\n=======\n${line.replace(from, to)}\n>>>>>>> REPLACE`
  return `${says}\n\n${basename(file)}\n\`\`\`\n${edit}\n\`\`\`\n`
}

/** An event of a stream of server-sent events. */
export function sendEvent(response: ServerResponse, value: { readonly type: string }): void {
  response.write(`event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`)
}

export function startEvents(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
}

/** The body as an object; throws if it is none. */
export function readObject(body: Buffer): Readonly<Record<string, unknown>> {
  const value = JSON.parse(body.toString()) as unknown
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('not an object')
  return value as Readonly<Record<string, unknown>>
}

export function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? (value as readonly Readonly<Record<string, unknown>>[]) : []
}
