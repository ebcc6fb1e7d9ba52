#!/bin/bash
# A download whose Content-Disposition holds raw UTF-8, behind Content-Length
# source: anthropic-experimental/sandbox-runtime#490, openclaw/openclaw#155559
. "$(dirname "$0")/../lib/case.sh"
upstream <<'J'
import net from 'node:net'
const R = { '/cjk': Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Disposition: attachment; filename="\u4e2d\u6587.pdf"\r\n\r\npayload') }
const s = net.createServer(c => { c.on('error', () => 0); c.on('data', d => { const p = d.toString('latin1').split(' ')[1]; c.write(R[p] ?? 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ncontrol') }) })
s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
service_and_plain_host

egress run -- sh -c 'unset http_proxy HTTP_PROXY; for p in /control /cjk; do echo "$p $(curl -s --max-time 8 -o /tmp/b -w "%{http_code}" "http://api.example.com$p") $(head -c 60 /tmp/b; rm -f /tmp/b)"; done' > out 2> err
grep -q '^/control 200 control' out || { cat out err; exit 2; }
ok=1; bad=
r=$(grep '^/cjk ' out | cut -d' ' -f2-); [ "$r" = "200 payload" ] || { ok=0; bad="$bad /cjk=[$r]"; }
verdict $ok "expected 200 payload for each;$bad"
