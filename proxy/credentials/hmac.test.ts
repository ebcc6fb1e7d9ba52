import t from 'tap'
import { createHash, createHmac } from 'node:crypto'
import type { Headers } from '#firewall/contracts/credential.js'
import { Secret } from '#firewall/secrets/secret.js'
import { NO_TOOLS, outgoingBody, outgoingRequest } from '#test/fixtures/outgoing.js'
import { hmac, MAX_SIGNED_BODY } from './hmac.js'

const SLACK_BODY =
  'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c'

async function sign(
  fields: Readonly<Record<string, string>>,
  body: string | Buffer | null,
  now = 1_531_420_618_000,
) {
  const { secret = 'a-shared-secret', ...plain } = fields
  t.equal(hmac.check(fields), null)
  const credential = hmac.bind('hook/hmac', {
    secret: new Secret('S', secret),
    ...Object.fromEntries(
      Object.entries(plain).map(([name, value]) => [name, new Secret('plain text', value, [])]),
    ),
  })
  const headers: Headers = { host: 'api.example:8443' }
  const content = body === null ? null : outgoingBody([Buffer.from(body)], headers)
  const request = outgoingRequest({ method: 'POST', path: '/a/b', query: '?x=1&y', headers, body: content })
  const error = await credential.inject(request, { ...NO_TOOLS, now: () => now })
  return { error, headers, credential, content }
}

void t.test('examples of services that sign so', async (t) => {
  const github = await sign(
    {
      secret: "It's a Secret to Everybody",
      header: 'X-Hub-Signature-256',
      sign: '{body}',
      format: 'sha256={hex}',
    },
    'Hello, World!',
  )
  t.equal(
    github.headers['x-hub-signature-256'],
    'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
  )
  t.equal(String(await github.content?.sent()), 'Hello, World!')
  const slack = await sign(
    {
      secret: '8f742231b10e8888abcd99yyyzzz85a5',
      header: 'X-Slack-Signature',
      timestamp_header: 'X-Slack-Request-Timestamp',
      sign: 'v0:{timestamp}:{body}',
      format: 'v0={hex}',
    },
    SLACK_BODY,
  )
  t.strictSame(slack.headers, {
    host: 'api.example:8443',
    'content-length': String(SLACK_BODY.length),
    'x-slack-request-timestamp': '1531420618',
    'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
  })
  t.strictSame(slack.credential.locations, { headers: ['x-slack-signature', 'x-slack-request-timestamp'] })
})

void t.test('every part of a request can be signed', async (t) => {
  const template = '{method}{lf}{path}{lf}{query}{lf}{host}{lf}{date}{lf}{timestamp}{lf}{body_sha256}{lf}end'
  const { headers, credential } = await sign(
    { header: 'Authorization', sign: template, format: 't={timestamp},s={base64}', algorithm: 'sha512' },
    Buffer.from([0xff, 0x00]),
  )
  const hash = createHash('sha256')
    .update(Buffer.from([0xff, 0x00]))
    .digest('hex')
  const text = `POST\n/a/b\nx=1&y\napi.example:8443\nThu, 12 Jul 2018 18:36:58 GMT\n1531420618\n${hash}\nend`
  const mac = createHmac('sha512', 'a-shared-secret').update(text).digest('base64')
  t.equal(headers['authorization'], `t=1531420618,s=${mac}`)
  t.equal(headers['date'], 'Thu, 12 Jul 2018 18:36:58 GMT')
  t.strictSame(credential.locations, { headers: ['authorization', 'date'] })
  const secretPatterns = credential.secretPatterns().bytes.map(String)
  t.ok(secretPatterns.includes('a-shared-secret'))
})

void t.test('a body is buffered only if it is signed, and only up to a limit', async (t) => {
  const large = Buffer.alloc(MAX_SIGNED_BODY + 1)
  const signed = { header: 'X-S', sign: '{body}' }
  t.match((await sign(signed, large)).error, { reason: 'too-large' })
  t.equal((await sign(signed, large.subarray(1))).error, null)
  t.equal((await sign({ header: 'X-S', sign: '{path}' }, large)).error, null)
  const none = createHmac('sha256', 'a-shared-secret').update('').digest('hex')
  t.equal((await sign(signed, null)).headers['x-s'], none, 'no body is an empty one')
})

void t.test('templates that cannot be used are refused when the policy is read', (t) => {
  const good = { secret: 'x', header: 'X-S', sign: '{body}' }
  t.equal(hmac.check(good), null)
  for (const bad of [
    { header: 'Host' },
    { header: 'content-length' },
    { header: 'a b' },
    { algorithm: 'md5' },
    { sign: 'nothing' },
    { sign: '{bodies}' },
    { format: '{hex}{secret}' },
    { format: 'sha256=' },
    { sign: '{timestamp}' },
    { timestamp_header: 'X-T' },
    { timestamp_header: 'x-s', sign: '{timestamp}' },
  ])
    t.type(hmac.check({ ...good, ...bad }), 'string', JSON.stringify(bad))
  t.end()
})
