// One sandbox, a few connections, many pipelined requests: how many are under way at once, and what the gateway's memory does.
import { spawn } from 'node:child_process'
import { createServer, request } from 'node:http'
import net from 'node:net'
import { once } from 'node:events'
import { writeFileSync, mkdtempSync, readFileSync } from 'node:fs'
const dir = mkdtempSync((process.env.TMPDIR ?? '/tmp') + '/t4-')
const CONNS = +(process.env.CONNS ?? 100),
  EACH = +(process.env.EACH ?? 4000)
const up = createServer((q, s) => {
  if (q.url === '/quick') s.end('ok') /* else: never answers */
})
up.maxConnections = 5000
up.listen(0, '127.0.0.1')
await once(up, 'listening')
writeFileSync(
  dir + '/egress.yaml',
  `services:\n  api:\n    url: http://api.test:8080\n    credential: { bearer: "\${API_TOKEN}" }\n    rules: [{ allow: "* /**" }]\n    allow_plaintext: true\n    allow_private_addresses: true\nupstream: { hosts: { api.test: "127.0.0.1:${up.address().port}" } }\n`,
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
const rss = () => +/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${g.pid}/status`, 'utf8'))[1] / 1024
const ask = (path, ms) =>
  new Promise((r) => {
    const t = Date.now()
    const q = request(
      { host: '127.0.0.1', port: ports.reverse, localAddress: '127.0.0.3', path, agent: false },
      (s) => {
        s.resume().on('end', () => r({ status: s.statusCode, ms: Date.now() - t }))
      },
    )
    q.on('error', (e) => r({ error: e.code, ms: Date.now() - t }))
    q.setTimeout(ms, () => q.destroy(Object.assign(new Error(), { code: 'NO ANSWER' })))
    q.end()
  })
await ask('/nothing', 5000)
const before = rss()
let worst = 0
const pending = new Set()
let dead = false
g.on('exit', (c, s) => {
  dead = true
  console.log('gateway ended', c, s)
})
const lag = setInterval(async () => {
  const t = Date.now()
  pending.add(t)
  const r = await ask('/nothing', 20000)
  pending.delete(t)
  worst = Math.max(worst, r.ms)
}, 500)
const one = 'GET /api/hang HTTP/1.1\r\nHost: egress\r\n\r\n'
const held = []
for (let i = 0; i < CONNS; i++) {
  const c = net.connect({ host: '127.0.0.1', port: ports.reverse, localAddress: '127.0.0.2' })
  c.on('error', () => {})
  c.write(one.repeat(EACH))
  held.push(c)
}
for (let i = 0; i < 20 && !dead; i++) {
  await new Promise((r) => setTimeout(r, 1000))
  if (i % 4 === 3)
    console.log(
      i + 1,
      's  RSS',
      rss().toFixed(0),
      'MiB, worst answer to b',
      Math.max(worst, ...[...pending].map((t) => Date.now() - t)),
      'ms',
    )
}
clearInterval(lag)
const grown = dead ? Infinity : rss() - before
console.log(
  `${CONNS} connections x ${EACH} requests of ${one.length} bytes = ${((CONNS * EACH * one.length) / 2 ** 20).toFixed(1)} MiB sent; the gateway grew by ${grown.toFixed(0)} MiB`,
)
if (!dead) g.kill('SIGKILL')
up.close()
for (const c of held) c.destroy()
process.exit(grown > 300 || Math.max(worst, ...[...pending].map((t) => Date.now() - t)) > 5000 ? 1 : 0)
