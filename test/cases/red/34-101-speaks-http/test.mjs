// An upstream that says 101 to something that is no WebSocket (a URL fetcher or test endpoint whose status the sandbox chooses, as /status/101), and goes on speaking HTTP on the
// connection: does the gateway open the connection to requests that nobody checked? (0ang3el, "websocket smuggling", second scenario)
import net from 'node:net'
import { startGateway, raw, listen, sleep } from '../lib/kit.mjs'
const log = []
const port = await listen(
  net.createServer((c) => {
    let b = ''
    c.on('error', () => {})
    c.on('data', (d) => {
      b += d.toString('latin1')
      for (let e; (e = b.indexOf('\r\n\r\n')) >= 0;) {
        const head = b.slice(0, e)
        b = b.slice(e + 4)
        const [m, path] = head.split(' ')
        log.push(m + ' ' + path)
        const st = /^\/status\/(\d+)/.exec(path)?.[1] ?? '200'
        // headers as the agent asked for them, no Sec-WebSocket-Accept
        if (st === '101')
          c.write(
            `HTTP/1.1 101 Switching Protocols\r\nConnection: ${process.env.CONN ?? 'Upgrade'}\r\nUpgrade: ${process.env.UPG ?? 'websocket'}\r\n\r\n`,
          )
        else {
          const t = 'answer to ' + m + ' ' + path
          c.write(`HTTP/1.1 ${st} X\r\nContent-Length: ${t.length}\r\n\r\n${t}`)
        }
      }
    })
  }),
)
const g = await startGateway(
  `allow: [{ host: api.test, scheme: http, ports: [8080], allow_private_addresses: true, methods: [GET], paths: [/status/**] }]\nservices:\n  svc: { url: "http://svc.test:8080", credential: { bearer: "\${T}" }, rules: [{ deny: "* /admin/**" }, { allow: "GET /status/**" }], allow_plaintext: true, allow_private_addresses: true }\nupstream: { hosts: { api.test: "127.0.0.1:${port}", svc.test: "127.0.0.1:${port}" } }\n`,
  { T: 'real-token-0123456789' },
)
const ws =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
const ctl = await raw(
  g.p.forward,
  'DELETE http://api.test:8080/admin/x HTTP/1.1\r\nHost: api.test:8080\r\n\r\n',
  { ms: 700 },
)
console.log('control, asked openly:', ctl.split('\r\n')[0])
const smuggle = 'DELETE /admin/all-of-it HTTP/1.1\r\nHost: api.test\r\nContent-Length: 0\r\n\r\n'
const two = (p, head) =>
  new Promise((r) => {
    const c = net.connect({ port: p, host: '127.0.0.1', localAddress: '127.0.0.2' })
    let b = '',
      sent = false
    c.on('error', () => {})
    c.on('data', (d) => {
      b += d.toString('latin1')
      if (!sent && b.includes(' 101 ')) {
        sent = true
        c.write(smuggle)
      }
    })
    c.write(head)
    setTimeout(() => {
      c.destroy()
      r(b)
    }, 1200)
  })
let bad = 0
for (const [name, p, line, host] of [
  ['allow host', g.p.forward, 'GET http://api.test:8080/status/101', 'api.test:8080'],
  ['service with a credential', g.p.reverse, 'GET /svc/status/101', 'egress'],
])
  for (const [kind, up] of [
    ['with key', ws],
    ['no key, no version', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'],
  ]) {
    log.length = 0
    const t = await two(p, `${line} HTTP/1.1\r\nHost: ${host}\r\n${up}\r\n`)
    const got = log.some((l) => l.startsWith('DELETE'))
    bad += got
    console.log(
      name,
      kind,
      '-> agent got',
      JSON.stringify(t.slice(0, 30)),
      t.includes('answer to DELETE') ? 'and the answer to DELETE' : '',
      '| upstream carried out:',
      log.join(', '),
    )
  }
console.log(
  'in the log:',
  g
    .audit()
    .filter((r) => r.event.action !== 'http-close')
    .map((r) => `${r.egress.verdict} ${r.http?.request?.method} ${r.url?.path}`)
    .join(', '),
)
g.stop()
process.exit(bad ? 1 : 0)
