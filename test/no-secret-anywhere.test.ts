import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { text as readText } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { stringify } from 'yaml'
import {
  BROKEN,
  grantedTo,
  KINDS,
  LOGIN_HOST,
  makeSecrets,
  sayBack,
  type Secrets,
} from './fixtures/careless-services.js'
import { searchFor, spellingsOf } from './fixtures/find-secrets.js'
import { makeWorkspace, upstreamCa } from './fixtures/run.js'
import { startOracle, WITHOUT_BOTO3 } from './fixtures/sigv4-oracle.js'
import { listen, startUpstream } from './fixtures/upstream.js'

// An agent in Python and one in Node use every kind of credential, at services that verify the real one and say back all
// they know. Then everything that the agents can see is searched: their files, /proc, memory, heap and answers, the logs.

t.setTimeout(280_000)

const PLANTED = 'planted-7f3b9d2c51e84a60'
const INSIDE = fileURLToPath(new URL('../../test/inside/', import.meta.url))
const COMPILED = fileURLToPath(new URL('./inside/', import.meta.url))

/** Secrets that the gateway reads from files in the work directory itself, where it hides them. */
const IN_DOTENV = ['BASIC_PASSWORD', 'CLIENT_SECRET', 'AWS_SECRET_ACCESS_KEY'] as const
const IN_FILE = 'HEADER_KEY'

/** The services, of which each knows its own secrets. Returns the names of those that got the real one, in order. */
async function startServices(t: Test, secrets: Secrets) {
  const authority = await upstreamCa()
  const oracle = WITHOUT_BOTO3 === false ? startOracle() : null
  const verified: string[] = []
  const failures: unknown[] = []
  const upstream = await startUpstream(authority, (request, response) => {
    const answer = async () => {
      const body = await readText(request)
      const asked = { request, body }
      const [name, kind] = Object.entries(KINDS).find(([, { host }]) => host === request.headers.host) ?? []
      const known = kind?.secrets ?? (request.headers.host === LOGIN_HOST ? Object.keys(secrets) : [])
      const more = known.map((secret) => secrets[secret as keyof Secrets])
      const granted = request.headers.host === LOGIN_HOST ? grantedTo(asked, secrets) : null
      if (granted !== null) {
        verified.push('token')
        const token = { access_token: granted, token_type: 'Bearer', expires_in: 3600, more }
        response.end(JSON.stringify(token))
        return
      }
      const real = kind !== undefined && (await kind.verify(asked, secrets, oracle))
      if (real) verified.push(name ?? '')
      response.setHeader(
        'x-seen',
        more.map((secret) => encodeURIComponent(secret)),
      )
      response.setHeader('set-cookie', `session=${encodeURIComponent(more[0] ?? '')}`)
      response.writeHead(real ? 200 : 401)
      response.end(`${PLANTED}\n${sayBack(asked, more)}`)
    }
    answer().catch((error: unknown) => {
      failures.push(error)
      response.destroy()
    })
  })
  t.teardown(async () => {
    oracle?.close()
    await upstream.close()
  })
  return { ca: authority.pem, port: upstream.port, verified, failures }
}

async function closedPort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

function policy(port: number, dead: number): string {
  const all = { ...KINDS, ...BROKEN }
  return stringify({
    secrets: { [IN_FILE]: { file: './header-key' } },
    services: Object.fromEntries(
      Object.entries(all).map(([name, { host, credential }]) => [
        name,
        {
          url: `https://${host}`,
          credential,
          rules: [{ allow: '* /**' }],
          allow_private_addresses: true,
          ca: './upstream-ca.pem',
        },
      ]),
    ),
    upstream: {
      hosts: Object.fromEntries(
        [...Object.values(all).map(({ host }) => host), LOGIN_HOST].map((host) => [
          host,
          `127.0.0.1:${String(host === BROKEN['dead']?.host ? dead : port)}`,
        ]),
      ),
    },
  })
}

/** What the agents ask: each service, those that go wrong, what is denied, and a placeholder where it has no business. */
function requests() {
  const known = Object.values(KINDS).map(({ host, request }) => ({
    method: request.method,
    url: `https://${host}${request.path}`,
    headers: request.headers ?? {},
    body: request.body ?? null,
  }))
  const others = [
    ...Object.values(BROKEN).map(({ host }) => `https://${host}/x`),
    `https://bearer.example/x?said=${PLANTED}`,
    'https://bearer.example/{HEADER_KEY}',
    'https://bearer.example/a%2fb',
  ]
  return [...known, ...others.map((url) => ({ method: 'GET', url, headers: {}, body: null }))]
}

async function runAgents(t: Test) {
  const since = Date.now() / 1000 - 1
  const secrets = makeSecrets()
  const services = await startServices(t, secrets)
  const pick = (names: readonly string[], wanted: boolean) =>
    Object.entries(secrets).filter(([name]) => names.includes(name) === wanted)
  const elsewhere = [...IN_DOTENV, IN_FILE, 'GRANTED']
  const space = makeWorkspace(
    policy(services.port, await closedPort()),
    Object.fromEntries(pick(elsewhere, false)),
    { 'upstream-ca.pem': services.ca, 'requests.json': JSON.stringify(requests()) },
  )
  const dotenv = pick(IN_DOTENV, true).map(([name, value]) => `${name}='${value}'\n`)
  writeFileSync(join(space.directory, '.env'), dotenv.join(''), { mode: 0o600 })
  writeFileSync(join(space.directory, 'header-key'), secrets[IN_FILE], { mode: 0o600 })
  copyFileSync(join(INSIDE, 'collect.py'), join(space.directory, 'collect.py'))
  copyFileSync(join(COMPILED, 'ask.mjs'), join(space.directory, 'ask.mjs'))
  const out = mkdtempSync(join(tmpdir(), 'egress-seen-'))
  chmodSync(out, 0o777)
  t.teardown(() => {
    space.remove()
    rmSync(out, { recursive: true, force: true })
  })
  const ended = await space.run([
    ...['run', '--mount', `${out}:rw`, '--env', `PLANTED=${PLANTED}`, '--'],
    ...['/usr/bin/python3', '-B', 'collect.py', 'requests.json', out],
    ...[String(since), process.execPath, 'ask.mjs'],
  ])
  return { secrets, services, space, out, ended }
}

void t.test('no real secret is in anything that an agent can see, nor in a log', async (t) => {
  const { secrets, services, space, out, ended } = await runAgents(t)
  t.equal(ended.code, 0, ended.stderr)
  t.strictSame(services.failures, [])
  for (const kind of Object.keys(KINDS)) {
    const times = services.verified.filter((name) => name === kind).length
    t.ok(times >= 2, `${kind}: the service got the real credential from both agents (${String(times)})`)
  }
  t.equal(services.verified.filter((name) => name === 'token').length, 1)

  const seen = JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '') as Record<string, number> & {
    core: boolean
  }
  t.equal(seen['kept'], requests().length)
  t.ok((seen['files'] ?? 0) > 5 && (seen['proc'] ?? 0) > 100, JSON.stringify(seen))
  for (const agent of ['python', 'node']) t.ok((seen[agent] ?? 0) > 5_000_000, `the memory of ${agent}`)

  writeFileSync(join(out, 'output'), ended.stdout + ended.stderr)
  const logs = readdirSync(space.auditDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
  writeFileSync(join(out, 'audit'), logs.join(''))
  t.match(logs.join(''), '"action":"http-token"')
  t.match(logs.join(''), '"reason":"placeholder-misplaced"')

  const search = searchFor({ ...secrets, planted: PLANTED })
  t.teardown(() => search.close())
  const places = readdirSync(out).sort()
  const core = seen.core ? ['core-python'] : []
  if (!seen.core) t.pass('a core dump', { skip: 'gdb is not installed, or may not trace here' })
  t.strictSame(places, [
    ...['audit', ...core, 'files', 'heap-node', 'memory-node', 'memory-others', 'memory-python'],
    ...['output', 'proc', 'responses-node', 'responses-python'],
  ])
  for (const place of places.filter((name) => name !== 'memory-others'))
    t.strictSame(search.inFile(join(out, place)), ['planted'], `${place}: what was planted, and nothing else`)
  t.strictSame(
    search.inFile(join(out, 'memory-others')).filter((name) => name !== 'planted'),
    [],
    'of the launcher, as far as an agent may read it',
  )
})

void t.test('the search finds a secret in each of its spellings, and in UTF-16', (t) => {
  const secret = 'k3y+/="%0123456789abcdef'
  const search = searchFor({ secret, other: 'not-there-0123456789' })
  t.teardown(() => search.close())
  const bytes = Buffer.from(secret)
  for (const text of [
    secret,
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    ...['', 'a', 'ab'].map((before) => Buffer.from(`${before}${secret}:after`).toString('base64')),
    ...['', 'a', 'ab'].map((before) => Buffer.from(`${before}${secret}:after`).toString('base64url')),
    encodeURIComponent(secret),
    JSON.stringify(secret),
    Buffer.from(secret, 'utf16le').toString('latin1'),
  ])
    t.strictSame(search.inText(`\x00\xff before ${text} after`), ['secret'], text)
  t.strictSame(search.inText(secret.slice(1)), [])
  t.ok(spellingsOf(secret).length > 10)
  t.end()
})
