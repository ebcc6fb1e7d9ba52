// One request head of 64 KiB: thousands of methods in X-HTTP-Method-Override times a thousand paths in X-Original-URL are all checked, at once, in memory.
import http from 'node:http'
import { startGateway, raw, ask, listen, sleep } from '../lib/kit.mjs'
const port = await listen(http.createServer((q, s) => s.end('ok')))
const g = await startGateway(
  `services:\n  api: { url: "http://api.test:8080", credential: { bearer: "\${T}" }, rules: [{ allow: "GET,POST /**" }], allow_plaintext: true, allow_private_addresses: true, rate: { per_second: 1, burst: 3 } }\nupstream: { hosts: { api.test: "127.0.0.1:${port}" } }\n`,
  { T: 'real-token-0123456789' },
)
const b = () => ask(g.p.reverse, '/api/x', { from: '127.0.0.3', ms: 60000 })
await b()
console.log('control, sandbox b before:', (await b()).ms.toFixed(0), 'ms')
const M = +(process.env.M ?? 18000),
  P = +(process.env.P ?? 990)
const head =
  `GET /api/x HTTP/1.1\r\nHost: egress\r\nX-HTTP-Method-Override: ${'a,'.repeat(M)}a\r\n` +
  'X-Original-URL: /\r\n'.repeat(P) +
  '\r\n'
console.log('one head of', head.length, 'bytes,', M * P, 'pairs')
const t0 = Date.now()
let over = false
const a = raw(g.p.reverse, head, { ms: 120000 }).then((t) => {
  over = true
  return t
})
await sleep(100)
const first = await b()
console.log('sandbox b, meanwhile:', first.status, first.error ?? '', first.ms.toFixed(0), 'ms')
const t = await Promise.race([a, sleep(100)])
console.log('a got:', String(t).slice(0, 60).replace(/\r\n/g, ' | '), 'after', Date.now() - t0, 'ms')
await sleep(300)
console.log(
  'gateway exited:',
  g.exited(),
  g
    .err()
    .split('\n')
    .filter((l) => /FATAL|heap/.test(l))
    .slice(0, 2)
    .join(' '),
)
const bad = g.exited() !== null || first.ms > 2000 || first.status !== 200
g.stop()
process.exit(bad ? 1 : 0)
