// A stored object of some bytes with Content-Encoding: br and a window of 16 MiB: each slow reader pins a decoder's window in the gateway; nothing counts that.
import http from 'node:http'
import net from 'node:net'
import zlib from 'node:zlib'
import { readFileSync } from 'node:fs'
import { startGateway, ask, listen, sleep } from '../lib/kit.mjs'
const N = +(process.env.N ?? 40),
  SIZE = 40 << 20
const big = zlib.brotliCompressSync(Buffer.alloc(SIZE, 'x'), {
  params: { [zlib.constants.BROTLI_PARAM_LGWIN]: 24, [zlib.constants.BROTLI_PARAM_QUALITY]: 5 },
})
const gz = zlib.gzipSync(Buffer.alloc(SIZE, 'x'))
const port = await listen(
  http.createServer((q, s) => {
    if (q.url === '/br') {
      s.writeHead(200, { 'content-encoding': 'br' })
      s.end(big)
    } else if (q.url === '/gz') {
      s.writeHead(200, { 'content-encoding': 'gzip' })
      s.end(gz)
    } else s.end('ok')
  }),
)
const g = await startGateway(
  `services:\n  api: { url: "http://api.test:8080", credential: { bearer: "\${T}" }, rules: [{ allow: "GET,POST /**" }], allow_plaintext: true, allow_private_addresses: true }\nupstream: { hosts: { api.test: "127.0.0.1:${port}" } }\n`,
  { T: 'real-token-0123456789' },
)
const rss = () => +/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${g.p.pid}/status`, 'utf8'))[1] / 1024
await ask(g.p.reverse, '/api/x')
console.log(
  'gateway at rest:',
  rss().toFixed(0),
  'MiB; objects:',
  big.length,
  'bytes br,',
  gz.length,
  'bytes gzip',
)
const slow = (path) =>
  new Promise((r) => {
    const c = net.connect({ port: g.p.reverse, host: '127.0.0.1', localAddress: '127.0.0.2' })
    let n = 0
    c.on('error', () => {})
    c.on('data', (d) => {
      n += d.length
      if (n > 17.5 * 2 ** 20) {
        c.pause()
        r(c)
      }
    })
    c.on('end', () => r(c))
    c.write(`GET /api/${path} HTTP/1.1\r\nHost: egress\r\n\r\n`)
  })
const open = async (path) => {
  const cs = []
  for (let i = 0; i < N; i += 10)
    cs.push(...(await Promise.all(Array.from({ length: 10 }, () => slow(path)))))
  await sleep(500)
  return cs
}
let cs = await open('gz')
const a = rss()
console.log(`control: ${N} slow readers of gzip:`, a.toFixed(0), 'MiB')
cs.forEach((c) => c.destroy())
await sleep(1500)
const before = rss()
cs = await open('br')
const after = rss()
console.log(
  `${N} slow readers of br:`,
  before.toFixed(0),
  '->',
  after.toFixed(0),
  'MiB,',
  ((after - before) / N).toFixed(1),
  'MiB each; a sandbox may have 1024 connections, and a gateway on Docker has 1024 MiB',
)
cs.forEach((c) => c.destroy())
g.stop()
process.exit((after - before) / N > 8 ? 1 : 0)
