import { connect, createServer, type Server, type Socket } from 'node:net'
import { bearer } from '#proxy/credentials/bearer.js'
import { Secret } from '#firewall/secrets/secret.js'
import { startGateway, type TestGateway } from '#test/fixtures/gateway.js'
import { PREFACE, readFrames } from '#test/fixtures/http2-frames.js'
import { destination, service, testPolicy } from '#test/fixtures/policy.js'
import { randomBelow } from '#test/fixtures/random.js'
import { listen } from '#test/fixtures/upstream.js'
import { switchProtocols } from '#test/fixtures/websocket.js'
import {
  checkFailures,
  checkSent,
  forget,
  TOKEN,
  untilOver,
  type FuzzTarget,
  type Round,
} from './fuzz-checks.js'
import { hostileRequest, hostileResponse, type Random } from './http-grammar.js'
import { isOfFields } from './http2-grammar.js'
import { readRequests } from './strict-http.js'

/** Connections of one round, all at once. */
const PER_ROUND = 16

export interface Http1Upstream {
  readonly server: Server
  readonly port: number
  /** What each connection was sent in this round. */
  readonly received: Map<Socket, string>
  respond: (head: string) => string
}

export async function startHttp1Upstream(): Promise<Http1Upstream> {
  const received = new Map<Socket, string>()
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1')
      received.set(socket, (received.get(socket) ?? '') + text)
      if (text.startsWith('PRI ')) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
      // One answer for each head, as a simple server does.
      for (const head of text.match(/^[A-Z]+ \/[^]*?\r\n\r\n/gm) ?? [])
        socket.write(upstream.respond(head), 'latin1')
    })
  })
  const upstream: Http1Upstream = { server, port: await listen(server), received, respond: () => '' }
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

/**
 * Writes bytes in pieces; resolves with all that came back once the connection is over or silent.
 *
 * @param reset the connection below TLS
 * @param quietMs milliseconds without a byte after which nothing more is expected: at first, and later
 */
export function exchange(
  socket: Socket,
  bytes: Buffer,
  random: Random,
  reset: Socket = socket,
  quietMs: readonly [first: number, later: number] = [400, 150],
): Promise<Buffer> {
  return new Promise((resolve) => {
    const got: Buffer[] = []
    const done = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve(Buffer.concat(got))
    }
    let timer = setTimeout(done, quietMs[0])
    socket.on('error', () => undefined).on('close', done)
    socket.on('data', (chunk: Buffer) => {
      got.push(chunk)
      clearTimeout(timer)
      timer = setTimeout(done, quietMs[1])
    })
    const cut = random(3) === 0 ? random(bytes.length + 1) : bytes.length
    socket.write(bytes.subarray(0, cut))
    setImmediate(() => socket.write(bytes.subarray(cut)))
    if (random(8) === 0) setTimeout(() => reset.resetAndDestroy(), random(20))
  })
}

/** Hostile requests and hostile responses, between a client and an upstream that read strictly. */
export async function fuzzHttp1(): Promise<FuzzTarget> {
  const upstream = await startHttp1Upstream()
  const gateway = await startPolicy(upstream.port)
  return {
    play: (seed) => playRound(gateway, upstream, seed),
    async close() {
      await gateway.close()
      upstream.server.close()
    },
  }
}

async function playRound(gateway: TestGateway, upstream: Http1Upstream, seed: number): Promise<Round> {
  const random = randomBelow(seed)
  const hostile = random(2) === 0
  forget(gateway)
  upstream.respond = (head) => {
    if (/^upgrade: websocket/im.test(head) && random(2) === 0) return switchProtocols(head)
    return hostile ? hostileResponse(random, TOKEN) : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
  }
  const { http, forward, reverse } = gateway.ports
  const answers = await Promise.all(
    Array.from({ length: PER_ROUND }, () => {
      const listener = (['http', 'forward', 'reverse'] as const)[random(3)] ?? 'http'
      const bytes = Buffer.from(hostileRequest(random, listener), 'latin1')
      return exchange(connect({ http, forward, reverse }[listener], '127.0.0.1'), bytes, random)
    }),
  )
  const left = await untilOver(gateway)
  const findings = [
    ...left,
    ...checkFailures(gateway),
    ...checkStrictly(gateway, upstream),
    ...answers.flatMap(checkAnswer),
  ]
  const requests = upstream.received.size
  for (const socket of upstream.received.keys()) socket.destroy()
  upstream.received.clear()
  return { findings, requests }
}

function checkAnswer(answer: Buffer): string[] {
  if (!answer.includes(TOKEN)) return []
  return [`the token came back: ${JSON.stringify(answer.toString('latin1', 0, 300))}`]
}

/** What the upstream was sent is requests that every server reads in the same way, and that were allowed. */
export function checkStrictly(gateway: TestGateway, { received }: Http1Upstream): string[] {
  // Whether it speaks HTTP/2, where the client does; no request is in that.
  const isAsked = (bytes: string) =>
    bytes.startsWith('PRI ') &&
    readFrames(Buffer.from(bytes, 'latin1'), PREFACE.length).frames.every(({ type }) => !isOfFields(type))
  const read = [...received.values()]
    .filter((bytes) => !isAsked(bytes))
    .map((bytes) => ({ bytes, requests: readRequests(bytes) }))
  const unreadable = read.flatMap(({ bytes, requests }) =>
    typeof requests === 'string'
      ? [`the upstream was sent what it cannot read: ${requests}: ${JSON.stringify(bytes.slice(0, 400))}`]
      : [],
  )
  const sent = read.flatMap(({ requests }) => (typeof requests === 'string' ? [] : requests))
  return [...unreadable, ...checkSent(gateway, sent)]
}
