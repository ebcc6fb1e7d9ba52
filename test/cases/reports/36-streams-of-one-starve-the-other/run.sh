#!/bin/bash
# egress serve: one sandbox with 256 open event streams, and another sandbox gets nothing from that service
# source: diegosouzapw/OmniRoute#4288, air-verse/air#754, HFQR/xitca-web#1383
. "$(dirname "$0")/../lib/case.sh"
[ "$(id -u)" = 0 ] && unshare -n true 2>/dev/null || { echo "needs root and a network namespace"; exit 2; }
cat > "$W/up.mjs" <<'J'
import http from 'node:http'
http.createServer((q, r) => { if (q.url === '/sse') { r.writeHead(200, { 'content-type': 'text/event-stream' }); r.write('data: 1\n\n') } else r.end('ok') }).listen(18080, '127.0.0.1')
J
PORT=18080
service_and_plain_host

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
