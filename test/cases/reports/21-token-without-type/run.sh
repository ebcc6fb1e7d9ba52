#!/bin/bash
# Token answers that other clients take: no token_type
# source: UsefulSoftwareCo/executor#2090 (Shopify), cmd-johnson/deno-oauth2-client#37 (LinkedIn), spring-projects/spring-security#5369
. "$(dirname "$0")/../lib/case.sh"
upstream <<'J'
import http from 'node:http'
const T = '"access_token":"tok-0123456789abcdef"'
const R = { ok: [200, `{${T},"token_type":"bearer","expires_in":3600}`], notype: [200, `{${T},"scope":"x","expires_in":86399}`] }
const s = http.createServer((q, r) => { q.resume(); const [st, b] = R[q.url.slice(1)] ?? [404, '']; if (q.headers.host === 'tok.example.com') { r.statusCode = st; r.setHeader('content-type', 'application/json'); r.end(b) } else r.end(q.headers.authorization ?? 'none') })
s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
{ echo services:; for k in ok notype; do echo "  $k: { url: http://$k.example.com, allow_plaintext: true, allow_private_addresses: true, credential: { oauth2: { token_url: http://tok.example.com/$k, client_id: me, client_secret: \"\${CS}\" } }, rules: [ { allow: \"* /**\" } ] }"; done
  echo "upstream:"; echo "  hosts:"; for k in tok ok notype; do echo "    $k.example.com: \"127.0.0.1:$PORT\""; done; } > egress.yaml
export CS=client-secret-0123
egress run -- sh -c 'for k in ok notype; do echo "$k $(curl -s -o /tmp/b -w "%{http_code}" http://$k.example.com/) $(grep -o "\"detail\":\"[^\"]*\"" /tmp/b)"; done' > out 2>err
grep -q '^ok 200' out || { cat out err; exit 2; }
grep -v ' 200' out > bad; [ -s bad ] && o=0 || o=1
verdict $o "$(tr '\n' ';' < bad)"
