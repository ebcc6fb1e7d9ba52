import type { Credential, Injected, OutgoingRequest } from '#firewall/contracts/credential.js'
import type { Secret } from '#firewall/secrets/secret.js'
import { derived, secretPatternsOf } from './shared.js'
import { TokenCache, type ObtainToken, type TokenError } from './token-cache.js'
import type { TokenEndpoint } from './token-endpoint.js'

export interface TokenCredentialParts {
  readonly kind: string
  readonly id: string
  /** Fields in the policy. */
  readonly values: Readonly<Record<string, Secret>>
  /** Null if the URL in the policy is invalid: then nothing is ever sent. */
  readonly endpoint: TokenEndpoint | null
  readonly obtain: ObtainToken
  /** The header value (default: `Bearer <token>`). */
  readonly authorization?: (token: string, request: OutgoingRequest) => string
  /** Secrets that are not in the policy. */
  readonly more?: readonly Secret[]
  readonly usesUpSecrets?: boolean
  /** Values derived from the fields that must be redacted too. */
  readonly alsoSecret?: () => readonly string[]
}

/** RFC 6750 section 2.1. */
const bearerHeader = (token: string) => `Bearer ${token}`

/** A credential that sets `Authorization` to a token that the gateway requests. */
export function tokenCredential(parts: TokenCredentialParts): Credential {
  const {
    kind,
    id,
    values,
    endpoint,
    obtain,
    authorization = bearerHeader,
    more = [],
    alsoSecret,
    usesUpSecrets = false,
  } = parts
  const given = Object.values(values)
  const cache = new TokenCache(`token of ${id}`, given, obtain)
  const all = [...given, ...more, cache.token]
  return {
    kind,
    id,
    locations: { headers: ['authorization'] },
    inject(request, tools) {
      const put = (token: string | TokenError): Injected => {
        if (typeof token !== 'string') return { reason: 'credential-unavailable', detail: token.problem }
        request.headers['authorization'] = authorization(token, request)
        return null
      }
      const token = cache.get(tools)
      return token instanceof Promise ? token.then(put) : put(token)
    },
    onResponse(request, status, now) {
      const token = cache.token.reveal()
      const current = request.headers['authorization'] === authorization(token, request)
      if (status === 401 && current) cache.refuse(token, now)
    },
    secretPatterns: derived(all, () => {
      const texts = [...all.flatMap((secret) => secret.revealSensitive()), ...(alsoSecret?.() ?? [])]
      return secretPatternsOf(...new Set(texts))
    }),
    endpoints: endpoint === null ? [] : [endpoint.origin],
    usesUpSecrets,
  }
}
