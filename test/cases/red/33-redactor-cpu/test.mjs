// What an upstream stores for the sandbox is searched byte by byte where it is made of escapes; how fast, and does b wait?
import http from 'node:http'
import zlib from 'node:zlib'
import { outside, startGateway, ask, listen, sleep } from '../lib/kit.mjs'
const T = 'ghp_' + 'Zq7aB3xY9kLmNoPqRsTuVwXyZ0123456789a'
const fill = {
  plain: 'x',
  percent: '%',
  backslash: '\\',
  amp: '&',
  lf: '\n',
  pre: T.slice(0, -1),
  pctpre: [...T.slice(0, -1)].map((c) => '%' + c.charCodeAt(0).toString(16)).join(''),
  upre: [...T.slice(0, -1)].map((c) => '\\u00' + c.charCodeAt(0).toString(16)).join(''),
  htm: [...T.slice(0, -1)].map((c) => '&#' + c.charCodeAt(0) + ';').join(''),
  mix: '%67\\u0068&#112;_',
}
const SIZE = 16 << 20,
  bodies = Object.fromEntries(Object.entries(fill).map(([k, f]) => [k, zlib.gzipSync(Buffer.alloc(SIZE, f))]))
const port = await listen(
  http.createServer((q, s) => {
    const k = q.url.slice(1)
    if (!bodies[k]) return s.end('ok')
    s.writeHead(200, { 'content-encoding': 'gzip' })
    s.end(bodies[k])
  }),
)
const g = await startGateway(
  `services:\n  api: { url: "http://api.test:8080", credential: { bearer: "\${T}" }, rules: [{ allow: "GET,POST /**" }], allow_plaintext: true, allow_private_addresses: true }\nupstream: { hosts: { api.test: "127.0.0.1:${port}" } }\n`,
  { T },
)
const b = () => ask(g.p.reverse, '/api/', { from: '127.0.0.3', ms: 120000 })
await b()
console.log('control, b before:', (await b()).ms.toFixed(0), 'ms')
let worst = null
for (const k of Object.keys(fill)) {
  const r = await ask(g.p.reverse, '/api/' + k, { ms: 120000 })
  const rate = SIZE / 1e6 / (r.ms / 1000)
  console.log(k.padEnd(10), 'gz', bodies[k].length, r.status, r.ms.toFixed(0), 'ms', rate.toFixed(1), 'MB/s')
  if (!worst || rate < worst.rate) worst = { k, rate }
}
const stop = []
for (let i = 0; i < 200; i++) stop.push(ask(g.p.reverse, '/api/' + worst.k, { ms: 60000 }))
await sleep(1500)
const m = await outside(g.p.reverse)
console.log(
  `b while a reads 200 x ${worst.k} (${bodies[worst.k].length} bytes each upstream):`,
  m.status,
  m.ms.toFixed(0),
  'ms',
)
g.stop()
process.exit(m.ms > 5000 || m.status !== 404 ? 1 : 0)
