#!/bin/bash
# A response head of 20 to 40 KiB (the request side takes 64)
# source: GUI: GSA/api.data.gov#461, vercel/next.js#54709, calpaterson/csvbase#132
. "$(dirname "$0")/../lib/case.sh"
upstream <<'J'
import net from 'node:net'
const R = { '/csp': 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Security-Policy: ' + 'a'.repeat(20000) + '\r\n\r\npayload', '/cookies': 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n' + Array.from({length: 60}, (_, i) => `Link: <https://x.example/${i}/${'v'.repeat(480)}>; rel=next`).join('\r\n') + '\r\n\r\npayload' }
const s = net.createServer(c => { c.on('error', () => 0); c.on('data', d => { const p = d.toString('latin1').split(' ')[1]; c.write(R[p] ?? 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ncontrol') }) })
s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
service_and_plain_host

egress run -- sh -c 'unset http_proxy HTTP_PROXY; for p in /control /csp /cookies; do echo "$p $(curl -s --max-time 8 -o /tmp/b -w "%{http_code}" "http://api.example.com$p") $(head -c 60 /tmp/b; rm -f /tmp/b)"; done' > out 2> err
grep -q '^/control 200 control' out || { cat out err; exit 2; }
ok=1; bad=
r=$(grep '^/csp ' out | cut -d' ' -f2-); [ "$r" = "200 payload" ] || { ok=0; bad="$bad /csp=[$r]"; }
r=$(grep '^/cookies ' out | cut -d' ' -f2-); [ "$r" = "200 payload" ] || { ok=0; bad="$bad /cookies=[$r]"; }
verdict $ok "expected 200 payload for each;$bad"
