#!/bin/bash
# The upstream answers 413 and closes while the body is still coming
# source: envoyproxy/envoy#2929, dotnet/yarp#1501, villadora/express-http-proxy#546, apache/apisix#13366
. "$(dirname "$0")/../lib/case.sh"
upstream <<'J'
import http from 'node:http'
const s = http.createServer((q, r) => { r.writeHead(413, { connection: 'close', 'content-length': 9 }); r.end('too large', () => q.socket.destroy()) })
s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
service_and_plain_host

head -c 20000000 /dev/zero > big
n=0; for _ in 1 2 3 4 5 6 7 8; do [ "$(curl -s -H Expect: -o /dev/null -w '%{http_code}' -T big "http://127.0.0.1:$PORT/")" = 413 ] && n=$((n+1)); done
[ $n -ge 6 ] || { echo "a direct client does not see it here either ($n of 8)"; exit 2; }
egress run -- sh -c 'unset http_proxy HTTP_PROXY; for i in 1 2 3 4 5 6 7 8; do curl -s --max-time 20 -H Expect: -o /dev/null -w "%{http_code}\n" -T big http://plain.example.com/; done' > out 2>err
g=$(grep -c '^413' out); [ "$g" -ge 6 ] && o=1 || o=0
verdict $o "directly 413 in $n of 8; through the gateway: $(tr '\n' ' ' < out)"
