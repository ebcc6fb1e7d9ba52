import t, { type Test } from 'tap'
import type { ApprovalSettings } from '#firewall/contracts/approvals.js'
import type { RegisteredSandbox } from '#firewall/contracts/identity.js'
import type { Policy } from '#firewall/contracts/policy.js'
import { MAX_PENDING } from '#firewall/ledger/approvals.js'
import { Secret } from '#firewall/secrets/secret.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import type { Decider } from '#src/events/events.js'
import { exchangeBytes, HTTPS_LISTENERS, statuses } from './fixtures/client.js'
import { eventually } from './fixtures/eventually.js'
import { SANDBOX, startGateway } from './fixtures/gateway.js'
import { ask as askHttp2, openSession } from './fixtures/http2-client.js'
import { destination, service, testPolicy } from './fixtures/policy.js'
import { startUpstream } from './fixtures/upstream.js'
import { UPGRADE } from './fixtures/websocket.js'

// What an upstream gets of requests that a person must approve: an attack is right when nothing of it arrived, and the request
// that was approved did, once.

const HOST = 'api.example'
const TOKEN = 'real-token-0123456789abcdef'
const RULES = [
  'ask POST,PUT /repos/*/issues',
  'ask GRPC test.v1.Echo/Say',
  'ask GET /socket',
  'allow GET /**',
]
const ADA: Decider = { via: 'socket', name: 'ada', uid: 1000 }
const MINUTE = 60_000

interface Parts {
  readonly rules?: readonly string[]
  readonly approvals?: Partial<ApprovalSettings>
  readonly credential?: string | null
  /** The upstream closes the connection instead of answering a PUT, which it has carried out. */
  readonly isSilent?: boolean
}

async function setUp(t: Test, parts: Parts = {}) {
  const ca = await CertificateAuthority.create(Date.now())
  const received: string[] = []
  const upstream = await startUpstream(ca, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const lines = [`${request.method ?? ''} ${request.url ?? ''}`, ...request.rawHeaders]
      received.push(`${lines.join('\n')}\n\n${Buffer.concat(chunks).toString('latin1')}`)
      if (parts.isSilent === true && request.method === 'PUT') request.socket.destroy()
      else response.writeHead(201).end('made')
    })
  })
  const policyOf = ({ rules = RULES, approvals = {}, credential = 'API_TOKEN' }: Parts): Policy => {
    const bound =
      credential === null ? null : bearer.bind('api/bearer', { token: new Secret(credential, TOKEN) })
    const extra = { id: 'services.api', service: 'api', ca: ca.pem }
    const other = { id: 'services.other', service: 'other', ca: ca.pem }
    return testPolicy({
      destinations: [
        destination(`https://${HOST}`, rules, extra),
        destination('https://other.example', rules, other),
      ],
      services: [service('api', `https://${HOST}`, bound), service('other', 'https://other.example', null)],
      hosts: {
        [HOST]: { address: '127.0.0.1', port: upstream.port },
        'other.example': { address: '127.0.0.1', port: upstream.port },
      },
      approvals: { holdMs: 0, expireMs: 10 * MINUTE, ...approvals },
    })
  }
  const clock = { ahead: 0 }
  const who: { sandbox: RegisteredSandbox } = { sandbox: SANDBOX }
  const policy = policyOf(parts)
  const agents = new Map(policy.agents)
  agents.set('other', { name: 'other', services: null, allow: null })
  const withAgents = (made: Policy): Policy => ({ ...made, agents })
  const gateway = await startGateway(
    withAgents(policy),
    () => who.sandbox,
    () => Date.now() + clock.ahead,
  )
  t.teardown(async () => {
    if (gateway.failures.length > 0) throw gateway.failures[0]
    gateway.approvals.close()
    await gateway.close()
    await upstream.close()
  })
  const [transparent] = HTTPS_LISTENERS
  const open = async (host = HOST) => {
    const socket = await transparent?.open(gateway, host)
    if (socket === undefined) throw new Error('no listener')
    return socket
  }
  const send = async (sent: Sent = {}) => exchangeBytes(await open(sent.host), bytesOf(sent), { quietMs: 20 })
  /** The id that a refusal names. */
  const pending = async (sent: Sent = {}) => {
    const answer = await send(sent)
    return /"approval":"(ap-[0-9a-f]{16})"/.exec(answer)?.[1] ?? `no approval in ${answer}`
  }
  const approve = (id: string) => gateway.approvals.approve(id, { kind: 'once' }, ADA)
  const replace = (next: Parts) => gateway.replace(withAgents(policyOf(next)))
  return { gateway, received, send, open, pending, approve, clock, who, replace }
}

interface Sent {
  readonly host?: string
  readonly method?: string
  readonly target?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly chunked?: boolean
}

const BODY = '{"title":"A bug"}'

function bytesOf({
  host = HOST,
  method = 'POST',
  target = '/repos/r/issues',
  headers = {},
  body = BODY,
  chunked = false,
}: Sent) {
  const framing: Record<string, string> = chunked
    ? { 'Transfer-Encoding': 'chunked' }
    : { 'Content-Length': String(body.length) }
  const all = { Host: host, 'Content-Type': 'application/json', ...framing, ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  const sent = chunked ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body
  return `${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${sent}`
}

/** What differs from the request that was approved. */
const OTHERS: readonly (readonly [name: string, sent: Sent])[] = [
  ['body', { body: '{"title":"A rug"}' }],
  ['longer body', { body: `${BODY} ` }],
  ['no body', { body: '' }],
  ['path', { target: '/repos/s/issues' }],
  ['query', { target: '/repos/r/issues?x=1' }],
  ['method', { method: 'PUT' }],
  ['host', { host: 'other.example' }],
  ['type of the body', { headers: { 'Content-Type': 'text/plain' } }],
  ['coding of the body', { headers: { 'Content-Encoding': 'identity' } }],
  ['cookie', { headers: { Cookie: 'a=b' } }],
  ['header of any name', { headers: { 'X-Anything': '1' } }],
]

void t.test('an approval is for one request: nothing else passes by it', async (t) => {
  for (const [name, other] of OTHERS) {
    const { received, send, pending, approve } = await setUp(t)
    const id = await pending()
    t.ok(approve(id))
    t.equal(statuses(await send(other)).join(), '425', name)
    t.strictSame(received, [], `another ${name} does not pass`)
    t.equal(statuses(await send()).join(), '201')
    t.equal(received.length, 1, `after another ${name}, the approved request passes`)
    t.match(received[0], `Bearer ${TOKEN}`)
    t.ok(received[0]?.endsWith(`\n\n${BODY}`), 'exactly what was approved arrived')
  }
})

void t.test('not before it is approved, and not twice', async (t) => {
  const { gateway, received, send, pending, approve } = await setUp(t)
  const id = await pending()
  t.equal(await pending(), id, 'a retry asks nobody again')
  t.strictSame(received, [])
  approve(id)
  const both = await Promise.all([send(), send(), send()])
  t.equal(both.filter((answer) => statuses(answer).join() === '201').length, 1)
  t.equal(received.length, 1)
  t.not(await pending(), id, 'whoever sends it again is asked again')
  t.equal(received.length, 1)
  t.equal(gateway.approvals.list().filter(({ state }) => state === 'pending').length, 1)
})

void t.test('not twice, even if the upstream closes a connection that was used before', async (t) => {
  for (const [rules, arrivals] of [
    [RULES, 1],
    [['allow PUT,GET /**'], 2],
  ] as const) {
    const { received, send, pending, approve, gateway } = await setUp(t, { rules, isSilent: true })
    if (arrivals === 1) approve(await pending({ method: 'PUT' }))
    t.equal(statuses(await send({ method: 'GET', target: '/x', body: '' })).join(), '201')
    t.equal(statuses(await send({ method: 'PUT' })).join(), '502')
    t.equal(received.filter((one) => one.startsWith('PUT')).length, arrivals, rules.join())
    t.ok(await eventually(() => gateway.closes.length === 2))
  }
})

void t.test('not from another sandbox, and not by another agent', async (t) => {
  const { received, send, pending, approve, who } = await setUp(t)
  approve(await pending())
  for (const [name, sandbox] of [
    ['another sandbox', { ...SANDBOX, id: 'sb-other' }],
    ['the same place with another agent', { ...SANDBOX, agent: 'other' }],
  ] as const) {
    who.sandbox = sandbox
    t.equal(statuses(await send()).join(), '425', name)
    t.strictSame(received, [], name)
  }
  who.sandbox = SANDBOX
  t.equal(statuses(await send()).join(), '201')
  t.equal(received.length, 1)
})

void t.test('not after its time', async (t) => {
  const { gateway, received, send, pending, approve, clock } = await setUp(t)
  const late = await pending()
  clock.ahead += 10 * MINUTE
  t.equal(approve(late), null, 'what timed out cannot be approved')
  const id = await pending()
  t.not(id, late)
  approve(id)
  clock.ahead += 10 * MINUTE
  t.equal(statuses(await send()).join(), '425')
  t.strictSame(received, [])
  t.match(
    gateway.approvalEvents.map(({ action, id: about, reason }) => [action, about, reason]),
    [
      ['approval-requested', late, null],
      ['approval-expired', late, 'timed-out'],
      ['approval-requested', id, null],
      ['approval-granted', id, null],
      ['approval-expired', id, 'unused'],
      ['approval-requested'],
    ],
  )
  const again = await pending()
  approve(again)
  clock.ahead += 10 * MINUTE - 5_000
  t.equal(statuses(await send()).join(), '201', 'just in time')
  t.equal(received.length, 1)
})

void t.test('after a change of the policy, only if it still asks by the same rule', async (t) => {
  for (const [name, next, status] of [
    ['another rule asks', { rules: ['ask POST /repos/**'] }, '425'],
    ['no rule is left', { rules: ['allow GET /**'] }, '403'],
    ['a rule above denies', { rules: ['deny POST /repos/r/**', ...RULES] }, '403'],
    ['the credential is another', { credential: null }, '425'],
    ['a rule above allows', { rules: ['allow POST /repos/r/issues'] }, '201'],
    [
      'the same rule stands elsewhere',
      { rules: ['deny GET /x', 'allow PUT /**', ...RULES.slice(0, 1)] },
      '201',
    ],
  ] as const) {
    const { received, send, pending, approve, replace } = await setUp(t)
    approve(await pending())
    await replace(next)
    t.equal(statuses(await send()).join(), status, name)
    t.equal(received.length, status === '201' ? 1 : 0, name)
  }
  const { gateway, pending, approve, replace, send, received } = await setUp(t)
  const id = await pending()
  await replace({ rules: ['allow GET /**'] })
  t.equal(approve(id), null, 'nothing is asked any more')
  await replace({})
  t.equal(statuses(await send()).join(), '425', 'also when the rule comes back')
  t.strictSame(received, [])
  t.match(gateway.approvalEvents[1], { action: 'approval-expired', id, reason: 'policy-changed' })
})

void t.test('what a client makes anew for each attempt is neither compared nor sent', async (t) => {
  const { received, send, pending, approve } = await setUp(t)
  const attempt = (number: string) => ({
    headers: {
      Traceparent: `00-${number.repeat(32)}-${number.repeat(16)}-01`,
      'X-Request-Id': `secret-${number}`,
      Authorization: `Bearer own-${number}`,
    },
  })
  approve(await pending(attempt('1')))
  t.equal(statuses(await send({ ...attempt('2'), chunked: true })).join(), '201')
  t.notMatch(received[0], /traceparent|secret-|own-/i)
  t.match(received[0], /content-length\n17\n/i, 'and the framing is always the same')
})

void t.test('a request that is held passes as soon as it is approved, and no later', async (t) => {
  const { gateway, received, send } = await setUp(t, { approvals: { holdMs: 60_000 } })
  const list = () => gateway.approvals.list()
  const first = send()
  t.ok(await eventually(() => list().length === 1))
  t.strictSame(received, [])
  const [waiting] = list()
  t.match(waiting, {
    state: 'pending',
    request: {
      method: 'POST',
      origin: { scheme: 'https', host: HOST, port: 443 },
      target: '/repos/r/issues',
      headers: { 'content-type': 'application/json' },
      credential: 'api/bearer',
      service: 'api',
      rules: [{ id: 'services.api.rules[0]' }],
    },
  })
  t.equal(String(waiting?.request.body), BODY)
  gateway.approvals.approve(waiting?.id ?? '', { kind: 'once' }, ADA)
  t.equal(statuses(await first).join(), '201')
  t.equal(received.length, 1)
  t.match(gateway.decisions, [{ verdict: 'allow', approval: waiting?.id, rule: 'services.api.rules[0]' }])
  const second = send()
  t.ok(await eventually(() => list().length === 1))
  gateway.approvals.deny(list()[0]?.id ?? '', ADA)
  t.match(await second, /^HTTP\/1\.1 403 approval-denied/)
  t.match(await send(), /^HTTP\/1\.1 403 approval-denied/, 'and asks nobody again')
  t.equal(received.length, 1)
})

void t.test('a policy that changes while a request is held', async (t) => {
  const { gateway, received, send, replace } = await setUp(t, { approvals: { holdMs: 60_000 } })
  const held = send()
  t.ok(await eventually(() => gateway.approvals.list().length === 1))
  await replace({ rules: ['deny POST /**', 'allow GET /**'] })
  t.match(await held, /^HTTP\/1\.1 425 /)
  const again = await send()
  t.match(again, /^HTTP\/1\.1 403 denied-by-rule/)
  t.strictSame(received, [])
})

void t.test('a client that goes away while it is held', async (t) => {
  const { gateway, received, open, send, approve } = await setUp(t, { approvals: { holdMs: 60_000 } })
  const socket = await open()
  socket.write(bytesOf({}))
  t.ok(await eventually(() => gateway.approvals.list().length === 1))
  socket.destroy()
  t.ok(await eventually(() => gateway.decisions.length === 1))
  const [id = ''] = gateway.approvals.list().map((one) => one.id)
  approve(id)
  t.strictSame(received, [], 'nothing is sent for nobody')
  t.equal(statuses(await send()).join(), '201')
  t.equal(received.length, 1)
})

void t.test('again and again, for a while: the same request and no other', async (t) => {
  const { gateway, received, send, pending, clock } = await setUp(t)
  gateway.approvals.approve(await pending(), { kind: 'repeated', ms: MINUTE }, ADA)
  for (const count of [1, 2, 3]) {
    t.equal(statuses(await send()).join(), '201')
    t.equal(received.length, count)
  }
  t.equal(statuses(await send({ body: '{}' })).join(), '425')
  clock.ahead += MINUTE
  t.equal(statuses(await send()).join(), '425')
  t.equal(received.length, 3)
})

void t.test('an approval that is taken back', async (t) => {
  const { gateway, received, send, pending, approve } = await setUp(t)
  const id = await pending()
  approve(id)
  t.ok(gateway.approvals.deny(id, ADA))
  t.match(await send(), /^HTTP\/1\.1 403 approval-denied/)
  t.strictSame(received, [])
})

void t.test('bodies that cannot be shown', async (t) => {
  const { gateway, received, send, pending, approve } = await setUp(t, { approvals: { maxBodyBytes: 100 } })
  for (const chunked of [false, true]) {
    const answer = await send({ body: 'x'.repeat(101), chunked })
    t.match(answer, /^HTTP\/1\.1 413 approval-unreadable/)
    t.match(answer, 'it has more than 100 bytes')
  }
  t.strictSame(gateway.approvals.list(), [])
  approve(await pending({ body: 'x'.repeat(100) }))
  t.equal(statuses(await send({ body: 'x'.repeat(100), chunked: true })).join(), '201')
  t.equal(received.length, 1)
})

void t.test('spellings of what is asked about pass by no other rule', async (t) => {
  const { received, send } = await setUp(t, { rules: ['ask POST /repos/*/issues', 'allow * /**'] })
  for (const target of ['/repos/r/issues/', '/Repos/r/issues', '/repos/r/issues;x', '//repos/r/issues'])
    t.equal(statuses(await send({ target })).join(), '403', target)
  t.equal(
    statuses(
      await send({ method: 'GET', target: '/x', body: '', headers: { 'X-Http-Method-Override': 'POST' } }),
    ).join(),
    '201',
  )
  t.equal(
    statuses(await send({ method: 'PUT', headers: { 'X-Http-Method-Override': 'POST' } })).join(),
    '425',
    'a request that names the method',
  )
  t.equal(received.length, 1)
  t.equal(statuses(await send({ target: '/repos/r/pulls' })).join(), '201', 'the control passes')
})

void t.test('the fields of a form that name another method', async (t) => {
  const { received, send, pending, approve } = await setUp(t, {
    rules: ['ask DELETE /x', 'ask POST /x', 'ask PUT /x', 'allow POST /y', 'ask PUT /y'],
  })
  const form = (target: string, body: string) => ({
    target,
    body,
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  })
  const harmful = form('/x', '_method=delete')
  approve(await pending(harmful))
  t.equal(statuses(await send(harmful)).join(), '403', 'nobody was asked about a deletion')
  t.equal(statuses(await send(form('/y', '_method=put'))).join(), '403')
  t.strictSame(received, [])
  const same = form('/x', '_method=post&a=b')
  approve(await pending(same))
  t.equal(statuses(await send(same)).join(), '201')
})

void t.test('without a record nobody is asked, and nothing is approved', async (t) => {
  const { gateway, received, send, pending, approve } = await setUp(t)
  gateway.auditFails = true
  t.match(await send(), /^HTTP\/1\.1 503 audit-unavailable/)
  t.strictSame(gateway.approvals.list(), [])
  gateway.auditFails = false
  const id = await pending()
  gateway.auditFails = true
  t.throws(() => approve(id))
  gateway.auditFails = false
  t.equal(statuses(await send()).join(), '425', 'an approval without its record is none')
  t.strictSame(received, [])
  approve(id)
  t.equal(statuses(await send()).join(), '201')
  t.match(gateway.approvalEvents, [
    { action: 'approval-requested', by: null, sandbox: { id: SANDBOX.id } },
    { action: 'approval-granted', by: ADA, scope: 'once', credential: 'api/bearer' },
  ])
})

void t.test('a sandbox has only so many requests wait, and others are not kept from asking', async (t) => {
  const { gateway, send, pending, approve, who } = await setUp(t)
  const ids = new Set<string>()
  for (let i = 0; i < MAX_PENDING.own; i += 1)
    ids.add(await pending({ target: `/repos/${String(i)}/issues` }))
  t.equal(ids.size, MAX_PENDING.own)
  t.match(await send(), /^HTTP\/1\.1 429 approval-limit/)
  who.sandbox = { ...SANDBOX, id: 'sb-other' }
  t.match(await send(), /^HTTP\/1\.1 425 /)
  who.sandbox = SANDBOX
  approve([...ids][0] ?? '')
  t.match(await send(), /^HTTP\/1\.1 425 /, 'one that is decided makes room')
  const held = gateway.heldBytes()
  t.ok(held > 0, 'what waits is counted as memory of its sandbox')
  gateway.approvals.prune((one) => one === 'sb-other')
  t.equal(gateway.approvals.list().length, 1)
  gateway.approvals.prune(() => false)
  t.ok(await eventually(() => gateway.heldBytes() === 0), 'and given back')
  t.match(gateway.approvalEvents.at(-1), { action: 'approval-expired', reason: 'sandbox-ended' })
})

void t.test('the refusal tells what to do, in the form that the client reads', async (t) => {
  const { gateway, send, open, received } = await setUp(t)
  const answer = await send()
  t.match(answer, /^HTTP\/1\.1 425 approval-required\r\n/)
  t.match(answer, /x-egress-approval: ap-[0-9a-f]{16}\r\n/i)
  t.match(answer, /retry-after: 15/i)
  t.match(answer, /egress approvals/)
  const grpc = await openSession(t, gateway, HOST)
  const call = await askHttp2(
    grpc,
    {
      ':method': 'POST',
      ':path': '/test.v1.Echo/Say',
      'content-type': 'application/grpc',
      te: 'trailers',
    },
    Buffer.from([0, 0, 0, 0, 1, 7]),
  )
  t.match(call, { status: 200, headers: { 'grpc-status': '9' } })
  t.match(call.headers['grpc-message'], /approval-required: .*ap-[0-9a-f]{16}/)
  const socket = await exchangeBytes(
    await open(),
    `GET /socket HTTP/1.1\r\nHost: ${HOST}\r\n${UPGRADE.join('\r\n')}\r\n\r\n`,
  )
  t.match(socket, /^HTTP\/1\.1 425 approval-required\r\n/)
  t.strictSame(received, [])
  t.match(
    gateway.approvals.list().map(({ request: { kind, target } }) => [kind, target]),
    [
      ['request', '/repos/r/issues'],
      ['request', '/test.v1.Echo/Say'],
      ['upgrade', '/socket'],
    ],
  )
})

void t.test('HTTP/2: the same, and nobody is shown trailers, so that none is sent', async (t) => {
  const { gateway, received, approve } = await setUp(t)
  const session = await openSession(t, gateway, HOST)
  const post = () =>
    new Promise<number>((resolve) => {
      const stream = session.request(
        { ':method': 'POST', ':path': '/repos/r/issues', 'content-type': 'application/json' },
        { waitForTrailers: true },
      )
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-late': 'harm' }))
      stream.on('response', (headers) => resolve(Number(headers[':status'])))
      stream.on('error', () => undefined)
      stream.resume()
      stream.end(BODY)
    })
  t.equal(await post(), 425)
  approve(gateway.approvals.list()[0]?.id ?? '')
  t.equal(await post(), 201)
  t.equal(received.length, 1)
  t.notMatch(received[0], /harm/)
})
