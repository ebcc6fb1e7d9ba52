import type { Diagnostic } from '#firewall/contracts/diagnostic.js'
import { quote } from '../../issues/quote.js'
import { connectionOf, member, requestStore } from './https.js'
import type { SourceTools, StoreWay } from './source.js'

export interface VaultOptions {
  /** With its base path, if any. */
  readonly address: URL
  /** The path in the API: `secret/data/jira` (KV version 2), `secret/jira` (version 1). */
  readonly path: string
  readonly field: string
  /** Name of the secret that contains the token. */
  readonly token: string
  readonly namespace: string | null
  readonly ca: string | null
  readonly timeoutMs: number
  readonly way: StoreWay
}

/** Reads one field of a secret of HashiCorp Vault or OpenBao: `GET /v1/<path>`, key/value version 1 or 2. */
export async function readVault(
  { address, path, field, token, namespace, ca, timeoutMs, way }: VaultOptions,
  { valueOf, signal }: SourceTools,
): Promise<string | Diagnostic> {
  const response = await requestStore({
    method: 'GET',
    url: new URL(`${address.href.replace(/\/$/, '')}/v1/${path}`),
    headers: {
      'x-vault-token': valueOf(token),
      'x-vault-request': 'true',
      ...(namespace === null ? {} : { 'x-vault-namespace': namespace }),
    },
    body: null,
    ca,
    timeoutMs,
    signal,
    connect: connectionOf(way, valueOf),
  })
  if ('problem' in response) return response
  if (response.status !== 200) return statusError(response.status, path)
  const data = member(response.body, 'data')
  const versioned = typeof member(data, 'metadata') === 'object' && typeof member(data, 'data') === 'object'
  const value = member(versioned ? member(data, 'data') : data, field)
  if (typeof value === 'string') return value
  return {
    problem: `Vault secret ${quote(path)} has no text in field ${quote(field)}`,
    fix: 'Set `field` to one of its fields',
  }
}

function statusError(status: number, path: string): Diagnostic {
  if (status === 403) {
    return {
      problem: `Vault denied access to ${quote(path)} (403)`,
      fix: 'Check that the token is valid and that its policy has `read` on this path',
    }
  }
  if (status === 404) {
    return {
      problem: `Vault secret ${quote(path)} not found (404)`,
      fix: 'Use the API path: with key/value version 2, `data/` follows the mount (`secret/data/jira`)',
    }
  }
  return {
    problem: `Vault responded with ${status}`,
    fix: 'Check that Vault is unsealed, and that `address` is correct',
  }
}
