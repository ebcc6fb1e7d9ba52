#!/bin/bash
# A short Range at a service with a credential is answered with the whole
# source: gtsystem/python-remotezip#6, apache/arrow-rs#4839
. "$(dirname "$0")/../lib/case.sh"
upstream <<'J'
import http from 'node:http'
const B = Buffer.alloc(5000, 'abcdefgh')
const s = http.createServer((q, r) => { const m = /^bytes=-(\d+)$/.exec(q.headers.range ?? ''); if (m) { r.writeHead(206, { 'content-range': `bytes ${5000 - m[1]}-4999/5000` }); r.end(B.subarray(5000 - m[1])) } else r.end(B) }); s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
service_and_plain_host

egress run -- sh -c 'unset http_proxy HTTP_PROXY; for h in plain api; do echo "$h $(curl -s -r -8 -o /dev/null -w "%{http_code} %{size_download}" http://$h.example.com/f)"; done' > out 2>err
grep -q '^plain 206 8' out || { cat out err; exit 2; }
if grep -q '^api 206 8' out || grep -rqi 'Range' "$EGRESS/docs/policy.md" "$EGRESS/README.md"; then o=1; else o=0; fi
verdict $o "last 8 bytes (parquet, zip): $(grep api out)"
