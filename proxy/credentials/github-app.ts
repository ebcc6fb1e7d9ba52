import type { CredentialKind } from '#firewall/contracts/credential.js'
import { readRsaKey, signJwt } from './jwt.js'
import { field } from './shared.js'
import { readResponse, readToken } from './token-response.js'
import type { ObtainToken } from './token-cache.js'
import { tokenCredential } from './token-credential.js'
import { endpointError, readEndpoint } from './token-endpoint.js'

const GITHUB_API = 'https://api.github.com'

/** Seconds. GitHub accepts at most ten minutes, and recommends a start one minute ago, because clocks differ. */
const JWT_BEFORE = 60
const JWT_LIFE = 540

/**
 * An installation token of a GitHub App
 * (https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app).
 */
export const githubApp: CredentialKind = {
  name: 'github_app',
  summary:
    'sets `Authorization` to an installation token of a GitHub App, for the API and for git over https',
  fields: {
    app_id: { secret: false, describe: 'the app id or client id' },
    installation_id: { secret: false, describe: 'the installation id, a number' },
    private_key: { secret: true, multiline: true, describe: 'the private key of the app, in PEM' },
    api_url: {
      secret: false,
      optional: true,
      describe: 'the URL of the API, such as `https://<host>/api/v3` (default: `https://api.github.com`)',
    },
  },
  shorthand: null,
  check({ installation_id, private_key, api_url }) {
    if (installation_id !== undefined && !/^\d{1,20}$/.test(installation_id))
      return '`installation_id` is not a number'
    if (private_key !== undefined && readRsaKey(private_key) === null)
      return '`private_key` is not an RSA private key of 2048 bits or more, in PEM, without a passphrase'
    return endpointError('api_url', api_url)
  },
  bind(id, values) {
    const appId = field(values, 'app_id')
    const installation = field(values, 'installation_id').reveal()
    const privateKey = field(values, 'private_key')
    const api = (values['api_url']?.reveal() ?? GITHUB_API).replace(/\/$/, '')
    const endpoint = readEndpoint(`${api}/app/installations/${installation}/access_tokens`)

    const obtain: ObtainToken = async ({ send, now }) => {
      const key = readRsaKey(privateKey.reveal())
      if (endpoint === null || key === null)
        return { problem: `${privateKey.name} is not an RSA private key` }
      const at = Math.floor(now() / 1000)
      const jwt = signJwt({ iat: at - JWT_BEFORE, exp: at + JWT_LIFE, iss: appId.reveal() }, key)
      const response = await send({
        method: 'POST',
        url: endpoint.url,
        headers: {
          accept: 'application/vnd.github+json',
          authorization: `Bearer ${jwt}`,
          'user-agent': 'agent-egress-firewall',
          'x-github-api-version': '2022-11-28',
        },
        body: null,
      })
      const { host } = endpoint.url
      const read = readResponse(host, response)
      if ('problem' in read) return read
      const { token, expires_at: end } = read.members
      return readToken(host, token, typeof end === 'string' ? Date.parse(end) / 1000 - at : NaN)
    }

    return tokenCredential({
      kind: 'github_app',
      id,
      values,
      endpoint,
      obtain,
      authorization: (token, { path }) => (isGit(path) ? gitHeader(token) : `Bearer ${token}`),
    })
  },
}

/** Git's smart protocol and Git LFS, which support only Basic authentication. */
function isGit(path: string): boolean {
  return /\/(info\/refs|git-upload-pack|git-receive-pack)$|\.git\/info\/lfs\//.test(path)
}

function gitHeader(token: string): string {
  return `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`
}
