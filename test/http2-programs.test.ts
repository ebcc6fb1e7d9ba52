import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { eventually } from './fixtures/eventually.js'
import { startGateway, type TestGateway } from './fixtures/gateway.js'
import { buildGoProgram, withoutGo } from './fixtures/go-program.js'
import { destination, testPolicy } from './fixtures/policy.js'
import { startUpstream } from './fixtures/upstream.js'
import { createCa } from './servers/certificate-authority.js'
import { freePort } from './servers/free-port.js'
import { listenTls } from './servers/tls-server.js'

const run = promisify(execFile)

interface Teardown {
  teardown(close: () => Promise<void> | void): void
}

const H2SPEC = {
  module: 'github.com/summerwind/h2spec',
  version: 'v2.2.1+incompatible',
  command: 'cmd/h2spec',
}

/**
 * What h2spec expects and does not get, each with the reason. All but the first are what nghttp2 does in Node's own server, where they
 * harm nobody: what comes on a stream that is closed is dropped, and connections that break the rules end without the frame that names one.
 */
const ACCEPTED: Readonly<Record<string, string>> = {
  'Sends invalid connection preface': 'it is no HTTP/2, so it is answered in HTTP/1.1',
  'closed: Sends a DATA frame after sending RST_STREAM frame': 'dropped (RFC 9113 section 5.1 allows that)',
  'closed: Sends a HEADERS frame after sending RST_STREAM frame':
    'dropped (RFC 9113 section 5.1 allows that)',
  'closed: Sends a DATA frame': 'dropped, and counted for the window of the connection',
  'closed: Sends a HEADERS frame': 'dropped',
  'Sends stream identifier that is numerically smaller than previous': 'dropped',
  'Sends a PING frame with ACK': 'the connection is closed',
  'Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1':
    'the connection is closed with GOAWAY',
}

/** Takes requests for itself as a proxy does, by the name and port that h2spec writes into them. */
async function startLocal(test: Teardown): Promise<TestGateway> {
  // Streams are open for a moment, so that what comes on them meets an open one.
  const upstream = await startUpstream(null, (_request, response) => {
    setTimeout(() => response.end('hello'), 300)
  })
  const gateway = await startGateway(testPolicy({ destinations: [] }))
  await gateway.replace(
    testPolicy({
      destinations: [
        destination(`http://localhost:${String(gateway.ports.forward)}`, ['allow * /**'], { id: 'allow[0]' }),
      ],
      hosts: { localhost: { address: '127.0.0.1', port: upstream.port } },
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    await upstream.close()
  })
  return gateway
}

void t.test('h2spec', { skip: withoutGo(H2SPEC), timeout: 300_000 }, async (test) => {
  const program = buildGoProgram(H2SPEC)
  const gateway = await startLocal(test)
  const directory = mkdtempSync(join(tmpdir(), 'egress-h2spec-'))
  test.teardown(() => rmSync(directory, { recursive: true }))
  const report = join(directory, 'report.xml')
  const args = ['-h', 'localhost', '-p', String(gateway.ports.forward), '-o', '5', '-j', report]
  await run(program, args).catch(() => undefined)
  const found = readFileSync(report, 'utf8').matchAll(
    /<testcase [^>]*classname="([^"]*)"[^>]*>\s*(<failure|<error)?/g,
  )
  const cases = [...found]
  test.ok(cases.length >= 145, `${String(cases.length)} cases`)
  const failed = cases.flatMap(([, of = '', failure]) => (failure === undefined ? [] : [of]))
  const passed = String(cases.length - failed.length)
  test.strictSame(
    failed.filter((one) => ACCEPTED[one] === undefined),
    [],
    `${passed} passed`,
  )
  test.ok(
    gateway.decisions.some(({ verdict }) => verdict === 'allow'),
    'its requests were allowed',
  )
})

const NGHTTPD = '/usr/sbin/nghttpd'
const H2LOAD = '/usr/bin/h2load'
const withoutNghttp2 =
  existsSync(NGHTTPD) && existsSync(H2LOAD) ? false : 'nghttp2-client and nghttp2-server are not installed'

void t.test('h2load and nghttpd, in each combination of versions', { skip: withoutNghttp2 }, async (test) => {
  const old = await startUpstream(null, (_request, response) => response.end('x'.repeat(1_024)))
  const directory = mkdtempSync(join(tmpdir(), 'egress-nghttpd-'))
  writeFileSync(join(directory, 'index.html'), 'x'.repeat(1_024))
  const port = await freePort()
  const server: ChildProcess = spawn(NGHTTPD, ['--no-tls', '-d', directory, String(port)], {
    stdio: 'ignore',
  })
  test.teardown(() => {
    server.kill()
    rmSync(directory, { recursive: true })
    return old.close()
  })
  test.ok(await eventually(() => server.exitCode === null && isOpen(port)), 'nghttpd listens')
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('http://new.example', ['allow * /**'], { id: 'allow[0]' }),
        destination('http://old.example', ['allow * /**'], { id: 'allow[1]' }),
      ],
      hosts: {
        'new.example': { address: '127.0.0.1', port },
        'old.example': { address: '127.0.0.1', port: old.port },
      },
    }),
  )
  test.teardown(() => gateway.close())
  for (const [host, ...options] of [
    ['new.example', '-m', '8'],
    ['old.example', '-m', '8'],
    ['old.example', '--h1'],
  ] as const) {
    const base = `--connect-to=127.0.0.1:${String(gateway.ports.http)}`
    const args = ['-n', '400', '-c', '4', base, ...options, `http://${host}/index.html`]
    const { stdout } = await run(H2LOAD, args)
    test.match(stdout, /400 succeeded, 0 failed, 0 errored/, `${host} ${options.join(' ')}`)
  }
  test.same(gateway.failures, [])
})

void t.test(
  'h2load and nghttpd with TLS on both sides, in each combination of versions',
  { skip: withoutNghttp2 },
  async (test) => {
    const authority = await createCa('upstreams')
    const names = ['new.example', 'old.example'] as const
    const identity = await authority.issue(names)
    const old = await listenTls(
      identity,
      (_request, response) => void response.end('x'.repeat(1_024)),
      '127.0.0.1',
    )
    const directory = mkdtempSync(join(tmpdir(), 'egress-nghttpd-'))
    writeFileSync(join(directory, 'index.html'), 'x'.repeat(1_024))
    const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
    writeFileSync(key, identity.key)
    writeFileSync(cert, identity.cert)
    const port = await freePort()
    const server = spawn(NGHTTPD, ['-d', directory, String(port), key, cert], { stdio: 'ignore' })
    test.teardown(async () => {
      server.kill()
      rmSync(directory, { recursive: true })
      await old.close()
    })
    test.ok(await eventually(() => server.exitCode === null && isOpen(port)), 'nghttpd listens')
    const gateway = await startGateway(
      testPolicy({
        destinations: names.map((name, index) =>
          destination(`https://${name}`, ['allow * /**'], {
            id: `allow[${String(index)}]`,
            ca: authority.pem,
          }),
        ),
        hosts: {
          'new.example': { address: '127.0.0.1', port },
          'old.example': { address: '127.0.0.1', port: old.port },
        },
      }),
    )
    test.teardown(() => gateway.close())
    for (const host of names)
      for (const options of [['-m', '8'], ['--h1']]) {
        const base = `--connect-to=127.0.0.1:${String(gateway.ports.https)}`
        const args = ['-n', '400', '-c', '4', base, ...options, `https://${host}/index.html`]
        const { stdout } = await run(H2LOAD, args)
        test.match(stdout, /400 succeeded, 0 failed, 0 errored/, `${host} ${options.join(' ')}`)
        test.match(
          stdout,
          options.length === 1 ? /Application protocol: http\/1\.1/ : /Application protocol: h2/,
        )
      }
    test.same(gateway.failures, [])
    test.equal(gateway.closes.filter(({ status }) => status === 200).length, 1_600)
  },
)

const open = new Set<number>()

/** Whether somebody has answered on this port by now. */
function isOpen(port: number): boolean {
  if (!open.has(port))
    connect(port, '127.0.0.1')
      .on('error', () => undefined)
      .on('connect', function (this: { destroy(): void }) {
        open.add(port)
        this.destroy()
      })
  return open.has(port)
}
