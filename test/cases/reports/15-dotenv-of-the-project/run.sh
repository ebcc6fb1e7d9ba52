#!/bin/bash
# A project's own .env with lines that its framework takes stops the gateway, though the policy has no secret
# source: huggingface/huggingface_hub#4634, wemake-services/dotenv-linter#504, motdotla/dotenv#664
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
printf 'allow: [ { host: pkg.example.com } ]\n' > egress.yaml
printf 'APP=demo\n' > .env; [ "$(egress run -- echo started 2>err)" = started ] || { cat err; exit 2; }
ok=1; bad=
try() { printf "$1" > .env; [ "$(egress run -- echo started 2>err)" = started ] || { ok=0; bad="$bad [$(head -1 err | cut -c1-90)]"; }; }
try 'KEY="-----BEGIN KEY-----\\nabc\\n-----END KEY-----"\n'
try 'KEY="-----BEGIN KEY-----\nabc\n-----END KEY-----"\n'
try 'MAIL_FROM=Hello World\nWIN=C:\\\\tmp\n'
try 'A=1\nA=2\n'
verdict $ok "refused:$bad"
