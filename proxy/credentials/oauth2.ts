import type { CredentialKind } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { field } from './shared.js'
import { readResponse, readTokenResponse } from './token-response.js'
import type { ObtainToken } from './token-cache.js'
import { tokenCredential } from './token-credential.js'
import { endpointError, readEndpoint } from './token-endpoint.js'

/** Fields that become parameters of the token request, with the same names (RFC 6749 section 3.3; RFC 8707). */
const PARAMETERS = ['scope', 'audience', 'resource']

/**
 * OAuth 2, with the client's own permissions (RFC 6749 section 4.4) or those of the user of a refresh token (section 6). The
 * sandbox sees neither the endpoint nor its responses.
 */
export const oauth2: CredentialKind = {
  name: 'oauth2',
  summary: 'sets `Authorization: Bearer <token>` with a token that the gateway gets from an OAuth 2 endpoint',
  fields: {
    token_url: { secret: false, describe: 'the token endpoint, such as `https://login.example.com/token`' },
    client_id: { secret: false, describe: 'the client id; plain text or a secret' },
    client_secret: { secret: true, optional: true, describe: 'the client secret' },
    refresh_token: {
      secret: true,
      optional: true,
      describe: 'a refresh token, to get tokens with the permissions of its user',
    },
    scope: { secret: false, optional: true, describe: 'the scopes, separated by spaces' },
    audience: { secret: false, optional: true, describe: 'the audience, if the endpoint requires one' },
    resource: { secret: false, optional: true, describe: 'the resource (RFC 8707)' },
    client_auth: {
      secret: false,
      optional: true,
      describe: 'how the client authenticates: `basic` (default) or `post`',
    },
  },
  shorthand: null,
  check({ token_url, client_secret, refresh_token, client_auth = 'basic' }) {
    if (client_secret === undefined && refresh_token === undefined)
      return 'Neither `client_secret` nor `refresh_token` is set'
    if (client_auth !== 'basic' && client_auth !== 'post') return '`client_auth` must be `basic` or `post`'
    return endpointError('token_url', token_url)
  },
  bind(id, values) {
    const endpoint = readEndpoint(field(values, 'token_url').reveal())
    const clientId = field(values, 'client_id')
    const { client_secret: clientSecret, refresh_token: source, client_auth: auth } = values
    const refresh = source === undefined ? null : new RefreshToken(source)

    const obtain: ObtainToken = async ({ send }) => {
      if (endpoint === null) return { problem: 'The URL of the token endpoint is invalid' }
      const form = new URLSearchParams(
        refresh === null
          ? { grant_type: 'client_credentials' }
          : { grant_type: 'refresh_token', refresh_token: refresh.present() },
      )
      for (const name of PARAMETERS) {
        const value = values[name]
        if (value !== undefined) form.set(name, value.reveal())
      }
      const headers: Record<string, string> = {
        accept: 'application/json',
        'content-type': 'application/x-www-form-urlencoded',
      }
      if (clientSecret !== undefined && auth?.reveal() !== 'post') {
        headers['authorization'] = `Basic ${basicPair(clientId, clientSecret)}`
      } else {
        form.set('client_id', clientId.reveal())
        if (clientSecret !== undefined) form.set('client_secret', clientSecret.reveal())
      }
      const response = await send({ method: 'POST', url: endpoint.url, headers, body: form.toString() })
      const read = readResponse(endpoint.url.host, response)
      if ('problem' in read) return read
      // Before the access token is checked, because the refresh token that was sent may already be used up.
      refresh?.rotate(read.members['refresh_token'])
      return readTokenResponse(endpoint.url.host, read.members)
    }

    return tokenCredential({
      kind: 'oauth2',
      id,
      values,
      endpoint,
      obtain,
      more: refresh === null ? [] : [refresh.current],
      usesUpSecrets: refresh !== null,
      alsoSecret: () => (clientSecret === undefined ? [] : [basicPair(clientId, clientSecret)]),
    })
  },
}

/** RFC 6749 section 2.3.1: both values are form-encoded first. */
function basicPair(clientId: Secret, clientSecret: Secret): string {
  const encode = (text: string) => new URLSearchParams({ '': text }).toString().slice(1)
  return Buffer.from(`${encode(clientId.reveal())}:${encode(clientSecret.reveal())}`).toString('base64')
}

/**
 * A refresh token that the endpoint may replace with every use (RFC 6749 section 6). The new one exists only in memory,
 * because sources are read-only; a new value from the source replaces it.
 */
class RefreshToken {
  readonly current: Secret
  readonly #source: Secret
  #version: number

  constructor(source: Secret) {
    this.#source = source
    this.#version = source.version
    this.current = new Secret(source.name, source.reveal(), source.revealSensitive())
  }

  present(): string {
    if (this.#version !== this.#source.version) {
      this.#version = this.#source.version
      this.current.rotate(this.#source.reveal())
    }
    return this.current.reveal()
  }

  rotate(value: unknown): void {
    if (typeof value === 'string' && value.length >= MIN_REFRESH) this.current.rotate(value)
  }
}

/** Minimum length of a refresh token, in characters. Shorter ones cannot be redacted. */
const MIN_REFRESH = 8
