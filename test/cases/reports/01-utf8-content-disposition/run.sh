#!/bin/bash
# A download whose Content-Disposition holds raw UTF-8, behind Content-Length
# source: anthropic-experimental/sandbox-runtime#490, openclaw/openclaw#155559
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
import net from 'node:net'
const R = { '/cjk': Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Disposition: attachment; filename="\u4e2d\u6587.pdf"\r\n\r\npayload') }
const s = net.createServer(c => { c.on('error', () => 0); c.on('data', d => { const p = d.toString('latin1').split(' ')[1]; c.write(R[p] ?? 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ncontrol') }) })
s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
cat > egress.yaml <<E
services:
  api: { url: "http://api.example.com", allow_plaintext: true, allow_private_addresses: true, credential: { bearer: "\${TOK}" }, rules: [ { allow: "* /**" } ] }
allow: [ { host: plain.example.com, scheme: http, allow_private_addresses: true } ]
upstream: { hosts: { api.example.com: "127.0.0.1:$PORT", plain.example.com: "127.0.0.1:$PORT" } }
E
export TOK=tok-0123456789abcdef-real

egress run -- sh -c 'unset http_proxy HTTP_PROXY; for p in /control /cjk; do echo "$p $(curl -s --max-time 8 -o /tmp/b -w "%{http_code}" "http://api.example.com$p") $(head -c 60 /tmp/b; rm -f /tmp/b)"; done' > out 2> err
grep -q '^/control 200 control' out || { cat out err; exit 2; }
ok=1; bad=
r=$(grep '^/cjk ' out | cut -d' ' -f2-); [ "$r" = "200 payload" ] || { ok=0; bad="$bad /cjk=[$r]"; }
verdict $ok "expected 200 payload for each;$bad"
