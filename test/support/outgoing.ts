import type { CredentialTools, Headers, OutgoingBody, OutgoingRequest } from '#firewall/credential.js'

/** A request as a credential gets it, with its slots empty. */
export function outgoingRequest(
  parts: Partial<OutgoingRequest> & { headers?: Headers } = {},
): OutgoingRequest {
  return {
    method: 'GET',
    origin: { scheme: 'https', host: 'api.example', port: 443 },
    path: '/',
    query: '',
    headers: { host: 'api.example' },
    body: null,
    sent: { headers: {}, query: '' },
    standIns: new Map(),
    ...parts,
  }
}

/** A body of these pieces, and what goes upstream of it. Changes of its length go to `headers`, as they do in the gate. */
export function outgoingBody(
  pieces: readonly Buffer[],
  headers: Headers,
): OutgoingBody & { sent(): Promise<Buffer> } {
  const source = async function* () {
    for (const piece of pieces) yield await Promise.resolve(piece)
  }
  let content: AsyncIterable<Buffer> = source()
  const replace = (bytes: Buffer) => {
    content = (async function* () {
      yield await Promise.resolve(bytes)
    })()
    headers['content-length'] = String(bytes.length)
  }
  return {
    async sent() {
      const chunks: Buffer[] = []
      for await (const chunk of content) chunks.push(chunk)
      return Buffer.concat(chunks)
    },
    read(limit) {
      const bytes = Buffer.concat(pieces)
      if (bytes.length > limit) return Promise.resolve(null)
      replace(bytes)
      return Promise.resolve(bytes)
    },
    replace,
    transform(through, length) {
      content = through(source())
      if (length === null) delete headers['content-length']
      else headers['content-length'] = String(length)
    },
  }
}

/** For kinds that ask nobody. */
export const NO_TOOLS: CredentialTools = {
  now: Date.now,
  send: () => Promise.reject(new Error('this kind asks nobody')),
}
