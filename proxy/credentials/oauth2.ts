import type { CredentialKind } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { field } from './shared.js'
import { readResponse, readTokenResponse } from './token-response.js'
import type { ObtainToken } from './token-cache.js'
import { tokenCredential } from './token-credential.js'
import { endpointError, readEndpoint } from './token-endpoint.js'

/** Fields that are passed on to the endpoint as parameters of the same names (RFC 6749 section 3.3; RFC 8707). */
const PARAMETERS = ['scope', 'audience', 'resource']

/**
 * OAuth 2: the client's own rights (RFC 6749 section 4.4), or those of the user who gave a refresh token (section 6). The
 * sandbox sees neither the endpoint nor its answers.
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
      describe: 'a refresh token: tokens are then those of the user who gave it',
    },
    scope: { secret: false, optional: true, describe: 'the scopes, with spaces between' },
    audience: { secret: false, optional: true, describe: 'the audience, where the endpoint asks for one' },
    resource: { secret: false, optional: true, describe: 'the resource (RFC 8707)' },
    client_auth: {
      secret: false,
      optional: true,
      describe: 'how the client names itself: `basic`, as unless given, or `post`',
    },
  },
  shorthand: null,
  check({ token_url, client_secret, refresh_token, client_auth = 'basic' }) {
    if (client_secret === undefined && refresh_token === undefined)
      return 'neither `client_secret` nor `refresh_token` is given'
    if (client_auth !== 'basic' && client_auth !== 'post')
      return '`client_auth` is neither `basic` nor `post`'
    return endpointError('token_url', token_url)
  },
  bind(id, values) {
    const endpoint = readEndpoint(field(values, 'token_url').reveal())
    const clientId = field(values, 'client_id')
    const { client_secret: clientSecret, refresh_token: source, client_auth: auth } = values
    const refresh = source === undefined ? null : new RefreshToken(source)

    const obtain: ObtainToken = async ({ send }) => {
      if (endpoint === null) return { problem: 'the token endpoint cannot be read' }
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
      const answer = await send({ method: 'POST', url: endpoint.url, headers, body: form.toString() })
      const read = readResponse(endpoint.url.host, answer, 200)
      if ('problem' in read) return read
      // Before the token is looked at: the one that was sent may be used up already.
      refresh?.rotate(read.members['refresh_token'])
      return readTokenResponse(endpoint.url.host, read.members)
    }

    return tokenCredential({
      kind: 'oauth2',
      id,
      values,
      endpoint,
      obtain,
      more: refresh === null ? [] : [refresh.held],
      alsoSecret: () => (clientSecret === undefined ? [] : [basicPair(clientId, clientSecret)]),
    })
  },
}

/** RFC 6749 section 2.3.1: each is form-encoded first. */
function basicPair(clientId: Secret, clientSecret: Secret): string {
  const encode = (text: string) => new URLSearchParams({ '': text }).toString().slice(1)
  return Buffer.from(`${encode(clientId.reveal())}:${encode(clientSecret.reveal())}`).toString('base64')
}

/**
 * A refresh token that its endpoint may replace with every use (RFC 6749 section 6). The new one is held in memory alone,
 * for a source cannot be written to; a new value from the source wins over it.
 */
class RefreshToken {
  readonly held: Secret
  readonly #source: Secret
  #version: number

  constructor(source: Secret) {
    this.#source = source
    this.#version = source.version
    this.held = new Secret(source.name, source.reveal(), source.revealSensitive())
  }

  present(): string {
    if (this.#version !== this.#source.version) {
      this.#version = this.#source.version
      this.held.rotate(this.#source.reveal())
    }
    return this.held.reveal()
  }

  rotate(value: unknown): void {
    if (typeof value === 'string' && value.length >= MIN_REFRESH) this.held.rotate(value)
  }
}

/** Shorter ones cannot be taken out of responses. */
const MIN_REFRESH = 8
