# shellcheck shell=bash
# Sourced by each case: a work directory that is removed at the end, in which the script goes on, and what cases have in common.
# A case exits with 0 where the product is right, 1 where it is wrong, 2 where it could not be tried.
# Needs EGRESS=<built checkout>, node, curl, python3.
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
# A service with a credential and a host without one, both at the upstream.
service_and_plain_host() {
cat > egress.yaml <<E
services:
  api: { url: "http://api.example.com", allow_plaintext: true, allow_private_addresses: true, credential: { bearer: "\${TOK}" }, rules: [ { allow: "* /**" } ] }
allow: [ { host: plain.example.com, scheme: http, allow_private_addresses: true } ]
upstream: { hosts: { api.example.com: "127.0.0.1:$PORT", plain.example.com: "127.0.0.1:$PORT" } }
E
export TOK=tok-0123456789abcdef-real
}
