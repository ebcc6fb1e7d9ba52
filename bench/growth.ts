import { generateKeyPairSync } from 'node:crypto'
import { Secret } from '#firewall/secrets/secret.js'
import { SecretPatterns } from '#firewall/secrets/secret-patterns.js'
import { parseHostPattern } from '#firewall/names/host-pattern.js'
import { measureName } from '#firewall/names/name-features.js'
import { DEFAULT_NAMES } from '#firewall/names/name-profiles.js'
import { parseQuery } from '#dns/wire.js'
import { DEFAULT_AGENT } from '#firewall/contracts/identity.js'
import { PolicyEngine } from '#firewall/policy-engine/policy-engine.js'
import { parseRequestTarget } from '#firewall/rules/request-path.js'
import { signJwt } from '#proxy/credentials/jwt.js'
import { sigv4 } from '#proxy/credentials/sigv4.js'
import { readResponse } from '#proxy/credentials/token-response.js'
import { FrameReader } from '#proxy/message/frame-reader.js'
import { FormInspector } from '#proxy/request/form-inspector.js'
import { Redactor } from '#proxy/redaction/redact.js'
import { Tally } from '#proxy/redaction/tally.js'
import { FrameRedactor } from '#proxy/redaction/websocket-frames.js'
import { parseClientHello } from '#proxy/tls/client-hello.js'
import { NO_TOOLS, outgoingRequest } from '#test/fixtures/outgoing.js'
import { destination, testPolicy } from '#test/fixtures/policy.js'
import { frame } from '#test/fixtures/websocket.js'
import { gatewayRows } from './workers/growth-gateway.js'
import type { GrowthRow } from './workers/growth-row.js'

// What an input costs the gateway, in microseconds of processor time, as one of its dimensions grows by tens. The exponent is
// that between the last two sizes: 1 is linear. Exits 1 if one is clearly more than that, where it costs anything.
//
//     npm run bench:growth [-- PATTERN]

/** Measured cost that counts, in microseconds: below it an exponent is noise. */
const COUNTS_US = 2_000
const MAX_EXPONENT = 1.45

const TOKEN = 'real-token-0123456789abcdef'
const PATTERNS = new SecretPatterns([Buffer.from(TOKEN)])

function policyOf(rules: readonly string[], hosts = 1) {
  return new PolicyEngine(
    testPolicy({
      destinations: Array.from({ length: hosts }, (_, i) =>
        destination(`https://${i === 0 ? 'api' : `h${String(i)}`}.example.com`, rules, {
          id: `allow[${String(i)}]`,
        }),
      ),
    }),
  )
}

function decide(engine: PolicyEngine, target: string): unknown {
  const path = parseRequestTarget(target)
  const asked = {
    agent: DEFAULT_AGENT,
    scheme: 'https',
    host: 'api.example.com',
    port: 443,
    method: 'GET',
  } as const
  return typeof path === 'string' ? path : engine.evaluateRequest({ ...asked, path })
}

const RULES = ['deny * /admin/**', 'deny * /*a*b*/x/**', 'allow GET,POST /**']

/** A target whose unit is repeated, against a few rules. */
const target = (name: string, unit: string, before = '/'): GrowthRow => ({
  name: `target: ${name}`,
  prepare(size) {
    const [engine, text] = [policyOf(RULES), before + unit.repeat(size)]
    return () => decide(engine, text)
  },
})

const body = (name: string, unit: string, take: (whole: Buffer) => void): GrowthRow => ({
  name,
  sizes: [1_000, 10_000, 100_000],
  prepare(size) {
    const whole = Buffer.from(unit.repeat(Math.ceil(size / unit.length)), 'latin1')
    return () => take(whole)
  },
})

const redact = (whole: Buffer) => {
  const redactor = new Redactor(PATTERNS, new Tally())
  redactor.push(whole)
  redactor.flush()
}

const inspect = (kind: 'urlencoded' | 'multipart') => (whole: Buffer) => {
  const inspector = new FormInspector(kind, () => null)
  inspector.on('error', () => undefined).resume()
  inspector.write(whole)
  inspector.end()
}

const signer = sigv4.bind('s3/sigv4', {
  access_key: new Secret('A', 'AKIDEXAMPLE'),
  secret_key: new Secret('S', 'wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY'),
  region: new Secret('R', 'eu-central-1'),
  service: new Secret('V', 's3'),
})

const SIGNED =
  'AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-central-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=00'

function sign(query: string, headers: Record<string, string>): unknown {
  const all = {
    host: 'api.example',
    'x-amz-date': '20260101T000000Z',
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    authorization: SIGNED,
    ...headers,
  }
  return signer.inject(
    outgoingRequest({ query, headers: { ...all }, sent: { headers: all, query } }),
    NO_TOOLS,
  )
}

const numbered = (size: number, make: (i: number) => string) =>
  Array.from({ length: size }, (_, i) => make(i))

const ROWS: readonly GrowthRow[] = [
  target('segments', 'a/'),
  target('slashes', '/'),
  target('letters', 'a'),
  target('escapes', '%20'),
  target('escaped slashes', '%2F'),
  target('wide letters', '%EF%BC%A1'),
  target('parameters of the path', ';a'),
  target('dots', '.a'),
  target('query parameters', '&a=b', '/?a'),
  target('overrides in the query', '&_method=GET', '/?a'),
  {
    name: 'policy: rules',
    sizes: [10, 100, 1_000],
    prepare(size) {
      const engine = policyOf(numbered(size, (i) => `deny * /p${String(i)}/*`))
      return () => decide(engine, '/admin/x')
    },
  },
  {
    name: 'policy: hosts',
    prepare(size) {
      const engine = policyOf(RULES, size)
      return () => decide(engine, '/x')
    },
  },
  {
    name: 'policy: stars of a pattern',
    prepare(size) {
      const engine = policyOf([`allow GET /${'a*'.repeat(size)}b`])
      return () => decide(engine, `/${'a'.repeat(size)}`)
    },
  },
  {
    name: 'names: labels',
    sizes: [1, 10, 100],
    prepare: (size) => () => measureName(Array<string>(size).fill('ab'), DEFAULT_NAMES.features),
  },
  {
    name: 'names: characters of a pattern',
    sizes: [1, 10, 100],
    prepare: (size) => () => parseHostPattern(`*.${'a.'.repeat(size)}example.com`),
  },
  {
    name: 'DNS: bytes of a query',
    sizes: [10, 100, 500],
    prepare: (size) => () => parseQuery(Buffer.alloc(size, 1)),
  },
  { name: 'TLS: bytes of a hello', prepare: (size) => () => parseClientHello(Buffer.alloc(size, 0x16)) },
  body('body: letters, redacted', 'a', redact),
  body('body: ampersands, redacted', '&', redact),
  body('body: percents, redacted', '%', redact),
  body('body: backslashes, redacted', '\\', redact),
  body('body: starts of a secret, redacted', TOKEN.slice(0, -1), redact),
  body('form: fields', 'a=b&', inspect('urlencoded')),
  body('form: overrides', '_method=PUT&', inspect('urlencoded')),
  body('form: spaces before a name', '+', inspect('urlencoded')),
  body('form: lines', 'c\n', inspect('multipart')),
  body('form: parts', '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n', inspect('multipart')),
  body('form: continuations', '\n content-disposition', inspect('multipart')),
  body('WebSocket: empty frames of a client', frame('', { masked: true }), (whole) =>
    new FrameReader('client').push(whole),
  ),
  body('WebSocket: frames of a server, redacted', frame('a'), (whole) =>
    new FrameRedactor(() => PATTERNS, new Tally()).push(whole),
  ),
  body(
    'WebSocket: fragments of a server, redacted',
    frame('a', { first: 0x01 }) + frame('a', { first: 0x80 }),
    (whole) => new FrameRedactor(() => PATTERNS, new Tally()).push(whole),
  ),
  {
    name: 'signature: query parameters',
    prepare: (size) => () => sign(`?${numbered(size, (i) => `k${String(size - i)}=v`).join('&')}`, {}),
  },
  {
    name: 'signature: headers',
    sizes: [1, 10, 100],
    prepare: (size) => () =>
      sign('', Object.fromEntries(numbered(size, (i) => `x-amz-${String(i)}`).map((name) => [name, 'v']))),
  },
  {
    name: 'JWT: bytes of a claim',
    sizes: [10, 1_000, 100_000],
    prepare(size) {
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const claims = { iss: 'account', scope: 'a '.repeat(size / 2) }
      return () => signJwt(claims, privateKey)
    },
  },
  {
    name: 'JWT: members of the response with the token',
    prepare(size) {
      const members = numbered(size, (i) => `"m${String(i)}":1`).join()
      const body = Buffer.from(`{"access_token":"${TOKEN}","token_type":"Bearer","expires_in":60,${members}}`)
      return () => readResponse('token.example', { status: 200, headers: {}, body })
    },
  },
  ...gatewayRows,
]

/** The processor time of one run in microseconds: the best of some rounds. */
async function cost(run: () => unknown): Promise<number> {
  let best = Infinity
  await run()
  for (let round = 0; round < 3; round += 1) {
    const before = process.cpuUsage()
    let [times, spent] = [0, 0]
    for (; spent < 10_000; times += 1) {
      await run()
      const { user, system } = process.cpuUsage(before)
      spent = user + system
    }
    best = Math.min(best, spent / times)
  }
  return best
}

const wanted = process.argv[2] ?? ''
let over = 0
for (const row of ROWS.filter(({ name }) => name.includes(wanted))) {
  const { name, sizes = [10, 100, 1_000, 10_000] } = row
  const costs: number[] = []
  for (const size of sizes) costs.push(await cost(await row.prepare(size)))
  await row.end?.()
  const [last = 0, before = 0] = [costs.at(-1), costs.at(-2)]
  const grown = (sizes.at(-1) ?? 1) / (sizes.at(-2) ?? 1)
  const exponent = Math.log(last / before) / Math.log(grown)
  const isOver = exponent > MAX_EXPONENT && last > COUNTS_US
  if (isOver) over += 1
  const shown = sizes.map((size, i) => `${String(size)}: ${(costs[i] ?? 0).toFixed(1)}`).join('  ')
  console.log(
    `${isOver ? 'OVER ' : '     '}${name.padEnd(46)} exponent ${exponent.toFixed(2)}  µs by size  ${shown}`,
  )
}
process.exit(over === 0 ? 0 : 1)
