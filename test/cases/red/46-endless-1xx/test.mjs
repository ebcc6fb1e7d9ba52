// response_timeout is how long until a response must have begun: does a 1xx every second put it off for ever?
import net from 'node:net'
import { startGateway, ask, listen } from '../lib/kit.mjs'
const port = await listen(
  net.createServer((c) => {
    c.on('error', () => {})
    c.once('data', (d) => {
      if (String(d).includes('/no ')) return
      const t = setInterval(() => c.write('HTTP/1.1 102 Processing\r\n\r\n'), 400)
      c.on('close', () => clearInterval(t))
    })
  }),
)
const g = await startGateway(
  `services:\n  api: { url: "http://api.test:8080", credential: { bearer: "\${T}" }, rules: [{ allow: "GET,POST /**" }], allow_plaintext: true, allow_private_addresses: true }\nhttp: { response_timeout: 2s }\nupstream: { hosts: { api.test: "127.0.0.1:${port}" } }\n`,
  { T: 'real-token-0123456789' },
)
const n = await ask(g.p.reverse, '/api/no', { ms: 9000 }),
  r = await ask(g.p.reverse, '/api/x', { ms: 12000 })
console.log('control, silence:', n.status, n.ms.toFixed(0), 'ms')
console.log('102 every 400 ms:', r.status, r.error ?? '', r.ms.toFixed(0), 'ms')
g.stop()
process.exit(r.ms > 9000 ? 1 : 0)
