#!/bin/bash
# One-shot clients, an upstream that closes idle connections without a word: POST and PUT
# source: caddyserver/caddy#6452, h2o/h2o#281, sozu-proxy/sozu#1442, mitmproxy/mitmproxy#3038
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
const s = http.createServer({ keepAliveTimeout: 0 }, (q, r) => { q.resume(); q.on('end', () => { r.setHeader('connection', 'keep-alive'); r.end('ok'); setTimeout(() => q.socket.destroy(), q.url.slice(1)) }) }); s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
cat > egress.yaml <<E
services:
  api: { url: "http://api.example.com", allow_plaintext: true, allow_private_addresses: true, credential: { bearer: "\${TOK}" }, rules: [ { allow: "* /**" } ] }
allow: [ { host: plain.example.com, scheme: http, allow_private_addresses: true } ]
upstream: { hosts: { api.example.com: "127.0.0.1:$PORT", plain.example.com: "127.0.0.1:$PORT" } }
E
export TOK=tok-0123456789abcdef-real

cat > c.py <<'P'
import socket,sys,time
def run(addr,n=150):
    bad={'GET':0,'POST':0,'PUT':0}
    for m in bad:
        for i in range(n):
            s=socket.create_connection(addr,timeout=10); s.sendall(f'{m} /{i%3} HTTP/1.1\r\nHost: plain.example.com\r\nConnection: close\r\n'.encode()+(b'\r\n' if m=='GET' else b'Content-Length: 1\r\n\r\nx'))
            if b' 200 ' not in s.recv(4096): bad[m]+=1
            s.close()
    return bad
print(run(('127.0.0.1',int(sys.argv[1]))))
P
python3 c.py $PORT > direct || exit 2
grep -q "{'GET': 0, 'POST': 0, 'PUT': 0}" direct || { cat direct; exit 2; }
egress run -- /usr/bin/python3 c.py 80 > out 2>err
grep -q GET out || { cat err; exit 2; }
grep -q "{'GET': 0, 'POST': 0, 'PUT': 0}" out && o=1 || o=0
verdict $o "failures of 150 one-shot requests each, directly $(cat direct), through the gateway $(cat out)"
