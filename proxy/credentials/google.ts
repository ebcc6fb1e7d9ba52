import type { CredentialKind } from '#firewall/contracts/credential.js'
import { readRsaKey, signJwt } from './jwt.js'
import { field } from './shared.js'
import { readResponse, readObject, readTokenResponse } from './token-response.js'
import type { ObtainToken } from './token-cache.js'
import { tokenCredential } from './token-credential.js'
import { endpointError, readEndpoint } from './token-endpoint.js'

const GOOGLE_TOKENS = 'https://oauth2.googleapis.com/token'

/** Seconds. Google accepts at most one hour. */
const ASSERTION_LIFE = 600

/**
 * A Google service account: exchanges a signed assertion for an access token (RFC 7523 section 2.1;
 * https://developers.google.com/identity/protocols/oauth2/service-account).
 */
export const google: CredentialKind = {
  name: 'google',
  summary: 'sets `Authorization: Bearer <token>` with a token of a Google service account',
  fields: {
    key: { secret: true, multiline: true, optional: true, describe: 'the JSON key file of the account' },
    email: { secret: false, optional: true, describe: 'the email address of the account, instead of `key`' },
    private_key: {
      secret: true,
      multiline: true,
      optional: true,
      describe: 'its private key in PEM, instead of `key`',
    },
    scope: { secret: false, describe: 'the scopes, separated by spaces' },
    subject: { secret: false, optional: true, describe: 'the user that the account impersonates' },
    token_uri: {
      secret: false,
      optional: true,
      describe: 'the token endpoint (default: `https://oauth2.googleapis.com/token`)',
    },
  },
  shorthand: null,
  check({ key, email, private_key, token_uri }) {
    const parts = [email, private_key].filter((part) => part !== undefined).length
    if (key === undefined ? parts !== 2 : parts !== 0) return 'Set either `key`, or `email` and `private_key`'
    const account = readServiceAccount(key ?? null, email ?? '', private_key ?? '')
    if (typeof account === 'string') return account
    return endpointError('token_uri', token_uri) ?? misdirected(account, token_uri ?? GOOGLE_TOKENS)
  },
  bind(id, values) {
    const scope = field(values, 'scope')
    const tokenUri = values['token_uri']?.reveal() ?? GOOGLE_TOKENS
    const endpoint = readEndpoint(tokenUri)
    const present = () => {
      const { key, email, private_key: privateKey } = values
      return readServiceAccount(key?.reveal() ?? null, email?.reveal() ?? '', privateKey?.reveal() ?? '')
    }

    const obtain: ObtainToken = async ({ send, now }) => {
      const account = present()
      if (typeof account === 'string') return { problem: account }
      const error = misdirected(account, tokenUri)
      const key = readRsaKey(account.privateKey)
      if (endpoint === null || key === null || error !== null)
        return { problem: error ?? 'Cannot read the private key' }
      const at = Math.floor(now() / 1000)
      const claims = {
        iss: account.email,
        scope: scope.reveal(),
        aud: tokenUri,
        iat: at,
        exp: at + ASSERTION_LIFE,
      }
      const subject = values['subject']?.reveal()
      const assertion = signJwt(
        subject === undefined ? claims : { ...claims, sub: subject },
        key,
        account.keyId,
      )
      const response = await send({
        method: 'POST',
        url: endpoint.url,
        headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({
          grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
          assertion,
        }).toString(),
      })
      const read = readResponse(endpoint.url.host, response)
      return 'problem' in read ? read : readTokenResponse(endpoint.url.host, read.members)
    }

    return tokenCredential({
      kind: 'google',
      id,
      values,
      endpoint,
      obtain,
      // The whole key file is a secret, but the key is the part that matters.
      alsoSecret: () => {
        const account = present()
        return typeof account === 'string' ? [] : [account.privateKey]
      },
    })
  },
}

interface ServiceAccount {
  readonly email: string
  readonly privateKey: string
  readonly keyId: string | null
  readonly tokenUri: string | null
}

/** The account from a key file, or from its parts if there is none; otherwise an error message. */
function readServiceAccount(file: string | null, email: string, privateKey: string): ServiceAccount | string {
  const account = file === null ? { email, privateKey, keyId: null, tokenUri: null } : readKeyFile(file)
  if (account === null) return '`key` is not the JSON key file of a service account'
  return readRsaKey(account.privateKey) === null
    ? 'The private key of the account is not a PEM RSA key of at least 2048 bits'
    : account
}

function readKeyFile(text: string): ServiceAccount | null {
  const {
    client_email: email,
    private_key: privateKey,
    private_key_id: id,
    token_uri: uri,
  } = readObject(text) ?? {}
  if (typeof email !== 'string' || typeof privateKey !== 'string') return null
  return {
    email,
    privateKey,
    keyId: typeof id === 'string' ? id : null,
    tokenUri: typeof uri === 'string' ? uri : null,
  }
}

/** Threat: a manipulated key file that makes the gateway send its assertion to an endpoint outside the policy. */
function misdirected({ tokenUri }: ServiceAccount, policy: string): string | null {
  return tokenUri === null || tokenUri === policy
    ? null
    : 'The key file has another token endpoint than the policy: set `token_uri` in the policy'
}
