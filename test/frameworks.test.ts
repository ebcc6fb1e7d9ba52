import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { Secret } from '#firewall/secrets/secret.js'
import { bearer } from '#proxy/credentials/bearer.js'
import { exchangeBytes, statuses } from './fixtures/client.js'
import { eventually } from './fixtures/eventually.js'
import { startGateway } from './fixtures/gateway.js'
import { destination, service, testPolicy } from './fixtures/policy.js'
import { listen } from './fixtures/upstream.js'
import { connect } from 'node:net'

// What rules say of requests, against what real frameworks do with them. Each framework writes down what its handler carried
// out: a denied path or another method must not be among it, however the request spells it.

t.setTimeout(280_000)

const APPS = fileURLToPath(new URL('../../test/servers/frameworks/', import.meta.url))
const PYTHON = '/usr/bin/python3'

interface Framework {
  readonly name: string
  /** Says that it is installed. */
  readonly probe: readonly string[]
  readonly start: (port: string) => readonly string[]
}

const FRAMEWORKS: readonly Framework[] = [
  {
    name: 'Express',
    probe: [process.execPath, '-e', 'require("express")'],
    start: (port) => [process.execPath, 'app.cjs', port],
  },
  { name: 'PHP', probe: ['php', '-v'], start: (port) => ['php', '-S', `127.0.0.1:${port}`, 'app.php'] },
  {
    name: 'Flask',
    probe: [PYTHON, '-c', 'import flask'],
    start: (port) => [PYTHON, '-B', 'app_flask.py', port],
  },
  {
    name: 'Django',
    probe: [PYTHON, '-c', 'import django'],
    start: (port) => [PYTHON, '-B', 'app_django.py', port],
  },
]

type Request = readonly [line: string, headers?: readonly string[], body?: string]

const FORM = 'Content-Type: application/x-www-form-urlencoded'
const MULTIPART = 'Content-Type: multipart/form-data; boundary=b'
const part = (name: string) => `--b\r\nContent-Disposition: form-data; ${name}\r\n\r\nDELETE\r\n--b--\r\n`

/** May not reach the handler of `/api/admin`. */
const PATHS = [
  ...[
    '/api/admin',
    '/api/admin/',
    '/api/admin//',
    '//api/admin',
    '/api//admin',
    '/api/ADMIN',
    '/API/admin',
    '/Api/Admin/x',
  ],
  ...[
    '/api/%61dmin',
    '/api/admin%2f',
    '/api%2fadmin',
    '/api/admin%2Fx',
    '/api/admin.json',
    '/api/admin;x=1',
    '/api;x/admin/x',
  ],
  ...[
    '/api/admin%20',
    '/api/admin.',
    '/api/admin%00',
    '/api/./admin',
    '/api/x/../admin',
    '/api/x/%2e%2e/admin',
    '/api/admin%3Fx',
  ],
  ...[
    '/api/%C4%B0dmin/../admin',
    '/api/adm%C4%B1n',
    '/api/%EF%BD%81dmin',
    '/api/admin%5C',
    '/api/admin/x?y=1#z',
  ],
]

/** May not make a handler run as anything but GET or POST. */
const OVERRIDES: readonly Request[] = [
  ...[
    '_method=DELETE',
    '.method=DELETE',
    '+_method=DELETE',
    '%20_method=DELETE',
    '[method=DELETE',
    '_method%00x=DELETE',
  ].map((query): Request => [`POST /api/other?${query}`]),
  ...[
    '%2emethod=DELETE',
    '_method=GET&.method=DELETE',
    '_method[]=DELETE',
    '_method[x]=DELETE',
    '_method=delete',
    '%5fmethod=PUT',
  ].map((query): Request => [`POST /api/other?${query}`]),
  ...['DELETE', 'delete', 'GET, DELETE', 'DELETE, GET', 'PATCH'].flatMap((value): Request[] => [
    ['POST /api/other', [`X-HTTP-Method-Override: ${value}`]],
    ['POST /api/other', [`X_HTTP_Method_Override: ${value}`]],
    ['POST /api/other', [`X-HTTP_Method-Override: ${value}`]],
  ]),
  ...[
    '_method=DELETE',
    'a=b&_method=DELETE',
    '.method=DELETE',
    '+_method=DELETE',
    '_method[]=DELETE',
    '_method%00=DELETE',
  ].map((body): Request => ['POST /api/other', [FORM], body]),
  ...['%5Fmethod=DELETE', `a=${'x'.repeat(20_000)}&_method=DELETE`, '_method=DELE%54E'].map(
    (body): Request => ['POST /api/other', [`${FORM}; charset=utf-8`], body],
  ),
  ...[
    `${FORM}; a=multipart/x`,
    `${FORM}\r\n${MULTIPART}`,
    `${MULTIPART}\r\n${FORM}`,
    'Content-Type:',
    'X-A: b',
  ].map((type): Request => ['POST /api/other', [type], '_method=DELETE']),
  ...[
    'name="_method"',
    'name=_method',
    "name*=utf-8''_method",
    'name=".method"',
    'name="_method[]"',
    'name="_met\\hod"',
  ].map((name): Request => ['POST /api/other', [MULTIPART], part(name)]),
]

/** May not be carried out for another path or host than the request line and Host say. */
const STEERED: readonly Request[] = [
  ...['X-Original-URL', 'X-Rewrite-URL', 'X_Original_URL', 'X-Original_URL'].map((name): Request => [
    'GET /api/other',
    [`${name}: /api/admin`],
  ]),
  ['GET /api/other', ['X-Forwarded-Host: evil.example']],
  ['GET /api/other', ['X_Forwarded_Host: evil.example']],
]

const CONTROLS: readonly Request[] = [
  ['GET /api/other'],
  ['POST /api/other'],
  ['POST /api/other?_method=POST'],
  ['POST /api/other', ['X-HTTP-Method-Override: POST']],
  ['POST /api/other', [FORM], 'a=b&method=list&_method=POST'],
  ['POST /api/other', [MULTIPART], part('name="a"')],
  ['GET /api/administrators'],
]

const isMissing = ({ probe: [command = '', ...rest] }: Framework) => spawnSync(command, rest).status !== 0

async function serve(test: Test, framework: Framework) {
  const directory = mkdtempSync(join(tmpdir(), 'egress-framework-'))
  const executed = join(directory, 'executed')
  const free = createServer()
  const port = await listen(free)
  await new Promise((resolve) => free.close(resolve))
  const [command = '', ...rest] = framework.start(String(port))
  const child = spawn(command, rest, {
    cwd: APPS,
    env: { ...process.env, EXECUTED: executed },
    stdio: 'ignore',
  })
  const credential = bearer.bind('api/bearer', {
    token: new Secret('API_TOKEN', 'real-token-0123456789abcdef'),
  })
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('http://api.example', ['deny * /api/admin/**', 'allow GET,POST /**'], {
          id: 'services.api',
          service: 'api',
        }),
      ],
      services: [service('api', 'http://api.example', credential)],
      hosts: { 'api.example': { address: '127.0.0.1', port } },
    }),
  )
  test.teardown(async () => {
    await gateway.close()
    child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })
  await eventually(() => {
    const probe = spawnSync('curl', ['-s', '-o', '/dev/null', `http://127.0.0.1:${String(port)}/api/other`])
    return probe.status === 0
  })
  /** Sends a request through the gateway; returns its status, and what the framework carried out meanwhile. */
  return async ([line, headers = [], body = '']: Request) => {
    const before = existsSync(executed) ? readFileSync(executed, 'latin1').length : 0
    const socket = connect(gateway.ports.http, '127.0.0.1').on('error', () => undefined)
    const length = line.startsWith('POST') ? [`Content-Length: ${String(body.length)}`] : []
    const head = [
      `${line} HTTP/1.1`,
      'Host: api.example',
      'Connection: close',
      ...headers,
      ...length,
      '',
      body,
    ]
    const answer = await exchangeBytes(socket, Buffer.from(head.join('\r\n'), 'latin1'), { quietMs: 30 })
    const done = existsSync(executed) ? readFileSync(executed, 'latin1').slice(before) : ''
    return { status: statuses(answer)[0] ?? '', done }
  }
}

for (const framework of FRAMEWORKS) {
  const skip = isMissing(framework) && `${framework.name} is not installed`
  void t.test(`${framework.name} carries out only what the rules allow`, { skip }, async (test) => {
    const ask = await serve(test, framework)
    const wrong: string[] = []
    const expect = async (requests: readonly Request[], forbidden: RegExp) => {
      for (const request of requests) {
        const { status, done } = await ask(request)
        if (forbidden.test(done)) wrong.push(`${JSON.stringify(request).slice(0, 200)} ${status}: ${done}`)
      }
    }
    await expect(
      PATHS.map((path): Request => [`GET ${path}`]),
      /admin/i,
    )
    await expect(OVERRIDES, /^(?:DELETE|PUT|PATCH)/m)
    await expect(STEERED, /admin|evil/)
    test.same(wrong, [])
    for (const request of CONTROLS) {
      const { status, done } = await ask(request)
      test.match(
        done,
        /^(GET|POST) \/api\/(other|administrators) /,
        `${JSON.stringify(request)} passes: ${status}`,
      )
    }
  })
}
