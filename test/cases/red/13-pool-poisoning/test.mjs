// An upstream that ignores the body of one POST (CL.0, as many embedded and misconfigured servers): what sandbox a hides in a body is read as the
// next request on the connection, and its late answer is given to sandbox b, which shares the gateway's pool. (b's agent may even have another credential.)
import { spawn } from 'node:child_process'
import { request } from 'node:http'
import net from 'node:net'
import { once } from 'node:events'
import { writeFileSync, mkdtempSync } from 'node:fs'
const dir = mkdtempSync((process.env.TMPDIR ?? '/tmp') + '/t13-'),
  log = []
const up = net
  .createServer((c) => {
    let b = '',
      queue = Promise.resolve()
    c.on('error', () => {})
    c.on('data', (d) => {
      b += d.toString('latin1')
      for (let e; (e = b.indexOf('\r\n\r\n')) >= 0;) {
        const head = b.slice(0, e)
        b = b.slice(e + 4)
        const [m, path] = head.split(' ')
        log.push(m + ' ' + path)
        if (m === 'POST' && path !== '/x') {
          const n = +(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
          b = b.slice(n)
        }
        queue = queue
          .then(() => new Promise((r) => setTimeout(r, path.startsWith('/slow') ? 800 : 0)))
          .then(() => {
            const t = 'answer to ' + path
            c.write(`HTTP/1.1 200 OK\r\nContent-Length: ${t.length}\r\n\r\n${t}`)
          })
      }
    })
  })
  .listen(0, '127.0.0.1')
await once(up, 'listening')
writeFileSync(
  dir + '/egress.yaml',
  `services:\n  api: { url: "http://api.test:8080", credential: { bearer: "\${T}" }, rules: [{ deny: "* /slow/**" }, { allow: "GET,POST /**" }], allow_plaintext: true, allow_private_addresses: true }\nupstream: { hosts: { api.test: "127.0.0.1:${up.address().port}" } }\n`,
)
const g = spawn(
  process.execPath,
  [new URL('../lib/gateway.mjs', import.meta.url).pathname, dir + '/egress.yaml'],
  {
    env: { ...process.env, T: 'real-token-0123456789', AUDIT: dir + '/audit' },
    stdio: ['ignore', 'pipe', 'inherit'],
  },
)
const p = JSON.parse(String((await once(g.stdout, 'data'))[0]))
const ask = (from, path, body) =>
  new Promise((r) => {
    const q = request(
      {
        host: '127.0.0.1',
        port: p.reverse,
        localAddress: from,
        path,
        agent: false,
        method: body ? 'POST' : 'GET',
        headers: body ? { 'content-length': body.length } : {},
      },
      (s) => {
        let t = ''
        s.on('data', (d) => (t += d)).on('end', () => r(`${s.statusCode} ${t}`))
      },
    )
    q.on('error', (e) => r(e.code))
    q.end(body)
  })
const evil = 'GET /slow/poison-made-by-a HTTP/1.1\r\nHost: api.test\r\n\r\n'
console.log('a:', await ask('127.0.0.2', '/api/x', evil))
await new Promise((r) => setTimeout(r, 100))
const b = await ask('127.0.0.3', '/api/mine')
console.log('b asks /mine and gets:', b)
console.log('upstream saw:', log.join(' | '))
g.kill()
process.exit(b.includes('poison') ? 1 : 0)
