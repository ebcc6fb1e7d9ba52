// Forms in which a service may say a credential back: what reaches the sandbox of it? Judged by decoding what was received.
import http from 'node:http'
import net from 'node:net'
import { startGateway, ask, raw, listen, sleep } from '../lib/kit.mjs'
const T = 'Zq7a+B3/xY9k-LmNo_PqRsTuVw=XyZ&0123456789'
const html = (s) => s.replace(/[&<>"'+=\/`]/g, (c) => `&#${c.charCodeAt(0)};`),
  goJson = (s) => JSON.stringify(s).replace(/[<>&]/g, (c) => '\\u00' + c.charCodeAt(0).toString(16)),
  pct = encodeURIComponent,
  b64 = (s) => Buffer.from(s).toString('base64')
const wrap = (s, n, sep) => s.match(new RegExp(`.{1,${n}}`, 'g')).join(sep)
const undo = {
  html: (s) => s.replace(/&#(\d+);/g, (_, d) => String.fromCharCode(d)),
  u: (s) => s.replace(/\\u([0-9a-f]{4})/gi, (_, d) => String.fromCharCode(parseInt(d, 16))),
  pct: (s) => s.replace(/%([0-9a-f]{2})/gi, (_, d) => String.fromCharCode(parseInt(d, 16))),
  sl: (s) => s.replace(/\\([^u])/g, '$1'),
}
const F = {
  'control: as it is': [T],
  html: [html(T)],
  pct: [pct(T)],
  'go json': [goJson(T)],
  'base64 in lines of 76': [wrap(b64('user:' + T + ':' + 'x'.repeat(50)), 20, '\r\n')],
  'html inside go json (\\u0026#43;)': [goJson(html(T))],
  'html twice': [html(html(T))],
  'pct twice': [pct(pct(T))],
  'json twice': [JSON.stringify(goJson(T))],
  'html of go json': [html(goJson(T))],
  'pct of html': [pct(html(T))],
  'go json of pct': [goJson(pct(T))],
  'base64 folded, a space before each line (LDIF, mail headers, YAML)': [
    wrap(b64('user:' + T + ':' + 'x'.repeat(50)), 20, '\n '),
  ],
  'folded as it is (header folding)': [wrap(T, 20, '\r\n ')],
  'base64 twice (Kubernetes secret that holds a dockerconfigjson)': [
    b64('{"auths":{"r":{"auth":"' + b64('user:' + T) + '"}}}'),
  ],
  'base64 of utf-16 (PowerShell)': [Buffer.from(T, 'utf16le').toString('base64')],
  'base64 of json with escapes': [b64(goJson(T))],
  'hex in pairs with spaces (xxd)': [Buffer.from(T).toString('hex').match(/../g).join(' ')],
  'hex with colons': [Buffer.from(T).toString('hex').match(/../g).join(':')],
  '\\x escapes': [T.replace(/[^A-Za-z0-9]/g, (c) => '\\x' + c.charCodeAt(0).toString(16))],
  'markdown/shell backslashes': [T.replace(/[^A-Za-z0-9]/g, (c) => '\\' + c)],
  'quoted-printable with soft breaks': [wrap(T.replace(/=/g, '=3D'), 20, '=\r\n')],
  'upper case': [T.toUpperCase()],
  'utf-16le': [Buffer.from(T, 'utf16le')],
  'utf-32le': [
    Buffer.concat(
      [...T].map((c) => {
        const b = Buffer.alloc(4)
        b.writeUInt32LE(c.charCodeAt(0))
        return b
      }),
    ),
  ],
  'JSON array of numbers': [JSON.stringify([...Buffer.from(T)])],
  reversed: [[...T].reverse().join('')],
  'split by markup': [T.slice(0, 20) + '<b></b>' + T.slice(20)],
  'NUL between (utf-16be)': [Buffer.from(T, 'utf16le').swap16()],
  'multipart/byteranges': ['x'],
  'ebcdic charset=IBM037': ['x'],
  'charset=utf-7': ['x'],
}
const port = await listen(
  net.createServer((c) => {
    c.on('error', () => {})
    c.on('data', (d) => {
      const k = Object.keys(F)[+String(d).split(' ')[1].slice(1)]
      const f = F[k]
      const body = Buffer.concat((f ?? ['ok']).map((x) => Buffer.from(x)))
      const ct = /charset=(\S+)/.exec(k)
      c.write(
        `HTTP/1.1 200 OK\r\nContent-Type: text/plain${ct ? ';charset=' + ct[1] : ''}\r\nContent-Length: ${body.length}\r\n\r\n`,
      )
      c.write(body)
    })
  }),
)
const g = await startGateway(
  `services:\n  api: { url: "http://api.test:8080", credential: { bearer: "\${T}" }, rules: [{ allow: "GET,POST /**" }], allow_plaintext: true, allow_private_addresses: true }\nupstream: { hosts: { api.test: "127.0.0.1:${port}" } }\n`,
  { T },
)
const out = []
for (const k of Object.keys(F)) {
  const r = await ask(g.p.reverse, '/api/' + Object.keys(F).indexOf(k), { ms: 2000 })
  const sent = Buffer.concat(F[k].map((x) => Buffer.from(x))).toString('latin1')
  const leak = r.status === 200 && r.body === sent && sent.length > 3
  out.push([k, leak ? 'LEAK' : r.status !== 200 ? 'refused ' + r.status : 'ok'])
  console.log(
    (leak ? 'PASSED ' : 'ok     ') + k + (r.status !== 200 ? ' -> ' + r.status : ''),
    leak ? r.body.slice(0, 70).replace(/[\r\n\0]/g, '.') : '',
  )
}
g.stop()
const promised = [
  'control: as it is',
  'html',
  'pct',
  'go json',
  'base64 in lines of 76',
  'html inside go json (\\u0026#43;)',
  'html twice',
  'pct twice',
  'json twice',
  'html of go json',
  'pct of html',
  'base64 folded, a space before each line (LDIF, mail headers, YAML)',
  'utf-16le',
  'NUL between (utf-16be)',
]
process.exit(out.some(([k, v]) => v === 'LEAK' && promised.includes(k)) ? 1 : 0)
