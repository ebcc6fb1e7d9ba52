import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { CREDENTIAL_KINDS } from '#proxy/credentials/index.js'
import { runCheck } from '#src/cli/check.js'
import { testIo } from './fixtures/command-io.js'
import { listen } from './fixtures/upstream.js'
import { createCa } from './servers/certificate-authority.js'
import { listenTls, type Handler } from './servers/tls-server.js'

// `egress check --live` against servers with certificates of their own: what it tells, and what it keeps to itself.

const SECRET = 'client-secret-0123456789'
const TOKEN = 'a-token-that-nobody-knows-yet-0123456789'

interface World {
  /** Runs the command on a policy with one service, whose credential gets its token from `login.example`. */
  readonly check: (oauth2?: string) => Promise<{ code: number; out: string; err: string }>
  /** Requests of the token endpoint. */
  readonly asked: string[]
}

async function start(t: Test, answer: Handler): Promise<World> {
  const authority = await createCa('live')
  const identity = await authority.issue(['login.example', 'api.example'])
  const asked: string[] = []
  const server = await listenTls(
    identity,
    (request, response, body) => {
      asked.push(`${request.url ?? ''} ${body.toString()}`)
      return answer(request, response, body)
    },
    '127.0.0.1',
  )
  t.teardown(server.close)
  const cwd = t.testdir({ 'ca.pem': authority.pem })
  const port = String(server.port)
  const check = async (oauth2 = 'client_secret: "${CLIENT_SECRET}"') => {
    writeFileSync(
      join(cwd, 'egress.yaml'),
      `services:
  api:
    url: https://api.example
    ca: ca.pem
    allow_private_addresses: true
    credential:
      oauth2: { token_url: "https://login.example/token", client_id: me, ${oauth2} }
    rules: [{ allow: "* /**" }]
upstream:
  hosts: { api.example: "127.0.0.1:${port}", login.example: "127.0.0.1:${port}" }
`,
    )
    return run(cwd, { CLIENT_SECRET: SECRET, REFRESH: 'refresh-token-0123456789' })
  }
  return { check, asked }
}

async function run(cwd: string, env: Record<string, string>) {
  const { io, out, err } = testIo(cwd, env)
  const code = await runCheck({ live: true }, io, CREDENTIAL_KINDS)
  return { code, out: out(), err: err() }
}

void t.test('an upstream is reached, a token is got, and no request is sent to the upstream', async (t) => {
  const { check, asked } = await start(t, (_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ access_token: TOKEN, expires_in: 3600 }))
  })
  const { code, out, err } = await check()
  t.equal(code, 0, err + out)
  t.match(
    out,
    /works: https:\/\/api\.example \(services\.api\): reached at 127\.0\.0\.1, TLSv1\.3, HTTP\/1\.1\n/,
  )
  t.match(out, /works: a token from login\.example \(api\/oauth2\): got one\n/)
  t.equal(asked.length, 1)
  t.match(asked[0], /^\/token grant_type=client_credentials/)
  t.notMatch(out + err, TOKEN)
})

const WRONG: readonly (readonly [name: string, status: number, body: string, shown: string])[] = [
  [
    'what the endpoint says is wrong',
    401,
    JSON.stringify({
      error: 'invalid_client',
      error_description: `AADSTS7000215: the secret ${SECRET} of me`,
    }),
    '{"error":"invalid_client","error_description":"AADSTS7000215: the secret ************************ of me"}',
  ],
  [
    'a token of a type that cannot be used',
    200,
    JSON.stringify({
      access_token: TOKEN,
      token_type: 'DPoP',
      expires_in: 60,
      more: { tokens: [TOKEN, 'short'] },
    }),
    '{"access_token":"<40 characters>","token_type":"DPoP","expires_in":60,"more":{"tokens":["<40 characters>","<5 characters>"]}}',
  ],
  [
    'a page',
    200,
    `<html>\r\n\u001b[31m<p>Sign in, ${TOKEN}</p></html>`,
    '<html> [31m<p>Sign in, <40 characters></p></html>',
  ],
  ['nothing', 500, '', '(an empty body)'],
]

for (const [name, status, body, shown] of WRONG) {
  void t.test(`${name}: quoted without secrets, and the command fails`, async (t) => {
    const { check } = await start(t, (_request, response) => {
      response.statusCode = status
      response.end(body)
    })
    const { code, out, err } = await check()
    t.equal(code, 1)
    t.equal(err, '')
    t.match(out, 'FAILS: a token from login.example (api/oauth2): login.example')
    t.ok(out.endsWith(`    the answer: ${shown}\n`), out)
    t.notMatch(out, SECRET)
    t.notMatch(out, TOKEN)
  })
}

void t.test('a refresh token is not used up', async (t) => {
  const { check, asked } = await start(t, (_request, response) => {
    response.end('{}')
  })
  const { code, out } = await check('refresh_token: "${REFRESH}"')
  t.equal(code, 0)
  t.match(out, /not tried: a token from login\.example \(api\/oauth2\): a refresh token can be used up/)
  t.strictSame(asked, [])
})

void t.test('what cannot be reached, and what is not who it should be', async (t) => {
  const authority = await createCa('others')
  const server = await listenTls(await authority.issue(['other.example']), () => undefined, '127.0.0.1')
  t.teardown(server.close)
  const plain = createServer()
  const open = await listen(plain)
  t.teardown(() => plain.close())
  const cwd = t.testdir({
    'ca.pem': authority.pem,
    'egress.yaml': `allow:
  - { host: wrong.example, ca: ca.pem, allow_private_addresses: true }
  - { host: localhost }
  - { host: closed.example, allow_private_addresses: true }
  - { host: "*.many.example" }
  - { host: open.example, scheme: http, allow_private_addresses: true }
upstream:
  hosts:
    wrong.example: "127.0.0.1:${String(server.port)}"
    closed.example: "127.0.0.1:1"
    open.example: "127.0.0.1:${String(open)}"
`,
  })
  const { code, out, err } = await run(cwd, {})
  t.equal(code, 1, err)
  t.match(
    out,
    /FAILS: https:\/\/wrong\.example \(allow\[0\]\): upstream-tls \(ERR_TLS_CERT_ALTNAME_INVALID\)/,
  )
  t.match(out, /FAILS: https:\/\/localhost \(allow\[1\]\): address-refused \(the address \S+ is private\)/)
  t.match(out, /FAILS: https:\/\/closed\.example \(allow\[2\]\): upstream-unreachable \(ECONNREFUSED\)/)
  t.match(out, /not tried: https:\/\/\*\.many\.example \(allow\[3\]\): a wildcard is no name/)
  t.match(out, /works: http:\/\/open\.example \(allow\[4\]\): reached at 127\.0\.0\.1, without TLS/)
})
