import { randomBytes } from 'node:crypto'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { bearer } from '#proxy/credentials/bearer.js'
import { Secret } from '#firewall/secrets/secret.js'
import { startGateway, type TestGateway } from '#test/fixtures/gateway.js'
import { destination, service, testPolicy } from '#test/fixtures/policy.js'
import { randomBelow } from '#test/fixtures/random.js'
import { listen } from '#test/fixtures/upstream.js'
import { switchProtocols } from '#test/fixtures/websocket.js'
import { hostileRequest, hostileResponse, type Random } from './workers/http-grammar.js'
import { readRequests } from './workers/strict-http.js'

// Hostile requests and hostile responses through a gateway, between a client and an upstream that read strictly.
//
//     npm run fuzz:http [-- SECONDS [SEED]]
//
// Each round is made from its own seed, which is printed with a finding: `npm run fuzz:http -- 1 SEED` repeats that round first.
// A finding is: the gateway failed, what the upstream was sent was not recorded and allowed, was not what the record says, was
// ambiguous, came with the client's own credential, or the token came back; or the memory grew.

const TOKEN = 'real-token-0123456789abcdef'
/** Connections of one round, all at once. */
const PER_ROUND = 16
/** Bytes that the heap and buffers may grow by, over all rounds after the first ones. */
const MAX_GROWTH = 256 * 2 ** 20

const STEERS = /^(?:x-(?:forwarded|original|rewrite)-|forwarded$|proxy-)/
/** Under another spelling these become themselves in CGI. */
const MEANS = /^(?:content-length|transfer-encoding|x-http-method.*)$/

interface Round {
  readonly findings: string[]
  readonly requests: number
}

const seconds = Number(process.argv[2] ?? 60)
const firstSeed = Number(process.argv[3] ?? randomBytes(4).readUInt32BE())

interface Upstream {
  readonly server: Server
  readonly port: number
  /** What each connection was sent in this round. */
  readonly received: Map<Socket, string>
  respond: (head: string) => string
}

async function startUpstream(): Promise<Upstream> {
  const received = new Map<Socket, string>()
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1')
      received.set(socket, (received.get(socket) ?? '') + text)
      // One answer for each head, as a simple server does.
      for (const head of text.match(/^[A-Z]+ \/[^]*?\r\n\r\n/gm) ?? [])
        socket.write(upstream.respond(head), 'latin1')
    })
  })
  const upstream: Upstream = { server, port: await listen(server), received, respond: () => '' }
  return upstream
}

function startPolicy(port: number) {
  const credential = bearer.bind('api/bearer', { token: new Secret('API_TOKEN', TOKEN) })
  return startGateway(
    testPolicy({
      destinations: [
        destination('http://api.example', ['deny * /admin/**', 'allow GET,POST /rest/**'], {
          id: 'services.api',
          service: 'api',
        }),
        destination('http://open.example', ['allow GET,POST /rest/**'], { id: 'allow[0]' }),
      ],
      services: [service('api', 'http://api.example', credential)],
      hosts: {
        'api.example': { address: '127.0.0.1', port },
        'open.example': { address: '127.0.0.1', port },
      },
      http: { responseTimeoutMs: 1_000, idleTimeoutMs: 2_000, connectTimeoutMs: 2_000 },
    }),
  )
}

/** Writes bytes in pieces; resolves with all that came back once the connection is over or silent. */
function exchange(port: number, bytes: string, random: Random): Promise<string> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, '127.0.0.1')
    let got = ''
    const done = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve(got)
    }
    let timer = setTimeout(done, 400)
    socket.on('error', () => undefined).on('close', done)
    socket.on('data', (chunk: Buffer) => {
      got += chunk.toString('latin1')
      clearTimeout(timer)
      timer = setTimeout(done, 150)
    })
    const cut = random(3) === 0 ? random(bytes.length + 1) : bytes.length
    socket.write(Buffer.from(bytes.slice(0, cut), 'latin1'))
    setImmediate(() => socket.write(Buffer.from(bytes.slice(cut), 'latin1')))
    if (random(8) === 0) setTimeout(() => socket.resetAndDestroy(), random(20))
  })
}

async function playRound(gateway: TestGateway, upstream: Upstream, seed: number): Promise<Round> {
  const random = randomBelow(seed)
  const hostile = random(2) === 0
  gateway.decisions.length = 0
  gateway.closes.length = 0
  gateway.failures.length = 0
  upstream.respond = (head) => {
    if (/^upgrade: websocket/im.test(head) && random(2) === 0) return switchProtocols(head)
    return hostile ? hostileResponse(random, TOKEN) : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
  }
  const { http, forward, reverse } = gateway.ports
  const answers = await Promise.all(
    Array.from({ length: PER_ROUND }, () => {
      const listener = (['http', 'forward', 'reverse'] as const)[random(3)] ?? 'http'
      const bytes = hostileRequest(random, listener)
      return exchange({ http, forward, reverse }[listener], bytes, random)
    }),
  )
  // Everything that was allowed has ended by then, and nothing of this round comes in the next.
  const isOver = () =>
    gateway.decisions.filter(({ verdict }) => verdict === 'allow').length === gateway.closes.length
  for (let wait = 0; wait < 300 && !isOver(); wait += 1)
    await new Promise((resolve) => setTimeout(resolve, 10))
  const findings = [...checkGateway(gateway, upstream), ...answers.flatMap(checkAnswer)]
  if (!isOver()) findings.push('a request has no closing record')
  const requests = upstream.received.size
  for (const socket of upstream.received.keys()) socket.destroy()
  upstream.received.clear()
  return { findings, requests }
}

function checkAnswer(answer: string): string[] {
  return answer.includes(TOKEN) ? [`the token came back: ${JSON.stringify(answer.slice(0, 300))}`] : []
}

function checkGateway({ decisions, failures }: TestGateway, { received }: Upstream): string[] {
  const findings = failures.map(
    (failure) => `the gateway failed: ${failure instanceof Error ? (failure.stack ?? '') : String(failure)}`,
  )
  const allowed = decisions
    .filter(({ verdict }) => verdict === 'allow')
    .map(({ method, path, query, host }) => `${host ?? ''} ${method ?? ''} ${path ?? ''}${query ?? ''}`)
  // A safe request is sent once more when its kept-alive connection ends without an answer.
  const repeatable = allowed.filter((asked) => / (?:GET|HEAD|OPTIONS) /.test(asked))
  for (const bytes of received.values()) {
    const requests = readRequests(bytes)
    if (typeof requests === 'string') {
      findings.push(
        `the upstream was sent what it cannot read: ${requests}: ${JSON.stringify(bytes.slice(0, 400))}`,
      )
      continue
    }
    for (const { method, target, headers } of requests) {
      const asked = `${headers.get('host') ?? ''} ${method} ${target}`
      const index = allowed.indexOf(asked)
      const again = index < 0 ? repeatable.indexOf(asked) : -1
      if (again >= 0) repeatable.splice(again, 1)
      else if (index < 0)
        findings.push(`not recorded as allowed: ${JSON.stringify(asked)}, of ${JSON.stringify(allowed)}`)
      else allowed.splice(index, 1)
      if (/^\/admin/i.test(target)) findings.push(`denied by a rule: ${target}`)
      const authorization = headers.get('authorization')
      const wanted = headers.get('host') === 'api.example' ? `Bearer ${TOKEN}` : authorization
      if (authorization !== wanted)
        findings.push(`the wrong credential for ${asked}: ${authorization ?? 'none'}`)
      for (const name of headers.keys()) {
        const plain = name.replace(/[^a-z0-9]/g, '-')
        if (STEERS.test(plain) || (name !== plain && MEANS.test(plain)))
          findings.push(`a header that steers: ${name}`)
      }
    }
  }
  return findings
}

async function main(): Promise<void> {
  const upstream = await startUpstream()
  const gateway = await startPolicy(upstream.port)
  process.on('uncaughtException', (error) => {
    console.error(`FINDING the process failed: ${error.stack ?? String(error)}`)
    process.exit(1)
  })
  const memory = () => {
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const begun = performance.now()
  let [rounds, requests, found, base] = [0, 0, 0, 0]
  for (; performance.now() - begun < seconds * 1_000 || rounds === 0; rounds += 1) {
    const seed = (firstSeed + rounds) >>> 0
    const round = await playRound(gateway, upstream, seed)
    requests += round.requests
    for (const finding of round.findings) {
      found += 1
      console.log(`FINDING seed ${String(seed)}: ${finding}`)
    }
    if (rounds === 20) base = memory()
  }
  const grown = base === 0 ? 0 : memory() - base
  if (grown > MAX_GROWTH) {
    found += 1
    console.log(`FINDING the memory grew by ${String(Math.round(grown / 2 ** 20))} MiB`)
  }
  console.log(
    `${String(rounds)} rounds of ${String(PER_ROUND)} connections from seed ${String(firstSeed)}, ${String(requests)} connections upstream, ` +
      `memory ${(grown / 2 ** 20).toFixed(1)} MiB: ${String(found)} findings`,
  )
  await gateway.close()
  upstream.server.close()
  process.exit(found === 0 ? 0 : 1)
}

await main()
