// Records cut path and query at 2048 characters: what stands behind is done, and not recorded.
import http from 'node:http'
import { readFileSync } from 'node:fs'
import { startGateway, raw, ask, listen, sleep } from '../lib/kit.mjs'
const seen = []
const port = await listen(
  http.createServer({ maxHeaderSize: 1e6 }, (q, s) => {
    seen.push(q.url)
    s.end('ok')
  }),
)
const g = await startGateway(
  `allow: [{ host: api.test, scheme: http, ports: [8080], allow_private_addresses: true }]\nupstream: { hosts: { api.test: "127.0.0.1:${port}" } }\n`,
)
const secret = 'EXFILTRATED-DATA-' + 'd'.repeat(30000)
const go = async (u) =>
  (await ask(g.p.forward, 'http://api.test:8080' + u, { headers: { host: 'api.test:8080' } })).status
console.log(
  await go('/api?action=list'),
  await go('/api?pad=' + 'a'.repeat(2100) + '&action=deleteEverything&data=' + secret),
  await go('/' + 'a'.repeat(2100) + '/delete/everything'),
)
await sleep(200)
const log = readFileSync(g.dir + '/audit/http.ndjson', 'utf8')
const hid = seen.filter((u) => /delete/i.test(u)).length - (log.match(/delete/gi) ?? []).length
console.log(
  'upstream carried out',
  seen.map((u) => u.length + ' bytes').join(', '),
  '; in the log "action=list":',
  log.includes('action=list'),
  '"delete":',
  /delete/i.test(log),
  'bytes of request recorded:',
  g
    .audit()
    .filter((x) => x.event.action === 'http-close')
    .map((x) => x.http.request.bytes)
    .join(),
)
g.stop()
process.exit(hid > 0 ? 1 : 0)
