import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { request, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as read } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { eventually } from '#test/fixtures/eventually.js'
import { EgressError } from '../common/errors.js'
import { askAdmin, errorIn } from './ask-admin.js'
import { MAX_BODY_BYTES } from './body.js'
import { serveAdmin, type TcpOptions } from './listener.js'
import { json, text, type AdminRequest, type AdminRoute } from './route.js'

const TOKEN = 'correct-horse-battery-staple'

interface Setting {
  readonly socket: string
  readonly port: number
  readonly failed: unknown[]
  readonly gone: string[]
}

/** A listener with routes that show what they were handed. */
async function listen(t: Test, isSandbox: TcpOptions['isSandbox'] = () => false): Promise<Setting> {
  const directory = mkdtempSync(join(tmpdir(), 'egress-listener-'))
  const failed: unknown[] = []
  const gone: string[] = []
  const seen = ({ params, query, body, access }: AdminRequest) =>
    json({ params, query: [...query], body, access })
  const routes: AdminRoute[] = [
    { method: 'POST', path: '/echo/:name', handle: seen },
    { method: 'GET', path: '/page', isPublic: true, handle: ({ access }) => text(access) },
    {
      method: 'GET',
      path: '/refused',
      handle() {
        throw new EgressError({ code: 'EGRESS_X', problem: 'It is broken', fix: 'Mend it', exitCode: 1 })
      },
    },
    {
      method: 'GET',
      path: '/bug',
      handle() {
        throw new TypeError('secret of the house')
      },
    },
    {
      method: 'GET',
      path: '/events',
      handle({ signal }) {
        signal.addEventListener('abort', () => gone.push('events'))
        async function* events() {
          yield 'one\n'
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
        }
        return { status: 200, type: 'text/event-stream', body: events() }
      },
    },
  ]
  const socket = join(directory, 'run', 'admin.sock')
  const tcp = { host: '127.0.0.1', port: 0, token: TOKEN, hosts: ['gateway.example'], isSandbox }
  const listener = await serveAdmin({ routes, socket, tcp, fail: (error) => failed.push(error) })
  t.teardown(() => {
    listener.close()
    rmSync(directory, { recursive: true, force: true })
  })
  return { socket, port: listener.port ?? 0, failed, gone }
}

function ask(
  port: number,
  path: string,
  headers: Record<string, string>,
  method = 'GET',
  body = '',
): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: false })
    asked.once('error', reject)
    asked.once('response', (response) => {
      read(response).then(
        (all) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: all }),
        reject,
      )
    })
    asked.end(body)
  })
}

/** What comes back for these bytes until the connection closes. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let got = ''
    const socket = connect(port, '127.0.0.1', () => void socket.write(bytes))
    socket.on('data', (chunk: Buffer) => (got += chunk.toString()))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(got))
  })
}

void t.test('the socket: routes, bodies, errors', async (t) => {
  const { socket, failed } = await listen(t)
  t.equal(statSync(socket).mode & 0o777, 0o600)
  t.equal(statSync(join(socket, '..')).mode & 0o777, 0o700)
  const echo = await askAdmin(socket, { method: 'POST', path: '/echo/a%2Fb?x=1&x=2', body: { deep: [1] } })
  t.strictSame(echo, {
    status: 200,
    body: {
      params: { name: 'a/b' },
      query: [
        ['x', '1'],
        ['x', '2'],
      ],
      body: { deep: [1] },
      access: 'socket',
    },
  })
  const refused = await askAdmin(socket, { method: 'GET', path: '/refused' })
  t.match(refused, { status: 503 })
  t.match(refused && errorIn(refused), {
    code: 'EGRESS_X',
    problem: 'It is broken',
    fix: 'Mend it',
    exit_code: 1,
  })
  t.strictSame(failed, [], 'that is no bug')
  t.match(await askAdmin(socket, { method: 'GET', path: '/bug' }), { status: 500 })
  t.equal(failed.length, 1)
  t.match(await askAdmin(socket, { method: 'GET', path: '/nowhere' }), { status: 404 })
  t.match(await askAdmin(socket, { method: 'GET', path: '/echo/x' }), { status: 405 })
  const large = await askAdmin(socket, { method: 'POST', path: '/echo/x', body: 'x'.repeat(MAX_BODY_BYTES) })
  // The listener may close before all of it was sent.
  t.ok(large === null || large.status === 413)
  t.match(await askAdmin(socket, { method: 'POST', path: '/echo/x', body: 'x'.repeat(MAX_BODY_BYTES - 2) }), {
    status: 200,
  })
  t.equal(await askAdmin(`${socket}.none`, { method: 'GET', path: '/page' }), null)
})

void t.test('TCP: nothing without the token, from another site or for another name', async (t) => {
  const { port } = await listen(t)
  const authorization = `Bearer ${TOKEN}`
  t.match(await ask(port, '/echo/x', { authorization }, 'POST', '{"a":1}'), { status: 200, body: /"token"/ })
  const refused: readonly (readonly [number, Record<string, string>])[] = [
    [401, {}],
    [401, { authorization: 'Bearer ' }],
    [401, { authorization: `Bearer ${TOKEN.slice(0, -1)}` }],
    [401, { authorization: `Bearer ${TOKEN}x` }],
    [401, { authorization: `Basic ${Buffer.from(`egress:${TOKEN}`).toString('base64')}` }],
    [421, { authorization, host: 'attacker.example' }],
    [421, { authorization, host: `attacker.example:${String(port)}` }],
    [421, { authorization, host: 'gateway.example.attacker.example' }],
    [403, { authorization, origin: 'http://attacker.example' }],
    [403, { authorization, origin: 'null' }],
    [403, { authorization, host: `localhost:${String(port)}`, origin: 'http://localhost:1' }],
  ]
  for (const [status, headers] of refused) {
    const answer = await ask(port, '/echo/x', headers, 'POST', '{}')
    t.equal(answer.status, status, JSON.stringify(headers))
    t.notMatch(answer.body, /access/)
  }
  t.match((await ask(port, '/page', {})).headers, { 'cache-control': 'no-store' })
  t.match((await ask(port, '/echo/x', {}, 'POST')).headers, { 'www-authenticate': /^Bearer/ })
  for (const host of [
    'gateway.example',
    'Gateway.Example:80',
    'localhost:9',
    `127.0.0.1:${String(port)}`,
    '[::1]:9',
  ])
    t.equal((await ask(port, '/echo/x', { authorization, host }, 'POST')).status, 200, host)
  const page = `localhost:${String(port)}`
  t.equal(
    (await ask(port, '/echo/x', { authorization, host: page, origin: `http://${page}` }, 'POST')).status,
    200,
  )
})

void t.test('TCP: a public route needs no token, but the right name', async (t) => {
  const { port } = await listen(t)
  t.match(await ask(port, '/page', {}), { status: 200, body: 'none' })
  t.match(await ask(port, '/page', { authorization: `Bearer ${TOKEN}` }), { status: 200, body: 'token' })
  t.match(await ask(port, '/page', { authorization: 'Bearer wrong' }), { status: 401 })
  t.match(await ask(port, '/page', { host: 'attacker.example' }), { status: 421 })
  t.match(await ask(port, '/nowhere', {}), { status: 401 }, 'which routes there are is not told')
})

void t.test('TCP: a sandbox is not read, let alone answered', async (t) => {
  const peers: unknown[] = []
  const { port } = await listen(t, (peer) => {
    peers.push(peer)
    return true
  })
  const got = await exchange(
    port,
    `GET /page HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`,
  )
  t.equal(got, '')
  t.strictSame(peers, [{ address: '127.0.0.1', localAddress: '127.0.0.1' }])
})

void t.test('limits on heads and bodies', async (t) => {
  const { port } = await listen(t)
  const head = `GET /page HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`
  t.match(await exchange(port, `${head}\r\n`), /^HTTP\/1\.1 200 /)
  t.match(await exchange(port, `${head}X: ${'x'.repeat(9_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /)
  t.match(await exchange(port, 'GET /page HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 /)
  t.match(
    await exchange(port, `${head}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`),
    /^HTTP\/1\.1 400 /,
  )
  const post = `POST /echo/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n`
  t.match(
    await exchange(port, `${post}Connection: close\r\nContent-Length: 3\r\n\r\n{x}`),
    /^HTTP\/1\.1 400 /,
  )
  const chunk = `10000\r\n${'1'.repeat(0x10000)}\r\n`
  t.match(
    await exchange(port, `${post}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`),
    /^HTTP\/1\.1 413 /,
  )
})

void t.test('who sends half a head is cut off', async (t) => {
  const { port } = await listen(t)
  t.match(await exchange(port, 'GET /page HTTP/1.1\r\nHost: loc'), /^HTTP\/1\.1 408 /)
})

void t.test('an answer that goes on ends with its client', async (t) => {
  const { port, gone, failed } = await listen(t)
  const socket = connect(port, '127.0.0.1')
  let got = ''
  socket.on('data', (chunk: Buffer) => (got += chunk.toString()))
  socket.write(`GET /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`)
  t.ok(await eventually(() => got.includes('one\n')), 'the first event came')
  t.strictSame(gone, [])
  socket.destroy()
  t.ok(await eventually(() => gone.length === 1))
  t.strictSame(failed, [])
})
