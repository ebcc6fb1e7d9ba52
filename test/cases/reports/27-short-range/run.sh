#!/bin/bash
# A short Range at a service with a credential is answered with the whole
# source: gtsystem/python-remotezip#6, apache/arrow-rs#4839
# exit 0: the product is right; 1: it is wrong; 2: the case could not be tried. Needs EGRESS=<built checkout>, node, curl, python3.
set -u
: "${EGRESS:?path of a built checkout}"
W=$(mktemp -d); mkdir "$W/w"; chmod 755 "$W" "$W/w"; cd "$W/w" || exit 2
PIDS=(); trap 'for p in "${PIDS[@]}"; do kill "$p" 2>/dev/null; done; rm -rf "$W"' EXIT
export EGRESS_AUDIT_DIR="$W/audit"
unset EGRESS_POLICY NODE_EXTRA_CA_CERTS NODE_OPTIONS SSL_CERT_FILE HTTP_PROXY HTTPS_PROXY http_proxy https_proxy
egress() { node "$EGRESS/${EGRESS_MAIN:-dist/src/main.js}" "$@"; }
upstream() { # script on stdin; prints its port first
  cat > "$W/up.mjs"; node "$W/up.mjs" > "$W/port" 2> "$W/up.err" & PIDS+=("$!")
  for _ in $(seq 100); do [ -s "$W/port" ] && break; sleep 0.1; done
  PORT=$(head -1 "$W/port"); [ -n "$PORT" ] || { echo "no upstream: $(cat "$W/up.err")"; exit 2; }
}
verdict() { if [ "$1" = 1 ]; then echo "RIGHT: $2"; exit 0; else echo "WRONG: $2"; exit 1; fi; }
upstream <<'J'
import http from 'node:http'
const B = Buffer.alloc(5000, 'abcdefgh')
const s = http.createServer((q, r) => { const m = /^bytes=-(\d+)$/.exec(q.headers.range ?? ''); if (m) { r.writeHead(206, { 'content-range': `bytes ${5000 - m[1]}-4999/5000` }); r.end(B.subarray(5000 - m[1])) } else r.end(B) }); s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
cat > egress.yaml <<E
services:
  api: { url: "http://api.example.com", allow_plaintext: true, allow_private_addresses: true, credential: { bearer: "\${TOK}" }, rules: [ { allow: "* /**" } ] }
allow: [ { host: plain.example.com, scheme: http, allow_private_addresses: true } ]
upstream: { hosts: { api.example.com: "127.0.0.1:$PORT", plain.example.com: "127.0.0.1:$PORT" } }
E
export TOK=tok-0123456789abcdef-real

egress run -- sh -c 'unset http_proxy HTTP_PROXY; for h in plain api; do echo "$h $(curl -s -r -8 -o /dev/null -w "%{http_code} %{size_download}" http://$h.example.com/f)"; done' > out 2>err
grep -q '^plain 206 8' out || { cat out err; exit 2; }
if grep -q '^api 206 8' out || grep -rqi 'Range' "$EGRESS/docs/policy.md" "$EGRESS/README.md"; then o=1; else o=0; fi
verdict $o "last 8 bytes (parquet, zip): $(grep api out)"
