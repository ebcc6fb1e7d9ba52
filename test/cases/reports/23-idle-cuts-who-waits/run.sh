#!/bin/bash
# response_timeout is longer than idle_timeout: a client that waits for its answer is cut off without one
# source: BerriAI/litellm#9551, kagent-dev/kagent#779, kubernetes-sigs/agent-sandbox#369
. "$(dirname "$0")/../lib/case.sh"
upstream <<'J'
import http from 'node:http'
const s = http.createServer((q, r) => { q.resume(); setTimeout(() => r.end('answer'), q.url === '/slow' ? 3500 : 0) }); s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
service_and_plain_host

echo 'http: { response_timeout: 30s, idle_timeout: 2s }' >> egress.yaml
egress check > chk 2>&1 || verdict 1 "refused at the start: $(head -1 chk)"
egress run -- sh -c 'unset http_proxy HTTP_PROXY; for p in /fast /slow; do echo "$p $(curl -s -d x -o /tmp/b -w "%{http_code}" http://api.example.com$p) $(cat /tmp/b)"; rm -f /tmp/b; done' > out 2>err
grep -q '^/fast 200 answer' out || { cat out err; exit 2; }
grep -q '^/slow 200 answer' out && o=1 || o=0
verdict $o "$(grep slow out), logged as: $(egress logs http --json | grep -o '"reason":"client-abort"' | head -1)"
