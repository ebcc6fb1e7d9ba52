#!/bin/bash
# The upstream answers 413 and closes while the body is still coming
# source: envoyproxy/envoy#2929, dotnet/yarp#1501, villadora/express-http-proxy#546, apache/apisix#13366
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
const s = http.createServer((q, r) => { r.writeHead(413, { connection: 'close', 'content-length': 9 }); r.end('too large', () => q.socket.destroy()) })
s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
cat > egress.yaml <<E
services:
  api: { url: "http://api.example.com", allow_plaintext: true, allow_private_addresses: true, credential: { bearer: "\${TOK}" }, rules: [ { allow: "* /**" } ] }
allow: [ { host: plain.example.com, scheme: http, allow_private_addresses: true } ]
upstream: { hosts: { api.example.com: "127.0.0.1:$PORT", plain.example.com: "127.0.0.1:$PORT" } }
E
export TOK=tok-0123456789abcdef-real

head -c 20000000 /dev/zero > big
n=0; for _ in 1 2 3 4 5 6 7 8; do [ "$(curl -s -H Expect: -o /dev/null -w '%{http_code}' -T big "http://127.0.0.1:$PORT/")" = 413 ] && n=$((n+1)); done
[ $n -ge 6 ] || { echo "a direct client does not see it here either ($n of 8)"; exit 2; }
egress run -- sh -c 'unset http_proxy HTTP_PROXY; for i in 1 2 3 4 5 6 7 8; do curl -s --max-time 20 -H Expect: -o /dev/null -w "%{http_code}\n" -T big http://plain.example.com/; done' > out 2>err
g=$(grep -c '^413' out); [ "$g" -ge 6 ] && o=1 || o=0
verdict $o "directly 413 in $n of 8; through the gateway: $(tr '\n' ' ' < out)"
