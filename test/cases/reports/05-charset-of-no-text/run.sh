#!/bin/bash
# Charsets that are ASCII supersets or mean "bytes", from a service with a credential
# source: mitmproxy/mitmproxy#3485, #4415; PHP finfo and file(1) print charset=binary
. "$(dirname "$0")/../lib/case.sh"
upstream <<'J'
import net from 'node:net'
const R = { '/binary': 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Type: application/zip; charset=binary\r\n\r\npayload', '/u8': 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Type: text/plain; charset=utf8mb4\r\n\r\npayload', '/i': 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Type: text/plain; charset=iso_8859-1\r\n\r\npayload', '/w': 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Type: text/plain; charset=windows-31j\r\n\r\npayload' }
const s = net.createServer(c => { c.on('error', () => 0); c.on('data', d => { const p = d.toString('latin1').split(' ')[1]; c.write(R[p] ?? 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ncontrol') }) })
s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
service_and_plain_host

egress run -- sh -c 'unset http_proxy HTTP_PROXY; for p in /control /binary /u8 /i /w; do echo "$p $(curl -s --max-time 8 -o /tmp/b -w "%{http_code}" "http://api.example.com$p") $(head -c 60 /tmp/b; rm -f /tmp/b)"; done' > out 2> err
grep -q '^/control 200 control' out || { cat out err; exit 2; }
ok=1; bad=
r=$(grep '^/binary ' out | cut -d' ' -f2-); [ "$r" = "200 payload" ] || { ok=0; bad="$bad /binary=[$r]"; }
r=$(grep '^/u8 ' out | cut -d' ' -f2-); [ "$r" = "200 payload" ] || { ok=0; bad="$bad /u8=[$r]"; }
r=$(grep '^/i ' out | cut -d' ' -f2-); [ "$r" = "200 payload" ] || { ok=0; bad="$bad /i=[$r]"; }
r=$(grep '^/w ' out | cut -d' ' -f2-); [ "$r" = "200 payload" ] || { ok=0; bad="$bad /w=[$r]"; }
verdict $ok "expected 200 payload for each;$bad"
