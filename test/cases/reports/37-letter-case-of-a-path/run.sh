#!/bin/bash
# A deny rule for one repository, and the same repository in other letters: allowed, with the credential
# source: mattolson/agent-sandbox#165, jkaninda/goma-gateway#595, verdaccio/verdaccio#6089
# exit 0: the product is right; 1: it is wrong; 2: the case could not be tried. Needs EGRESS=<built checkout>, node, curl, python3.
set -u
: "${EGRESS:?path of a built checkout}"
W=$(mktemp -d); mkdir "$W/w"; chmod 755 "$W" "$W/w"; cd "$W/w" || exit 2
PIDS=(); trap 'for p in "${PIDS[@]}"; do kill "$p" 2>/dev/null; done; rm -rf "$W"' EXIT
export EGRESS_AUDIT_DIR="$W/audit"
unset EGRESS_POLICY NODE_EXTRA_CA_CERTS NODE_OPTIONS SSL_CERT_FILE HTTP_PROXY HTTPS_PROXY http_proxy https_proxy
egress() { node "$EGRESS/${EGRESS_MAIN:-dist/src/main.js}" "$@"; }
upstream() { # script on stdin; prints its port first
  cat > "$W/up.mjs"; node "$W/up.mjs" > "$W/port" 2> "$W/up.err" & PIDS+=("$!")
  for _ in $(seq 100); do [ -s "$W/port" ] && break; sleep 0.1; done
  PORT=$(head -1 "$W/port"); [ -n "$PORT" ] || { echo "no upstream: $(cat "$W/up.err")"; exit 2; }
}
verdict() { if [ "$1" = 1 ]; then echo "RIGHT: $2"; exit 0; else echo "WRONG: $2"; exit 1; fi; }
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
