// An upstream that says the secret back is redacted, its hash is not: Express puts SHA-1 of every body into ETag. Guesses are checked without asking anybody.
import { spawn } from 'node:child_process'
import { request } from 'node:http'
import { once } from 'node:events'
import { writeFileSync, mkdtempSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
const express = createRequire(import.meta.url)('express')
const dir = mkdtempSync((process.env.TMPDIR ?? '/tmp') + '/t19-'),
  PW = 'winter' + String(Math.floor(Math.random() * 1e6)).padStart(6, '0')
const app = express()
app.get('/debug', (q, s) =>
  s.json({
    user: 'ci',
    password: Buffer.from(q.headers.authorization.slice(6), 'base64').toString().split(':')[1],
  }),
)
const up = app.listen(0, '127.0.0.1')
await once(up, 'listening')
writeFileSync(
  dir + '/egress.yaml',
  `services:\n  api: { url: "http://api.test:8080", credential: { basic: { username: ci, password: "\${P}" } }, rules: [{ allow: "GET,POST /**" }], allow_plaintext: true, allow_private_addresses: true }\nupstream: { hosts: { api.test: "127.0.0.1:${up.address().port}" } }\n`,
)
const g = spawn(
  process.execPath,
  [new URL('../lib/gateway.mjs', import.meta.url).pathname, dir + '/egress.yaml'],
  { env: { ...process.env, P: PW, AUDIT: dir + '/audit' }, stdio: ['ignore', 'pipe', 'inherit'] },
)
const p = JSON.parse(String((await once(g.stdout, 'data'))[0]))
const [etag, body] = await new Promise((r) =>
  request({ host: '127.0.0.1', port: p.reverse, localAddress: '127.0.0.2', path: '/api/debug' }, (s) => {
    let b = ''
    s.on('data', (d) => (b += d)).on('end', () => r([s.headers.etag ?? '', b]))
  }).end(),
)
console.log('the sandbox sees', body, etag)
let found = null
const t = Date.now()
for (const w of ['summer', 'winter', 'spring'])
  for (let i = 0; i < 1e6 && !found && etag; i++) {
    const c = body.replace(/\*+/, w + String(i).padStart(6, '0'))
    if (etag.includes(createHash('sha1').update(c).digest('base64').slice(0, 27)))
      found = JSON.parse(c).password
  }
console.log('found', found, 'in', Date.now() - t, 'ms on one core, of three million guesses; real', PW)
g.kill()
process.exit(found === PW ? 1 : 0)
