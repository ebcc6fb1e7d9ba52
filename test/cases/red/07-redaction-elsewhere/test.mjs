// Where the gateway knows the secret and lets it through: (a) an `allow` host (no credential there) says it; (b) a secret of a service
// that this agent may not use; (c) a stream that began before the secret was renewed.
import { spawn } from 'node:child_process'
import { createServer, request } from 'node:http'
import { once } from 'node:events'
import { writeFileSync, mkdtempSync } from 'node:fs'
const dir = mkdtempSync((process.env.TMPDIR ?? '/tmp') + '/t7-'),
  T1 = 'token-one-0123456789',
  T2 = 'token-two-9876543210',
  T3 = 'new-token-one-555555555'
let stream = null
const up = createServer((q, s) => {
  if (q.url === '/follow') {
    s.writeHead(200)
    s.write('begun\n')
    stream = s
    return
  }
  s.end(`a log that holds ${T1} and ${T2}\n`)
}).listen(0, '127.0.0.1')
await once(up, 'listening')
const at = `"127.0.0.1:${up.address().port}"`
writeFileSync(dir + '/one', T1)
writeFileSync(
  dir + '/egress.yaml',
  `services:\n  one: { url: "http://one.test:8080", credential: { bearer: "\${ONE}" }, rules: [{ allow: "* /**" }], allow_plaintext: true, allow_private_addresses: true }\n  two: { url: "http://two.test:8080", credential: { bearer: "\${TWO}" }, rules: [{ allow: "* /**" }], allow_plaintext: true, allow_private_addresses: true }\nsecrets: { ONE: { file: ./one } }\nallow: [{ host: logs.test, scheme: http, ports: [8080], allow_private_addresses: true }]\nagents:\n  a: { services: [one], allow: [logs.test] }\n  b: { services: [two] }\nupstream: { hosts: { one.test: ${at}, two.test: ${at}, logs.test: ${at} } }\n`,
)
const g = spawn(
  process.execPath,
  [new URL('../lib/gateway.mjs', import.meta.url).pathname, dir + '/egress.yaml', 'a', 'b'],
  { env: { ...process.env, TWO: T2, AUDIT: dir + '/audit' }, stdio: ['ignore', 'pipe', 'inherit'] },
)
const ports = JSON.parse(String((await once(g.stdout, 'data'))[0]))
const get = (port, path, onText = () => {}) =>
  new Promise((r) => {
    const q = request(
      {
        host: '127.0.0.1',
        port,
        localAddress: '127.0.0.2',
        path,
        headers: { host: /^http:\/\/([^/]+)/.exec(path)?.[1] ?? 'egress' },
      },
      (s) => {
        let b = ''
        s.on('data', (c) => {
          b += c
          onText(b)
        })
          .on('end', () => r(b))
          .on('error', () => r(b))
      },
    )
    q.on('error', (e) => r(String(e)))
    q.end()
  })
let bad = 0
const say = (what, text, ...s) => {
  const leak = s.some((x) => text.includes(x))
  bad += leak
  console.log(`${leak ? 'LEAK ' : 'ok   '} ${what}: ${text.trim()}`)
}
say('own service', await get(ports.reverse, '/one/x'), T1)
say('(b) own service, secret of another', await get(ports.reverse, '/one/x'), T2)
say('(a) allow host', await get(ports.forward, 'http://logs.test:8080/x'), T1, T2)
let seen = ''
void get(ports.reverse, '/one/follow', (t) => {
  seen = t
})
while (stream === null) await new Promise((r) => setTimeout(r, 20))
writeFileSync(dir + '/one', T3)
await new Promise((r) => setTimeout(r, 3500))
stream.write(`rotated: ${T3}\n`)
await new Promise((r) => setTimeout(r, 300))
say('(c) stream from before the renewal', seen, T3)
say('    request after the renewal', await get(ports.reverse, '/one/x'), T1)
g.kill()
process.exit(bad ? 1 : 0)
