// A secret that the policy refers to in a field which is not the credential's main one: it is sent, the sandbox has a placeholder for it, and is it taken out of the answer?
import http from 'node:http'
import { startGateway, ask, listen } from '../lib/kit.mjs'
const U = 'rk_live_51HzUserNameIsTheKey99',
  P = 'placeholder-pass-1234'
const port = await listen(
  http.createServer((q, s) => {
    const a = String(q.headers.authorization ?? '')
    s.end(
      JSON.stringify({
        headers: q.rawHeaders,
        url: q.url,
        decoded: a.startsWith('Basic ') ? Buffer.from(a.slice(6), 'base64').toString() : '',
      }),
    )
  }),
)
const kinds = {
  'control: bearer': 'bearer: "${U}"',
  'basic, username': 'basic: { username: "${U}", password: "${P}" }',
  'hmac, format with a key id':
    'hmac: { secret: "${P}", header: X-Sig, sign: "{path}", format: "${U}:{hex}" }',
  'header, composed': 'header: { name: X-Key, value: "Token ${U}, v=${P}" }',
  'cookie, name': 'cookie: { name: "${U}", value: "${P}" }',
  'query, name': 'query: { name: "${U}", value: "${P}" }',
  'header, name': 'header: { name: "${U}", value: "${P}" }',
}
let bad = 0
for (const [k, c] of Object.entries(kinds)) {
  let g
  try {
    g = await startGateway(
      `services:\n  api: { url: "http://api.test:8080", credential: { ${c} }, rules: [{ allow: "GET,POST /**" }], allow_plaintext: true, allow_private_addresses: true }\nupstream: { hosts: { api.test: "127.0.0.1:${port}" } }\n`,
      { U, P },
    )
  } catch (e) {
    console.log(
      'refused',
      k,
      String(e)
        .split('\n')
        .find((l) => /yaml|Error/.test(l))
        ?.slice(0, 150),
    )
    continue
  }
  const r = await ask(g.p.reverse, '/api/x')
  const leak = r.body.toLowerCase().includes(U.toLowerCase())
  bad += leak
  console.log(
    leak ? 'LEAK ' : 'ok   ',
    k,
    '| placeholders:',
    Object.keys(g.p.placeholders).join(),
    '|',
    leak ? r.body.slice(0, 160) : '',
  )
  g.stop()
}
process.exit(bad ? 1 : 0)
