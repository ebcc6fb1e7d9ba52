import type { Diagnostic } from '#firewall/names/host-pattern.js'
import { quote } from '../redact-message.js'
import { askStore, member } from './https.js'
import type { SourceTools } from './source.js'

export interface VaultOptions {
  /** With a base path, if there is one. */
  readonly address: URL
  /** As the API has it: `secret/data/jira` (KV version 2), `secret/jira` (version 1). */
  readonly path: string
  readonly field: string
  /** Name of the secret that holds the token. */
  readonly token: string
  readonly namespace: string | null
  readonly ca: string | null
  readonly timeoutMs: number
}

/** Reads one field of a secret of HashiCorp Vault or OpenBao: `GET /v1/<path>`, key/value version 1 or 2. */
export async function readVault(
  { address, path, field, token, namespace, ca, timeoutMs }: VaultOptions,
  { valueOf, signal }: SourceTools,
): Promise<string | Diagnostic> {
  const answer = await askStore({
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
  })
  if ('problem' in answer) return answer
  if (answer.status !== 200) return statusError(answer.status, path)
  const data = member(answer.body, 'data')
  const versioned = typeof member(data, 'metadata') === 'object' && typeof member(data, 'data') === 'object'
  const value = member(versioned ? member(data, 'data') : data, field)
  if (typeof value === 'string') return value
  return {
    problem: `the secret ${quote(path)} in Vault has no text in the field ${quote(field)}`,
    fix: 'name one of its fields under `field`',
  }
}

function statusError(status: number, path: string): Diagnostic {
  if (status === 403) {
    return {
      problem: `Vault refused to show ${quote(path)} (403)`,
      fix: 'see that the token is valid and its policy has `read` on this path',
    }
  }
  if (status === 404) {
    return {
      problem: `Vault has no secret ${quote(path)} (404)`,
      fix: 'write the path as the API has it: with key/value version 2, `data/` follows the mount (`secret/data/jira`)',
    }
  }
  return {
    problem: `Vault answered ${status}`,
    fix: 'see that it is unsealed, and that `address` is its own',
  }
}
