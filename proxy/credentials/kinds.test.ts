import t from 'tap'
import { CREDENTIAL_KINDS } from './index.js'
import { readEndpoint } from './token-endpoint.js'

/** Every field: `s` secret (it must come from a secret source), `h` in a header as it is, `m` with line breaks, `o` optional. */
const FIELDS = {
  bearer: { token: 'sh' },
  basic: { username: '', password: 's' },
  header: { name: '', value: 'sh' },
  query: { name: '', value: 's' },
  cookie: { name: '', value: 'sh' },
  path: { value: 's' },
  oauth2: {
    ...{
      token_url: '',
      client_id: '',
      client_secret: 'so',
      refresh_token: 'so',
      scope: 'o',
      audience: 'o',
      resource: 'o',
    },
    client_auth: 'o',
  },
  github_app: { app_id: '', installation_id: '', private_key: 'sm', api_url: 'o' },
  google: { key: 'smo', email: 'o', private_key: 'smo', scope: '', subject: 'o', token_uri: 'o' },
  mtls: { certificate: 'm', key: 'sm' },
  sigv4: { access_key: 'sh', secret_key: 's', session_token: 'sho', region: '', service: '' },
  hmac: { secret: 's', header: '', sign: '', format: 'o', algorithm: 'o', timestamp_header: 'o' },
  body: { field: '', value: 's' },
}

void t.test('what each kind asks for, and what of it is a secret', (t) => {
  const found = CREDENTIAL_KINDS.map(({ name, fields }) => [
    name,
    Object.fromEntries(
      Object.entries(fields).map(([field, { secret, inHeader, multiline, optional }]) => [
        field,
        `${secret ? 's' : ''}${inHeader === true ? 'h' : ''}${multiline === true ? 'm' : ''}${optional === true ? 'o' : ''}`,
      ]),
    ),
  ])
  t.strictSame(Object.fromEntries(found), FIELDS)
  t.end()
})

void t.test('token endpoints are read as they stand, or not at all', (t) => {
  for (const [text, url] of [
    ['https://login.example/token', 'https://login.example/token'],
    ['http://login.example:8080/token?x=1', 'http://login.example:8080/token?x=1'],
    ['https://login.example', 'https://login.example/'],
    ['https://login.example:443/t', 'https://login.example/t'],
    ['ftp://login.example/token', null],
    ['HTTPS://login.example/token', null],
    ['xhttps://login.example/token', null],
    ['https://user@login.example/token', null],
    ['https://login.example\\@evil.example/token', null],
    ['https://login.example/a/../token', null],
    ['https://login.example/token#x', null],
    ['https://login.example?x', null],
    ['https:///token', null],
    ['', null],
  ] as const)
    t.equal(readEndpoint(text)?.url.href ?? null, url, text)
  t.strictSame(readEndpoint('http://a.example/t')?.origin, { scheme: 'http', host: 'a.example', port: 80 })
  t.end()
})
