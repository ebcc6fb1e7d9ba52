import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import t, { type Test } from 'tap'
import { connectThrough, exchangeBytes, tls } from './fixtures/client.js'
import { startGateway } from './fixtures/gateway.js'
import { destination, testPolicy } from './fixtures/policy.js'
import { PYTHON } from './servers/s3.js'

// What is neither TLS nor HTTP is closed at once, told why in its own words, and recorded as what it is.

const SSH = '/usr/bin/ssh'

async function setUp(t: Test) {
  const gateway = await startGateway(
    testPolicy({
      destinations: [
        destination('https://git.example:22', ['allow * /**'], { id: 'allow[0]' }),
        destination('https://mail.example:25', ['allow * /**'], { id: 'allow[1]' }),
      ],
    }),
  )
  t.teardown(() => gateway.close())
  return gateway
}

async function printed(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(child, 'close')
  return text
}

void t.test('what a tunnel carries is named', async (t) => {
  const gateway = await setUp(t)
  for (const [opening, detail, answer] of [
    ['SSH-2.0-Test_1\r\n', 'SSH-2.0-Test_1', /^SSH-2\.0-egress\r\n[^]*egress: not-http: /],
    ['RFB 003.008\n', 'RFB 003.008', /^egress: not-http: /],
    ['\0\0\0\x08\x04\xd2\x16\x2f', 'PostgreSQL', /^$/],
  ] as const) {
    const before = gateway.decisions.length
    const { socket, status } = await connectThrough(gateway, 'git.example:22')
    t.equal(status, '200')
    t.match(await exchangeBytes(socket, Buffer.from(opening, 'latin1')), answer, detail)
    t.equal(gateway.decisions.length, before + 1)
    t.match(gateway.decisions.at(-1), {
      kind: 'connect',
      verdict: 'deny',
      reason: 'not-http',
      detail,
      host: 'git.example',
      port: 22,
    })
  }
  const { socket } = await connectThrough(gateway, 'git.example:22')
  const inside = await tls(gateway, socket, 'git.example')
  inside.destroy()
  t.equal(gateway.minted.at(-1), 'git.example', 'TLS there is served, whatever the port')
})

void t.test('who waits for the server to speak first is not left waiting', async (t) => {
  const gateway = await setUp(t)
  const client = `
import socket, smtplib
s = smtplib.SMTP()
s.sock = socket.create_connection(('127.0.0.1', ${String(gateway.ports.forward)}))
s.sock.sendall(b'CONNECT mail.example:25 HTTP/1.1\\r\\nHost: mail.example:25\\r\\n\\r\\n')
assert b' 200 ' in s.sock.recv(65536)
print(s.getreply())`
  t.match(await printed(PYTHON, ['-c', client]), "(554, b'egress: not-http: ")
  t.match(gateway.decisions, [
    {
      verdict: 'deny',
      reason: 'not-http',
      host: 'mail.example',
      port: 25,
      detail: /sent nothing for 5 seconds/,
    },
  ])
})

void t.test('ssh prints why', { skip: existsSync(SSH) ? false : 'ssh is not installed' }, async (t) => {
  const gateway = await setUp(t)
  const proxy = `
const s = require('net').connect(${String(gateway.ports.forward)}, '127.0.0.1')
s.write('CONNECT git.example:22 HTTP/1.1\\r\\nHost: git.example:22\\r\\n\\r\\n')
s.once('data', () => { s.pipe(process.stdout); process.stdin.pipe(s) })
s.on('close', () => process.exit())`
  const command = `${process.execPath} -e "eval(Buffer.from('${Buffer.from(proxy).toString('base64')}', 'base64').toString())"`
  const options = ['-o', `ProxyCommand=${command}`, '-o', 'StrictHostKeyChecking=no', '-o', 'BatchMode=yes']
  t.match(
    await printed(SSH, ['-F', 'none', ...options, 'git@git.example']),
    'egress: not-http: The connection',
  )
  t.match(gateway.decisions, [{ reason: 'not-http', detail: /^SSH-2\.0-OpenSSH/ }])
})
