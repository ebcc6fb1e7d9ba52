#!/bin/bash
# egress serve: one sandbox with 256 open event streams, and another sandbox gets nothing from that service
# source: diegosouzapw/OmniRoute#4288, air-verse/air#754, HFQR/xitca-web#1383
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
[ "$(id -u)" = 0 ] && unshare -n true 2>/dev/null || { echo "needs root and a network namespace"; exit 2; }
cat > "$W/up.mjs" <<'J'
import http from 'node:http'
http.createServer((q, r) => { if (q.url === '/sse') { r.writeHead(200, { 'content-type': 'text/event-stream' }); r.write('data: 1\n\n') } else r.end('ok') }).listen(18080, '127.0.0.1')
J
PORT=18080
cat > egress.yaml <<E
services:
  api: { url: "http://api.example.com", allow_plaintext: true, allow_private_addresses: true, credential: { bearer: "\${TOK}" }, rules: [ { allow: "* /**" } ] }
allow: [ { host: plain.example.com, scheme: http, allow_private_addresses: true } ]
upstream: { hosts: { api.example.com: "127.0.0.1:$PORT", plain.example.com: "127.0.0.1:$PORT" } }
E
export TOK=tok-0123456789abcdef-real

cat > c.py <<'P'
import socket,time
def conn(src):
    s=socket.socket(); s.settimeout(6); s.bind((src,0)); s.connect((src[:-1]+'3',80)); return s
def get(src):
    try:
        s=conn(src); s.sendall(b'GET /x HTTP/1.1\r\nHost: api.example.com\r\n\r\n'); return s.recv(4096).split(b'\r\n')[0].decode()
    except Exception as e: return repr(e)
print('before', get('127.2.0.4')); S=[]
for i in range(256):
    s=conn('127.1.0.4'); s.sendall(b'GET /sse HTTP/1.1\r\nHost: api.example.com\r\n\r\n'); S.append(s)
time.sleep(2); print('during', get('127.2.0.4'))
P
cat > in.sh <<X
ip link set lo up; node "$W/up.mjs" & U=\$!
EGRESS_NETWORK_A="127.1.0.0/29 default" EGRESS_NETWORK_B="127.2.0.0/29 default" EGRESS_STATE_DIR="$W/state" EGRESS_RUN_DIR="$W/run" node "$EGRESS/${EGRESS_MAIN:-dist/src/main.js}" serve > "$W/log" 2>&1 & G=\$!
for i in \$(seq 100); do grep -q 'ready' "$W/log" && break; sleep 0.1; done
python3 c.py; kill \$G \$U
X
timeout 60 unshare -n bash in.sh > out 2>err
grep -q '^before HTTP/1.1 200' out || { cat out err; head -3 "$W/log"; exit 2; }
grep -qE '^during HTTP/1.1 (200|503)' out && o=1 || o=0
verdict $o "the other sandbox: $(grep during out)"
