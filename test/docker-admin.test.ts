import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { docker, DockerGateway, GATEWAY_IMAGE, skipWithoutDocker, tryDocker } from './fixtures/docker.js'

// The admin listener on Docker: operators reach it, sandboxes do not, whatever address they try.

t.setTimeout(900_000)

const TOKEN = 'correct-horse-battery-staple-0123456789'
const PORT = '9901'

/** Tries to reach the port at each address, directly and through every listener, and prints what came back. */
const ATTACK = `
import socket, sys
token, port, *addresses = sys.argv[1:]
request = f'GET /health HTTP/1.1\\r\\nHost: HOST:{port}\\r\\nAuthorization: Bearer {token}\\r\\nConnection: close\\r\\n\\r\\n'
def send(address, to, text):
    got = b''
    try:
        with socket.create_connection((address, to), timeout=5) as s:
            s.sendall(text.encode())
            while part := s.recv(4096):
                got += part
    except OSError as error:
        got += f'({error})'.encode()
    return got.decode('latin1')
names = addresses + ['egress', 'localhost', 'proxy', 'dns', '127.0.0.1', '[::1]', '0.0.0.0', 'host.docker.internal']
answers = []
for address in addresses + ['127.0.0.1']:
    answers.append(send(address, int(port), request.replace('HOST', 'localhost')))
    answers.append(send(address, 53, request.replace('HOST', 'localhost')))
for name in names:
    aim = request.replace('HOST', name)
    answers.append(send('egress', 80, aim))
    answers.append(send('egress', 443, aim))
    answers.append(send('egress', 3128, aim.replace('GET /', f'GET http://{name}:{port}/')))
    answers.append(send('egress', 3128, f'CONNECT {name}:{port} HTTP/1.1\\r\\nHost: {name}:{port}\\r\\n\\r\\n' + aim))
    answers.append(send('egress', 9199, aim.replace('GET /', f'GET /{name}:{port}/')))
print('REACHED' if any('"checks"' in one for one in answers) else 'nothing', len(answers))
`

/** Of the port itself: whether a byte comes back to whoever connects. */
const KNOCK = `
import socket, sys
for address in sys.argv[2:]:
    try:
        with socket.create_connection((address, int(sys.argv[1])), timeout=5) as s:
            s.sendall(b'GET /health HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n')
            print(len(s.recv(100)))
    except OSError as error:
        print(0)
`

void t.test('the admin listener on Docker', { skip: skipWithoutDocker() }, async (t) => {
  const gateway = new DockerGateway('allow: [{ host: api.test.example }]\n', {
    EGRESS_ADMIN: `0.0.0.0:${PORT}`,
  })
  writeFileSync(join(gateway.directory, 'egress-admin-token'), `${TOKEN}\n`)
  t.teardown(() => gateway.down())
  await gateway.up()
  const proxy = gateway.container('proxy')
  const addressesOf = async (role: 'dns' | 'proxy') =>
    (
      await docker(
        'inspect',
        '--format',
        '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}',
        gateway.container(role),
      )
    ).split(' ')
  const ask = (...words: string[]) =>
    tryDocker(
      'run',
      '--rm',
      '--network',
      `${gateway.project}_outside`,
      '--user',
      '0',
      '--entrypoint',
      'node',
      GATEWAY_IMAGE,
      '-e',
      ASK,
      ...words,
    )
  const url = `http://proxy:${PORT}`
  t.match(
    await ask(`${url}/health`, TOKEN),
    { code: 0, stdout: /^200 \{"status":"ok"/ },
    'an operator on the outside network',
  )
  t.match(await ask(`${url}/metrics`, TOKEN), { stdout: /egress_sandboxes/ })
  t.match(await ask(`${url}/health`, 'wrong'), { stdout: /^401 / })

  writeFileSync(join(gateway.work, 'attack.py'), ATTACK)
  writeFileSync(join(gateway.work, 'knock.py'), KNOCK)
  spawnSync('chmod', ['-R', 'a+rX', gateway.work])
  const run = gateway.start(['--', 'sh', '-c', 'echo up; cat > /dev/null; sleep 600'])
  await new Promise((resolve) => run.stdout?.once('data', resolve))
  const [sandbox] = (await docker('exec', proxy, 'egress-admin', 'list')).split(' ')
  const inside = async (...words: string[]) =>
    (await tryDocker('exec', `egress-${sandbox ?? ''}`, 'python3', ...words)).stdout.trim()
  const addresses = [...(await addressesOf('proxy')), ...(await addressesOf('dns'))].filter(
    (one) => one !== '',
  )
  t.ok(addresses.length >= 4, addresses.join(' '))
  t.match(await inside('attack.py', TOKEN, PORT, ...addresses), /^nothing \d\d/)
  t.match(await inside('knock.py', PORT, ...addresses), /^0(\n0)+$/, 'not a byte comes back from the port')
  t.match(await inside('knock.py', '80', 'egress'), /^[1-9]\d*$/, 'the control: other ports answer')
  t.equal(
    (
      await tryDocker(
        'exec',
        `egress-${sandbox ?? ''}`,
        'sh',
        '-c',
        'ls /run/egress /var/lib/egress 2>/dev/null',
      )
    ).stdout,
    '',
  )

  const list = await docker('exec', proxy, 'egress', 'sandboxes', '--json')
  t.match(JSON.parse(list.split('\n')[0] ?? '{}'), { id: sandbox, state: 'running' })
  t.match(await tryDocker('exec', gateway.container('dns'), 'egress-admin', 'health'), { code: 0 })
  const env = { ...gateway.env, HOME: gateway.directory }
  const here = (...words: string[]) =>
    spawnSync(process.execPath, ['dist/src/main.js', ...words], { env, encoding: 'utf8' })
  t.match(here('stop', '--all'), { status: 0, stdout: /^Stopped \d sandbox/ })
  const code = await new Promise((resolve) => run.once('close', resolve))
  t.equal(code, 137, 'its container is gone')
  await docker('restart', proxy)
  const refused = await gateway.run('--', 'true')
  t.equal(refused.code, 125)
  t.match(refused.stderr, /^egress: An operator has stopped all sandboxes, so no new one is started\n {2}\S/m)
  t.match(here('start'), { status: 0 })
  t.equal((await gateway.run('--', 'true')).code, 0)
})

/** Prints the status and the body. */
const ASK = `
const [url, token] = process.argv.slice(1)
fetch(url, { headers: { authorization: 'Bearer ' + token } }).then(async (answer) => console.log(answer.status, await answer.text()))
`
