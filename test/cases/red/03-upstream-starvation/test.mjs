// Sandbox a takes the 256 connections to an upstream that both sandboxes may use; b's request waits.
import { spawn } from 'node:child_process'
import { createServer, request } from 'node:http'
import net from 'node:net'
import { once } from 'node:events'
import { writeFileSync, mkdtempSync } from 'node:fs'
const dir = mkdtempSync((process.env.TMPDIR ?? '/tmp') + '/t3-')
let served = 0
const up = createServer((q, s) => {
  served++
  if (q.method === 'GET') {
    s.end('ok')
  } else q.resume().on('end', () => s.end('ok'))
})
up.maxConnections = 5000
up.listen(0, '127.0.0.1')
await once(up, 'listening')
writeFileSync(
  dir + '/egress.yaml',
  `services:\n  api:\n    url: http://api.test:8080\n    credential: { bearer: "\${API_TOKEN}" }\n    rules: [{ allow: "* /**" }]\n    rate: { per_second: 1000, burst: 1000 }\n    allow_plaintext: true\n    allow_private_addresses: true\nupstream: { hosts: { api.test: "127.0.0.1:${up.address().port}" } }\n`,
)
const g = spawn(
  process.execPath,
  [new URL('../lib/gateway.mjs', import.meta.url).pathname, dir + '/egress.yaml'],
  {
    env: { ...process.env, API_TOKEN: 'real-token-0123456789', AUDIT: dir + '/audit' },
    stdio: ['ignore', 'pipe', 'inherit'],
  },
)
const ports = JSON.parse(String((await once(g.stdout, 'data'))[0]))
const ask = (from, ms) =>
  new Promise((r) => {
    const t = Date.now()
    const q = request(
      { host: '127.0.0.1', port: ports.reverse, localAddress: from, path: '/api/x', agent: false },
      (s) => {
        s.resume().on('end', () => r({ status: s.statusCode, ms: Date.now() - t }))
      },
    )
    q.on('error', (e) => r({ error: e.code, ms: Date.now() - t }))
    q.setTimeout(ms, () => q.destroy(Object.assign(new Error(), { code: 'NO ANSWER' })))
    q.end()
  })
console.log('b before:', await ask('127.0.0.3', 5000))
const held = []
for (let i = 0; i < 300; i++) {
  const c = net.connect({ host: '127.0.0.1', port: ports.reverse, localAddress: '127.0.0.2' })
  c.on('error', () => {})
  c.write('POST /api/slow HTTP/1.1\r\nHost: egress\r\nContent-Length: 1000000\r\n\r\nx')
  held.push(c)
}
await new Promise((r) => setTimeout(r, 1500))
console.log('upstream sees', served, 'requests of a')
const after = await ask('127.0.0.3', 20000)
console.log('b while a drips 300 uploads:', after)
g.kill()
up.close()
for (const c of held) c.destroy()
process.exit(after.status === 200 ? 0 : 1)
