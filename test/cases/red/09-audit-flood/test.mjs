// How fast one sandbox that is denied everything fills the disk that the audit log of all sandboxes stands on.
import { spawn, execFileSync } from 'node:child_process'
import net from 'node:net'
import { once } from 'node:events'
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs'
const dir = mkdtempSync((process.env.TMPDIR ?? '/tmp') + '/t9-')
writeFileSync(dir + '/egress.yaml', 'allow: [{ host: pkg.example.com }]\n')
const S = 8
const g = spawn(
  process.execPath,
  [new URL('../lib/gateway.mjs', import.meta.url).pathname, dir + '/egress.yaml'],
  { env: { ...process.env, AUDIT: dir + '/audit' }, stdio: ['ignore', 'pipe', 'inherit'] },
)
const ports = JSON.parse(String((await once(g.stdout, 'data'))[0]))
const size = () =>
  +execFileSync('du', ['-sb', dir + '/audit'])
    .toString()
    .split('\t')[0]
const q = '"'.repeat(2048),
  head = `GET /${q}?${q} HTTP/1.1\r\nHost: x.example\r\n\r\n`
let n = 0,
  on = true
const go = () => {
  if (!on) return
  const c = net.connect({ host: '127.0.0.1', port: ports.http, localAddress: '127.0.0.2' })
  c.on('error', () => {})
  c.on('data', () => {})
  c.on('close', () => {
    n++
    go()
  })
  c.end(head)
}
const before = size(),
  t = Date.now()
for (let i = 0; i < 64; i++) go()
await new Promise((r) => setTimeout(r, S * 1000))
on = false
const rate = (size() - before) / ((Date.now() - t) / 1000)
console.log(
  `${(n / S).toFixed(0)} denied requests/s, ${(rate / 2 ** 20).toFixed(1)} MiB/s of audit log, ${((rate * 3600) / 2 ** 30).toFixed(0)} GiB an hour; nothing is ever deleted, and nothing limits it`,
)
g.kill()
rmSync(dir, { recursive: true })
process.exit(rate > 2 ** 20 ? 1 : 0)
