#!/bin/bash
# response_timeout is longer than idle_timeout: a client that waits for its answer is cut off without one
# source: BerriAI/litellm#9551, kagent-dev/kagent#779, kubernetes-sigs/agent-sandbox#369
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
const s = http.createServer((q, r) => { q.resume(); setTimeout(() => r.end('answer'), q.url === '/slow' ? 3500 : 0) }); s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
cat > egress.yaml <<E
services:
  api: { url: "http://api.example.com", allow_plaintext: true, allow_private_addresses: true, credential: { bearer: "\${TOK}" }, rules: [ { allow: "* /**" } ] }
allow: [ { host: plain.example.com, scheme: http, allow_private_addresses: true } ]
upstream: { hosts: { api.example.com: "127.0.0.1:$PORT", plain.example.com: "127.0.0.1:$PORT" } }
E
export TOK=tok-0123456789abcdef-real

echo 'http: { response_timeout: 30s, idle_timeout: 2s }' >> egress.yaml
egress check > chk 2>&1 || verdict 1 "refused at the start: $(head -1 chk)"
egress run -- sh -c 'unset http_proxy HTTP_PROXY; for p in /fast /slow; do echo "$p $(curl -s -d x -o /tmp/b -w "%{http_code}" http://api.example.com$p) $(cat /tmp/b)"; rm -f /tmp/b; done' > out 2>err
grep -q '^/fast 200 answer' out || { cat out err; exit 2; }
grep -q '^/slow 200 answer' out && o=1 || o=0
verdict $o "$(grep slow out), logged as: $(egress logs http --json | grep -o '"reason":"client-abort"' | head -1)"
