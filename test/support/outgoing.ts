import type { CredentialTools, Headers, OutgoingRequest } from '#firewall/credential.js'

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

/** For kinds that ask nobody. */
export const NO_TOOLS: CredentialTools = {
  now: Date.now,
  send: () => Promise.reject(new Error('this kind asks nobody')),
}
