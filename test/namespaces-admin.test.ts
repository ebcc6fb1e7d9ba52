import { chownSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { serveAdmin } from '#src/control/listener.js'
import { json } from '#src/control/route.js'
import { collect, makeWorkspace, type Workspace } from './fixtures/run.js'

// The admin listeners of this machine, as code in a sandbox of namespaces sees them: the socket of its own run, which lies in its
// work directory here, and one on TCP, whose token it knows and which its policy, of all things, allows as an upstream. docker-admin.test.ts has the same for Docker.

t.setTimeout(300_000)

const TOKEN = 'correct-horse-battery-staple-0123456789'
const MARK = 'an answer of the admin listener'

/** Tries every port, address, listener and name, and every way to a socket, and prints how many answers came and which are ours. */
const ATTACK = `
import errno, glob, os, socket, sys
token, mark, port, state, *addresses = sys.argv[1:]
ask = 'GET /health HTTP/1.1\\r\\nHost: HOST\\r\\nAuthorization: Bearer ' + token + '\\r\\nConnection: close\\r\\n\\r\\n'
answers = []
def talk(s, text):
    got = b''
    try:
        s.settimeout(3)
        s.sendall(text.encode())
        while part := s.recv(4096):
            got += part
    except OSError:
        pass
    if got:
        answers.append(got.decode('latin1'))
def send(address, to, text):
    try:
        with socket.create_connection((address, int(to)), timeout=3) as s:
            talk(s, text)
    except OSError:
        pass
def unix(path):
    try:
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        talk(s, ask.replace('HOST', 'egress'))
    except OSError:
        pass
open_ports = []
for candidate in list(range(1, 1024)) + [3128, 9199, 9900, 9901, 8080, int(port)]:
    s = socket.socket()
    if s.connect_ex(('127.0.0.1', candidate)) == 0:
        open_ports.append(candidate)
    s.close()
names = addresses + ['localhost', 'egress', 'loop.example', '127.0.0.1', '[::1]', '0.0.0.0', '0', 'ip6-localhost']
for address in addresses + ['127.0.0.1', '192.0.2.1', '::1']:
    send(address, port, ask.replace('HOST', 'localhost'))
for name in names:
    for host in (name, f'{name}:{port}', 'localhost'):
        aim = ask.replace('HOST', host)
        send('127.0.0.1', 80, aim)
        send('127.0.0.1', 443, aim)
        send('127.0.0.1', 9199, aim.replace('GET /', f'GET /{name}:{port}/'))
        send('127.0.0.1', 3128, aim.replace('GET /', f'GET http://{name}:{port}/'))
        send('127.0.0.1', 3128, f'CONNECT {name}:{port} HTTP/1.1\\r\\nHost: {name}:{port}\\r\\n\\r\\n' + aim)
tables = open('/proc/net/unix').read()
for line in tables.splitlines()[1:]:
    path = line.split(' ')[-1]
    unix('\\0' + path[1:] if path.startswith('@') else path)
for top in [state, '/run/egress', '/proc/1/root' + state, '/proc/self/root' + state, '/proc/1/cwd' + state]:
    for found in [top] + glob.glob(top + '/**', recursive=True):
        unix(found)
for fd in glob.glob('/proc/[0-9]*/fd/*'):
    unix(fd)
for top, _, files in os.walk('.'):
    for name in files:
        unix(os.path.join(top, name))
own = [one for one in answers if mark in one or '"checks"' in one]
refused = [one for one in answers if one.startswith('HTTP/1.1 421')]
print('answers', len(answers) > 20, 'reached', len(own), 'ports', *open_ports, 'refused', bool(refused))
print(*own[:3], file=sys.stderr)
`

void t.test('no admin listener can be reached from a sandbox of namespaces', async (t) => {
  let handled = 0
  const health = {
    ...({ method: 'GET', path: '/health' } as const),
    handle() {
      handled += 1
      return Promise.resolve(json({ mark: MARK }))
    },
  }
  const place = mkdtempSync(join(tmpdir(), 'egress-admin-'))
  t.teardown(() => rmSync(place, { recursive: true }))
  const socket = join(place, 'admin.sock')
  const tcp = { host: '0.0.0.0', port: 0, token: TOKEN, hosts: [], isSandbox: () => false }
  const admin = await serveAdmin({ routes: [health], socket, tcp, fail: () => undefined })
  t.teardown(() => admin.close())
  const port = String(admin.port)
  const space = writable(
    `allow:
  - { host: loop.example, scheme: http, ports: [80, ${port}], allow_private_addresses: true }
upstream: { hosts: { loop.example: "127.0.0.1:${port}" } }
`,
  )
  t.teardown(() => space.remove())
  const addresses = Object.values(networkInterfaces()).flatMap(
    (all) => all?.map(({ address }) => address) ?? [],
  )
  const state = join(space.directory, '.local/state/egress')
  const words = ['python3', 'attack.py', TOKEN, MARK, port, state, ...addresses]

  const running = space.spawn([
    'run',
    '--write',
    '--',
    'sh',
    '-c',
    'echo up; while [ ! -e go ]; do sleep 0.1; done; exec "$@"',
    'sh',
    ...words,
  ])
  const run = collect(running)
  await new Promise((resolve) => running.stdout?.once('data', resolve))
  const [own = ''] = readdirSync(join(state, 'runs'))
  t.match(own, /^sb-[0-9a-f]{10}\.sock$/, 'the socket is there, on the host')
  t.match(await ask({ socketPath: join(state, 'runs', own) }), /"checks"/, 'and answers there')
  t.match(
    await ask({ host: '127.0.0.1', port: admin.port ?? 0, token: TOKEN }),
    MARK,
    'so does the other one',
  )
  const before = handled
  writeFileSync(join(space.directory, 'go'), '')

  const { code, stdout, stderr } = await run
  t.equal(code, 0, stderr)
  t.match(stdout, /^up\nanswers True reached 0 ports 53 80 443 3128 9199 refused True\n$/, stderr)
  t.equal(handled, before, 'no request of the sandbox was handled')
})

void t.test('the control: what the attack would find if a socket were shown', async (t) => {
  const space = writable('allow: [{ host: any.example }]\n')
  t.teardown(() => space.remove())
  const serve = `
import os, socket, sys, threading
s = socket.socket(socket.AF_UNIX); s.bind('shown.sock'); s.listen()
def answer():
    while True:
        c, _ = s.accept(); c.recv(4096); c.sendall(b'${MARK}'); c.close()
threading.Thread(target=answer, daemon=True).start()
sys.argv = sys.argv[1:]; exec(open('attack.py').read())
`
  const words = ['python3', '-c', serve, 'attack.py', TOKEN, MARK, '9900', '/nowhere']
  const { stdout, stderr } = await space.run(['run', '--write', '--', ...words])
  t.match(stdout, /reached [1-9]/, stderr)
})

function writable(policy: string): Workspace {
  const space = makeWorkspace(policy, {}, { 'attack.py': ATTACK })
  if (process.getuid?.() === 0) chownSync(space.directory, 61000, 61000)
  return space
}

function ask({
  token,
  ...where
}: {
  socketPath?: string
  host?: string
  port?: number
  token?: string
}): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    get({ ...where, path: '/health', headers }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve(text))
    }).on('error', reject)
  })
}
