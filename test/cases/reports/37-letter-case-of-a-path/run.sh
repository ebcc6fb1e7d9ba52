#!/bin/bash
# A deny rule for one repository, and the same repository in other letters: allowed, with the credential
# source: mattolson/agent-sandbox#165, jkaninda/goma-gateway#595, verdaccio/verdaccio#6089
. "$(dirname "$0")/../lib/case.sh"
upstream <<'J'
import http from 'node:http' // GitHub, Windows servers and others take names in any case
const s = http.createServer((q, r) => r.end(`${q.url.toLowerCase().startsWith('/repos/acme/secret/') ? 'SECRET' : 'public'} ${q.headers.authorization ? 'with credential' : ''}`)); s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
cat > egress.yaml <<E
services:
  github:
    url: "http://api.example.com"
    allow_plaintext: true
    allow_private_addresses: true
    credential: { bearer: "\${TOK}" }
    rules:
      - deny: "* /repos/acme/secret/**"
      - allow: GET /repos/acme/**
upstream: { hosts: { api.example.com: "127.0.0.1:$PORT" } }
E
export TOK=tok-0123456789abcdef-real
egress check > chk 2>&1 || { cat chk; exit 2; }
egress run -- sh -c 'unset http_proxy HTTP_PROXY; for p in app/x secret/x SECRET/x Secret/x; do echo "$p $(curl -s http://api.example.com/repos/acme/$p | head -c 60)"; done' > out 2>err
grep -q '^app/x public with credential' out && grep -q '^secret/x {' out || { cat out err; exit 2; }
if grep -qE '^S(ECRET|ecret)/x SECRET' out && ! grep -qiE 'case.?(in)?sensitive|letter case|case (counts|matters)' chk "$EGRESS/docs/policy.md" "$EGRESS/docs/presets.md"; then o=0; else o=1; fi
verdict $o "$(grep ^S out | tr '\n' ';') and nothing says that case counts"
