import { connect as connectHttp2, createSecureServer, createServer, type ServerHttp2Stream } from 'node:http2'
import { connect, createServer as createTcpServer, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Secret } from '#firewall/secrets/secret.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { CertificateAuthority } from '#proxy/tls/certificate-authority.js'
import { SANDBOX, startGateway, type TestGateway } from '#test/fixtures/gateway.js'
import { frame, PREFACE, readFrames, TYPES } from '#test/fixtures/http2-frames.js'
import { destination, service, testPolicy } from '#test/fixtures/policy.js'
import { randomBelow } from '#test/fixtures/random.js'
import { forAnyName, listen } from '#test/fixtures/upstream.js'
import {
  checkFailures,
  checkSent,
  forget,
  TOKEN,
  untilOver,
  type FuzzTarget,
  type Round,
  type SentRequest,
} from './fuzz-checks.js'
import { checkStrictly, exchange, startHttp1Upstream, type Http1Upstream } from './fuzz-http1.js'
import { hostileResponse, pick, type Random } from './http-grammar.js'
import { holds } from './http2-fields.js'
import { isOfFields, settings } from './http2-grammar.js'
import { hostileClient, type Aim, type HostileConnection } from './http2-hostile-client.js'
import { hostileAnswer } from './http2-hostile-upstream.js'

/** Hostile connections of one round, all at once. */
const PER_ROUND = 48

/** Names of the hostile upstream: each round has its own, and so a new connection. More than the pools that one sandbox keeps. */
const WILD = 48

/** Milliseconds within which another client must be served. */
const SERVED_MS = 10_000

const NEIGHBOUR = { ...SANDBOX, id: 'sb-neighbour' }
const RULES = ['deny * /admin/**', 'allow GET,POST /rest/**']
/** The ids of requests, in paths and in the bodies of their responses. */
const ID = /n=([\w-]+)\./g

interface Upstreams {
  /** What the upstreams of HTTP/2 read in this round. */
  readonly sent: SentRequest[]
  readonly old: Http1Upstream
  readonly sockets: Set<Socket>
  /** Of this round. */
  random: Random
  close(): void
}

/** Answers with the id of the request, again and again, and with what it should not have. */
function answer(stream: ServerHttp2Stream, headers: Record<string, unknown>, sent: SentRequest[]): void {
  const fields = Object.entries(headers).flatMap(([name, value]) =>
    name.startsWith(':') ? [] : [[name, String(value)] as const],
  )
  const target = String(headers[':path'])
  sent.push({
    method: String(headers[':method']),
    target,
    headers: new Map([...fields, ['host', String(headers[':authority'])]]),
  })
  const [id = ''] = [...target.matchAll(ID)].map(([, found = '']) => found)
  const kind = Number(id.split('-').at(-1)) % 4
  stream.on('error', () => undefined)
  const reply = () => {
    if (stream.destroyed || stream.closed) return
    stream.respond({ ':status': 200, 'x-echo': TOKEN, etag: `"${TOKEN}"` }, { waitForTrailers: kind === 1 })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-trailer': TOKEN }))
    stream.end(`n=${id}.\n${TOKEN}\n`.repeat([1, 3, 200, 3_000][kind] ?? 1))
  }
  if (kind === 2) stream.resume().on('end', reply)
  else reply()
}

/** Answers what arrives with frames of all kinds, or in HTTP/1.1 where it was asked in it. */
function attack(socket: Socket, upstreams: Upstreams): void {
  const { random } = upstreams
  let bytes = Buffer.alloc(0)
  let at = 0
  socket.on('error', () => undefined)
  if (random(12) > 0) socket.write(random(3) > 0 ? frame('settings', 0, 0) : settings(random))
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    if (!bytes.subarray(0, 24).equals(PREFACE.subarray(0, bytes.length))) {
      if (bytes.includes('\r\n\r\n')) socket.write(hostileResponse(random, TOKEN), 'latin1')
      return
    }
    const { frames, end } = readFrames(bytes, Math.max(at, PREFACE.length))
    at = end
    for (const { type, flags, stream } of frames) {
      if (type === TYPES.settings && (flags & 1) === 0) socket.write(frame('settings', 1, 0))
      if (type === TYPES.headers) socket.write(hostileAnswer(random, stream, TOKEN))
    }
  })
}

async function startUpstreams(authority: CertificateAuthority): Promise<Upstreams & { hosts: Hosts }> {
  const sockets = new Set<Socket>()
  const sent: SentRequest[] = []
  const keep = (socket: Socket) => {
    sockets.add(socket.on('close', () => sockets.delete(socket)))
    return socket
  }
  const onStream = (stream: ServerHttp2Stream, headers: Record<string, unknown>) =>
    answer(stream, headers, sent)
  const plain = createServer().on('stream', onStream)
  const secure = createSecureServer(forAnyName(authority)).on('stream', onStream)
  const wild = createTcpServer((socket) => attack(keep(socket), upstreams))
  for (const server of [plain, secure]) server.on('sessionError', () => undefined).on('connection', keep)
  const old = await startHttp1Upstream()
  old.respond = () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
  const at = (port: number) => ({ address: '127.0.0.1', port })
  const [plainAt, secureAt, wildAt] = [
    at(await listen(plain)),
    at(await listen(secure)),
    at(await listen(wild)),
  ]
  const upstreams = {
    sent,
    old,
    sockets,
    random: randomBelow(1),
    hosts: {
      'api.example': plainAt,
      'open.example': plainAt,
      'tls.example': secureAt,
      'old.example': at(old.port),
      ...Object.fromEntries(Array.from({ length: WILD }, (_, i) => [wildName(i), wildAt])),
    },
    close() {
      for (const server of [plain, secure, wild, old.server]) server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
  return upstreams
}

type Hosts = Record<string, { address: string; port: number }>

const wildName = (round: number) => `wild${String(round % WILD)}.example`

function startPolicy(hosts: Hosts, ca: string): Promise<TestGateway> {
  const credential = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', TOKEN) })
  const withService = (url: string, name: string) =>
    destination(url, RULES, {
      id: `services.${name}`,
      service: name,
      ca: url.startsWith('https') ? ca : null,
    })
  const policy = testPolicy({
    destinations: [
      withService('http://api.example', 'api'),
      withService('https://tls.example', 'tls'),
      destination('http://open.example', RULES, { id: 'allow[0]' }),
      destination('http://old.example', RULES, { id: 'allow[1]' }),
      ...Array.from({ length: WILD }, (_, i) => withService(`http://${wildName(i)}`, 'wild')),
    ],
    services: [
      service('api', 'http://api.example', credential),
      service('tls', 'https://tls.example', credential),
      service('wild', `http://${wildName(0)}`, credential),
    ],
    hosts,
    http: { responseTimeoutMs: 1_000, idleTimeoutMs: 2_000, connectTimeoutMs: 2_000 },
  })
  return startGateway(policy, ({ address }) => (address === '127.0.0.2' ? NEIGHBOUR : SANDBOX))
}

/** Clients that send hostile frames, to upstreams of both versions; and an upstream that answers with them. */
export async function fuzzHttp2(): Promise<FuzzTarget> {
  const authority = await CertificateAuthority.create(Date.now())
  const upstreams = await startUpstreams(authority)
  const gateway = await startPolicy(upstreams.hosts, authority.pem)
  return {
    play: (seed) => playRound(gateway, upstreams, seed),
    async close() {
      await gateway.close()
      upstreams.close()
    },
  }
}

async function playRound(gateway: TestGateway, upstreams: Upstreams, seed: number): Promise<Round> {
  const random = randomBelow(seed)
  upstreams.random = randomBelow(seed + 1)
  forget(gateway)
  upstreams.sent.length = 0
  const served = askAsNeighbour(gateway, `${String(seed)}-b-3`)
  const clients = Array.from({ length: PER_ROUND }, (_, i) => attackGateway(gateway, random, seed, i))
  const answers = await Promise.all(clients)
  const findings = [await served, await untilOver(gateway)].flat()
  findings.push(...checkFailures(gateway), ...checkSent(gateway, upstreams.sent))
  findings.push(...checkStrictly(gateway, upstreams.old), ...checkAnswers(gateway, answers))
  const requests = upstreams.sent.length
  for (const socket of upstreams.old.received.keys()) socket.destroy()
  upstreams.old.received.clear()
  return { findings, requests }
}

interface Attacked extends HostileConnection {
  readonly received: Buffer
}

async function attackGateway(
  gateway: TestGateway,
  random: Random,
  seed: number,
  index: number,
): Promise<Attacked> {
  const { http, forward, reverse, https } = gateway.ports
  const [port, aim] = pick<readonly [number, Aim]>(random, [
    [http, { scheme: 'http', base: '', host: pick(random, ['api.example', 'open.example', 'old.example']) }],
    [http, { scheme: 'http', base: '', host: wildName(seed) }],
    [http, { scheme: 'http', base: '', host: wildName(seed) }],
    [https, { scheme: 'https', base: '', host: 'tls.example' }],
    [
      forward,
      { scheme: 'http', base: '', host: pick(random, ['api.example', 'open.example', 'old.example']) },
    ],
    [reverse, { scheme: 'http', base: '/api', host: 'egress' }],
  ])
  const hostile = hostileClient(random, aim, `${String(seed)}-${String(index)}`)
  const tcp = connect(port, '127.0.0.1')
  const socket =
    port === https
      ? connectTls({ socket: tcp, servername: aim.host, ca: gateway.ca, ALPNProtocols: ['h2'] })
      : tcp
  tcp.on('error', () => undefined)
  const received = await exchange(socket, hostile.bytes, random, tcp, [3_000, 1_000])
  tcp.destroy()
  return { ...hostile, received }
}

/** Another sandbox, which does nothing wrong. */
function askAsNeighbour(gateway: TestGateway, id: string): Promise<string[]> {
  const socket = connect({ port: gateway.ports.http, host: '127.0.0.1', localAddress: '127.0.0.2' })
  const session = connectHttp2('http://open.example', { createConnection: () => socket })
  session.on('error', () => undefined)
  return new Promise((resolve) => {
    const stream = session.request({ ':path': `/rest/b?n=${id}.` })
    let text = ''
    const timer = setTimeout(() => stream.close(), SERVED_MS)
    stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => (text += chunk))
    stream.on('error', () => undefined)
    stream.on('close', () => {
      clearTimeout(timer)
      session.destroy()
      const isRight =
        text.length > 0 && text.split('\n').every((line) => !line.includes('n=') || line === `n=${id}.`)
      const isWhole = text.split('\n').length === 6_001
      resolve(
        isRight && isWhole ? [] : [`another client was not served: ${JSON.stringify(text.slice(0, 300))}`],
      )
    })
  })
}

/** Nothing holds the token, each response is on the stream of its request, and each is recorded. */
function checkAnswers(gateway: TestGateway, answers: readonly Attacked[]): string[] {
  const findings: string[] = []
  const ownerOf = new Map<string, { answer: Attacked; stream: number }>()
  for (const answer of answers)
    for (const [stream, ids] of answer.asked ?? []) for (const id of ids) ownerOf.set(id, { answer, stream })
  let answered = 0
  for (const answer of answers) {
    const { received } = answer
    if (received.includes(TOKEN)) findings.push('the token came back')
    // In HTTP/1.1, to what was no HTTP/2.
    if (received.subarray(0, 5).toString() === 'HTTP/') continue
    const { frames } = readFrames(received)
    const streams = new Set<number>()
    for (const { type, stream, payload } of frames) {
      if (type > TYPES.continuation) findings.push(`a frame of type ${String(type)}`)
      if (isOfFields(type) && holds(payload, TOKEN)) findings.push('the token came back, in a header')
      if (type === TYPES.headers) streams.add(stream)
      if (type !== TYPES.data) continue
      for (const [, id = ''] of payload.toString('latin1').matchAll(ID)) {
        const owner = ownerOf.get(id)
        if (owner !== undefined && (owner.answer !== answer || owner.stream !== stream))
          findings.push(`the response to ${id} came on stream ${String(stream)} of another`)
        if (owner === undefined && id.includes('-b-')) findings.push(`the response of another sandbox: ${id}`)
      }
    }
    answered += streams.size
  }
  const recorded = gateway.decisions.filter(({ sandbox }) => sandbox?.id === SANDBOX.id).length
  if (answered > recorded)
    findings.push(`${String(answered)} requests were answered, and ${String(recorded)} recorded`)
  return findings
}
