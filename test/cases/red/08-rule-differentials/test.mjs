import { spawn } from 'node:child_process'
import { request } from 'node:http'
import { once } from 'node:events'
import { writeFileSync, mkdtempSync } from 'node:fs'
const here = new URL('.', import.meta.url).pathname,
  dir = mkdtempSync((process.env.TMPDIR ?? '/tmp') + '/t8-'),
  p = 30000 + Math.floor(Math.random() * 20000)
const php = spawn('php', ['-S', `127.0.0.1:${p}`, here + 'php.php'], { stdio: 'ignore' }),
  ex = spawn(process.execPath, [here + 'express.cjs'], {
    env: { ...process.env, PORT: p + 1 },
    stdio: 'inherit',
  })
writeFileSync(
  dir + '/egress.yaml',
  `services:
  php: { url: "http://php.test:8080", credential: { bearer: "\${T}" }, rules: [{ allow: "GET,POST /**" }], allow_plaintext: true, allow_private_addresses: true }
  ex: { url: "http://ex.test:8080", credential: { bearer: "\${T}" }, rules: [{ deny: "* /api/admin" }, { deny: "* /api/admin/**" }, { allow: "GET,POST /api/**" }], allow_plaintext: true, allow_private_addresses: true }
  ex1: { url: "http://ex1.test:8080", credential: { bearer: "\${T}" }, rules: [{ deny: "* /api/admin" }, { allow: "GET,POST /api/**" }], allow_plaintext: true, allow_private_addresses: true }
upstream: { hosts: { php.test: "127.0.0.1:${p}", ex.test: "127.0.0.1:${p + 1}", ex1.test: "127.0.0.1:${p + 1}" } }\n`.replace(
    '{ deny: "* /api/admin" }, { deny: "* /api/admin/**" }',
    '{ deny: "* /api/admin/**" }',
  ),
)
const g = spawn(process.execPath, [here + '../lib/gateway.mjs', dir + '/egress.yaml'], {
  env: { ...process.env, T: 'token-one-0123456789', AUDIT: dir + '/audit' },
  stdio: ['ignore', 'pipe', 'inherit'],
})
const ports = JSON.parse(String((await once(g.stdout, 'data'))[0]))
await new Promise((r) => setTimeout(r, 700))
const ask = (method, path, headers = {}) =>
  new Promise((r) => {
    const q = request(
      { host: '127.0.0.1', port: ports.reverse, localAddress: '127.0.0.2', method, path, headers },
      (s) => {
        let b = ''
        s.on('data', (c) => (b += c)).on('end', () =>
          r(
            `${s.statusCode} ${s.headers['content-type']?.includes('problem') ? JSON.parse(b).reason : b.trim()}`,
          ),
        )
      },
    )
    q.on('error', (e) => r(String(e)))
    q.end()
  })
let bad = 0
const want = async (name, forbidden, method, path, headers) => {
  const a = await ask(method, path, headers)
  const hit = forbidden.test(a)
  bad += hit
  console.log(
    hit ? 'BYPASS' : 'held  ',
    name.padEnd(34),
    method,
    path,
    headers ? JSON.stringify(headers) : '',
    '->',
    a,
  )
}
const D = /200 (DELETE|PUT)/,
  A = /ADMIN|DELETE/
for (const q of [
  '_method=DELETE',
  '.method=DELETE',
  '+_method=DELETE',
  '%20_method=DELETE',
  '[method=DELETE',
  '_method%00x=DELETE',
  '%2emethod=DELETE',
  '_method=GET&.method=DELETE',
  ' _method=DELETE'.trim() + '&x',
])
  await want('PHP ?_method spelled otherwise', D, 'POST', '/php/x?' + q)
for (const path of [
  '/ex/api/admin',
  '/ex/api/ADMIN',
  '/ex/api/Admin/x',
  '/ex1/api/admin/',
  '/ex/API/admin',
  '/ex1/api/admin',
  '/ex/api/admin;x',
  '/ex/api//admin',
  '/ex/api/%61dmin',
  '/ex/api/admin%2f',
  '/ex/api/.%2fadmin',
])
  await want('Express, a denied path', /ADMIN/, 'GET', path)
for (const [q, h] of [
  ['?_method[]=DELETE'],
  ['?_method=DELETE'],
  ['?x=1;_method=DELETE'],
  ['', { 'x-http-method-override': 'DELETE' }],
  ['', { 'x-http-method-override': 'GET, DELETE' }],
])
  await want('Express, method-override', /DELETE/, 'POST', '/ex/api/other' + q, h)
g.kill()
php.kill()
ex.kill()
process.exit(bad ? 1 : 0)
