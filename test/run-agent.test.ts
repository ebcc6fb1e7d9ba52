import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { eventually } from './fixtures/eventually.js'
import { MAIN, makeWorkspace, upstreamCa, type Workspace } from './fixtures/run.js'
import { startUpstream, type Upstream } from './fixtures/upstream.js'

// The real command, real namespaces, real clients: what an agent gets, what the upstream got, and what is left.

const execute = promisify(execFile)

const TOKEN = 'ghp_R3alT0kenThatNobodyMaySee0123456789ab'

interface Teardown {
  teardown(close: () => Promise<void>): void
}

async function setUp(test: Teardown): Promise<{ space: Workspace; upstream: Upstream }> {
  const authority = await upstreamCa()
  const upstream = await startUpstream(authority, (request, response) => {
    // A careless service: it says back what it was sent.
    const body = `seen ${String(request.headers.authorization)} at ${request.url ?? ''}\n`
    response.setHeader('x-seen', String(request.headers.authorization))
    response.end(body)
  })
  const space = makeWorkspace(
    `services:
  api:
    url: https://api.example
    credential:
      bearer: \${API_TOKEN}
    rules:
      - allow: GET,POST /v1/**
    allow_private_addresses: true
    ca: ./upstream-ca.pem
upstream:
  hosts:
    api.example: 127.0.0.1:${String(upstream.port)}
`,
    { API_TOKEN: TOKEN },
    { 'upstream-ca.pem': authority.pem },
  )
  test.teardown(async () => {
    space.remove()
    await upstream.close()
  })
  return { space, upstream }
}

function everyLog({ auditDir }: Workspace): string {
  return readdirSync(auditDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .join('')
}

const URLLIB = (url: string, proxied: boolean) => `
import os, urllib.request
proxies = None if ${proxied ? 'True' : 'False'} else {}
opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
request = urllib.request.Request('${url}', headers={'Authorization': 'Bearer ' + os.environ['API_TOKEN']})
print(opener.open(request).read().decode())
`

const REQUESTS = (url: string, proxied: boolean) => `
import os, requests
session = requests.Session()
session.trust_env = ${proxied ? 'True' : 'False'}
session.verify = os.environ['REQUESTS_CA_BUNDLE']
print(session.get('${url}', headers={'Authorization': 'Bearer ' + os.environ['API_TOKEN']}).text)
`

/** Runs commands one after the other, and says how each ended. */
const RUN_COMMANDS = `
import json, subprocess
done = [subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for command in json.load(open('commands.json'))]
print(json.dumps([{'code': one.returncode, 'output': one.stdout} for one in done]))
`

const HAS_REQUESTS = spawnSync('/usr/bin/python3', ['-c', 'import requests']).status === 0

const TRANSPARENT = 'https://api.example/v1/x'
const ROUTE = 'http://egress:9199/api/v1/x'

const CLIENTS: readonly [name: string, command: readonly string[]][] = [
  [
    'curl, transparent',
    ['sh', '-c', `curl -sS --noproxy '*' -H "Authorization: Bearer $API_TOKEN" ${TRANSPARENT}`],
  ],
  ['curl, explicit proxy', ['sh', '-c', `curl -sS -H "Authorization: Bearer $API_TOKEN" ${TRANSPARENT}`]],
  ['curl, route', ['sh', '-c', `curl -sS -H "Authorization: Bearer $API_TOKEN" "$API_BASE_URL/v1/x"`]],
  ['urllib, transparent', ['/usr/bin/python3', '-c', URLLIB(TRANSPARENT, false)]],
  ['urllib, explicit proxy', ['/usr/bin/python3', '-c', URLLIB(TRANSPARENT, true)]],
  ['urllib, route', ['/usr/bin/python3', '-c', URLLIB(ROUTE, true)]],
  ['requests, transparent', ['/usr/bin/python3', '-c', REQUESTS(TRANSPARENT, false)]],
  ['requests, explicit proxy', ['/usr/bin/python3', '-c', REQUESTS(TRANSPARENT, true)]],
  ['requests, route', ['/usr/bin/python3', '-c', REQUESTS(ROUTE, true)]],
]

void t.test(
  'unmodified clients reach a service by each listener with a placeholder; only the upstream sees the real token',
  async (test) => {
    const { space, upstream } = await setUp(test)
    const clients = CLIENTS.filter(([name]) => HAS_REQUESTS || !name.startsWith('requests'))
    if (!HAS_REQUESTS) test.pass('requests', { skip: 'python3-requests is not installed' })
    writeFileSync(
      join(space.directory, 'commands.json'),
      JSON.stringify(clients.map(([, command]) => command)),
    )
    const { code, stdout, stderr } = await space.run(['run', '--', '/usr/bin/python3', '-c', RUN_COMMANDS])
    test.equal(code, 0, stderr)
    test.notMatch(stdout + stderr, TOKEN)
    const ended = JSON.parse(stdout) as { code: number; output: string }[]
    for (const [index, [name]] of clients.entries()) {
      test.match(ended[index], { code: 0, output: `seen Bearer ${'*'.repeat(TOKEN.length)} at /v1/x` }, name)
      test.equal(upstream.requests[index]?.headers.authorization, `Bearer ${TOKEN}`, name)
    }
    test.equal(upstream.requests.length, clients.length)
    test.notMatch(everyLog(space), TOKEN)
    test.match(everyLog(space), '"credential":"api/bearer"')
  },
)

void t.test('the real token is in no file, environment or memory that the sandbox can read', async (test) => {
  const { space } = await setUp(test)
  // The secret pattern is given in two halves, so that the search does not find itself.
  const search = `
    a=$1; b=$2
    tr '\\0' '\n' < /proc/self/environ | grep -c "$a""$b" && exit 1
    grep -r -s -l --exclude-dir=usr --exclude-dir=proc --exclude-dir=dev "$a""$b" / && exit 2
    for p in /proc/[0-9]*; do
      for f in environ cmdline maps; do cat $p/$f 2>/dev/null | tr '\\0' '\n' | grep -v grep | grep -q "$a$b" && { echo $p/$f; exit 3; }; done
    done
    curl -sS -o /tmp/answer --dump-header /tmp/head "$API_BASE_URL/v1/x" && grep -c "$a$b" /tmp/answer /tmp/head && exit 4
    grep -q 'seen Bearer' /tmp/answer || exit 5
    exit 0`
  const { code, stdout, stderr } = await space.run([
    'run',
    '--',
    'sh',
    '-c',
    search,
    'search',
    TOKEN.slice(0, 20),
    TOKEN.slice(20),
  ])
  test.equal(code, 0, stdout + stderr)
})

void t.test("the exit code is the command's, and 125, 126, 127 are ours", async (test) => {
  const { space } = await setUp(test)
  test.equal((await space.run(['run', '--', 'sh', '-c', 'exit 7'])).code, 7)
  test.equal((await space.run(['run', '--', 'sh', '-c', 'kill -TERM $$'])).code, 143)
  const missing = await space.run(['run', '--', 'no-such-command-here'])
  test.equal(missing.code, 127)
  test.match(missing.stderr, /^egress: .*\n {2}\S/, 'two lines: what is wrong, what to do')
  test.equal((await space.run(['run', '--', '/etc/hostname'])).code, 127)
  const agent = await space.run(['run', '--agent', 'nobody', '--', 'true'])
  test.equal(agent.code, 125)
  test.match(agent.stderr, 'Choose one with --agent: default')
  test.equal((await space.run(['run', '--limit', 'memory=lots', '--', 'true'])).code, 125)
  test.equal((await space.run(['run', '--env', 'oops', '--', 'true'])).code, 125)
  test.equal((await space.run(['run', '--no-such-flag', '--', 'true'])).code, 125)
})

void t.test('what is written faster than read, or read before it is written, is whole', async (test) => {
  const { space } = await setUp(test)
  const shell = async (text: string) => {
    const { stdout } = await execute('sh', ['-c', text, process.execPath, MAIN], {
      cwd: space.directory,
      env: space.env,
    })
    return stdout.trim()
  }
  const counts = await Promise.all([
    shell('"$0" "$1" run -- seq 1 300000 2>&1 | (sleep 2; grep -c "^[0-9]*$")'),
    shell('(sleep 3; seq 1 300000) | "$0" "$1" run -- wc -l'),
  ])
  test.strictSame(counts, ['300000', '300000'])
})

void t.test(
  'kill -9 of the gateway in a request leaves its record, and nothing of the sandbox',
  async (test) => {
    const authority = await upstreamCa()
    let reached: () => void = () => undefined
    const underway = new Promise<void>((resolve) => (reached = resolve))
    const upstream = await startUpstream(authority, () => reached())
    const marker = `marker-${String(process.pid)}-${String(Date.now())}`
    const space = makeWorkspace(
      `allow:
  - { host: slow.example, allow_private_addresses: true, ca: ./upstream-ca.pem }
upstream:
  hosts: { slow.example: "127.0.0.1:${String(upstream.port)}" }
`,
      {},
      { 'upstream-ca.pem': authority.pem },
    )
    test.teardown(async () => {
      space.remove()
      await upstream.close()
    })
    const gateway = space.spawn([
      'run',
      '--',
      'sh',
      '-c',
      `curl -sS https://slow.example/never; sleep 60; : ${marker}`,
    ])
    const ended = new Promise((resolve) => gateway.once('close', resolve))
    await underway
    test.match(processes(marker), /sleep|curl|sh/, 'the agent is there')
    gateway.kill('SIGKILL')
    await ended
    await eventually(() => processes(marker) === '')
    test.equal(processes(marker), '', 'no process is left')
    const records = everyLog(space)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    test.ok(
      records.some((record) => JSON.stringify(record).includes('"path":"/never"')),
      'the decision is in the log',
    )
    test.notMatch(readFileSync('/proc/self/mountinfo', 'utf8'), 'egress-test')
  },
)

function processes(marker: string): string {
  return execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(marker))
    .join('\n')
}
