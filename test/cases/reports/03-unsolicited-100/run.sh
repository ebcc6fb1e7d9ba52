#!/bin/bash
# An upstream that sends 100 Continue though nobody asked
# source: nodejs/undici#197, mswjs/interceptors#599, lysine-dev/okhttp#3766
. "$(dirname "$0")/../lib/case.sh"
upstream <<'J'
import net from 'node:net'
const R = { '/a': 'HTTP/1.1 100 Continue\r\n\r\n' + 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nX: 1\r\n\r\npayload' }
const s = net.createServer(c => { c.on('error', () => 0); c.on('data', d => { const p = d.toString('latin1').split(' ')[1]; c.write(R[p] ?? 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ncontrol') }) })
s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
service_and_plain_host

egress run -- sh -c 'unset http_proxy HTTP_PROXY; for p in /control /a; do echo "$p $(curl -s --max-time 8 -o /tmp/b -w "%{http_code}" "http://api.example.com$p") $(head -c 60 /tmp/b; rm -f /tmp/b)"; done' > out 2> err
grep -q '^/control 200 control' out || { cat out err; exit 2; }
ok=1; bad=
r=$(grep '^/a ' out | cut -d' ' -f2-); [ "$r" = "200 payload" ] || { ok=0; bad="$bad /a=[$r]"; }
verdict $ok "expected 200 payload for each;$bad"
