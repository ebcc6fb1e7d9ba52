#!/bin/bash
# One-shot clients, an upstream that closes idle connections without a word: POST and PUT
# source: caddyserver/caddy#6452, h2o/h2o#281, sozu-proxy/sozu#1442, mitmproxy/mitmproxy#3038
. "$(dirname "$0")/../lib/case.sh"
upstream <<'J'
import http from 'node:http'
const s = http.createServer({ keepAliveTimeout: 0 }, (q, r) => { q.resume(); q.on('end', () => { r.setHeader('connection', 'keep-alive'); r.end('ok'); setTimeout(() => q.socket.destroy(), q.url.slice(1)) }) }); s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
service_and_plain_host

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
