#!/bin/bash
# A WebSocket to a name whose first address is dead
# source: nodejs/node#708, websockets-rs/rust-websocket#237, rofl0r/proxychains-ng#415
. "$(dirname "$0")/../lib/case.sh"
upstream <<'J'
import http from 'node:http'; import dgram from 'node:dgram'; import crypto from 'node:crypto'
const h = http.createServer((q, r) => r.end('http'))
h.on('upgrade', (q, s) => { const a = crypto.createHash('sha1').update(q.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64'); s.end(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${a}\r\n\r\n`) })
const d = dgram.createSocket('udp4')
d.on('message', (m, r) => { let o = 12; while (m[o]) o += m[o] + 1; o++; const t = m.readUInt16BE(o); const q = m.subarray(12, o + 4); const rec = t === 1 ? [[127, 0, 0, 9], [127, 0, 0, 1]] : []
  const h = Buffer.from(m.subarray(0, 12)); h.writeUInt16BE(0x8180, 2); h.writeUInt16BE(1, 4); h.writeUInt16BE(rec.length, 6); h.writeUInt32BE(0, 8)
  d.send(Buffer.concat([h, q, ...rec.map(a => Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...a]))]), r.port, r.address) })
h.listen(0, '127.0.0.1', () => d.bind(0, '127.0.0.1', () => console.log(h.address().port + '\n' + d.address().port)))
J
sleep 0.2; DNS=$(sed -n 2p "$W/port"); [ -n "$DNS" ] || exit 2
cat > egress.yaml <<E
allow: [ { host: multi.example.com, scheme: http, allow_private_addresses: true, ports: [$PORT] } ]
upstream: { servers: ["127.0.0.1:$DNS"] }
E
cat > c.py <<P
import socket
def one(extra):
    s=socket.create_connection(('127.0.0.1',3128),timeout=8); s.sendall(b'CONNECT multi.example.com:$PORT HTTP/1.1\r\nHost: multi.example.com:$PORT\r\n\r\n'); s.recv(4096)
    s.sendall(b'GET /x HTTP/1.1\r\nHost: multi.example.com:$PORT\r\n'+extra+b'\r\n'); return s.recv(4096).split(b' ')[1].decode()
print('http', one(b'')); print('ws', one(b'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'))
P
egress run -- /usr/bin/python3 c.py > out 2>err
grep -q '^http 200' out || { cat out err; exit 2; }
grep -q '^ws 101' out && o=1 || o=0
verdict $o "plain HTTP falls back to the second address; $(grep ws out)"
