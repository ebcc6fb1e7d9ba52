#!/bin/bash
# In a linked worktree (and below the top of a repository) git does not work, and nothing says why
# source: openai/codex#19786, #27418, anthropics/claude-code#17374
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
cd "$W"; git init -q -b main repo; git -C repo -c user.name=a -c user.email=b commit -q --allow-empty -m x; git -C repo worktree add -q "$W/wt" -b f || exit 2; mkdir -p repo/sub
for d in wt repo repo/sub; do printf 'allow: [ { host: pkg.example.com } ]\n' > $d/egress.yaml; done; chown -R 4321:4321 "$W/repo" "$W/wt" 2>/dev/null; chmod -R a+rX "$W"
cd "$W/repo" && egress run -- git rev-parse --abbrev-ref HEAD > "$W/top" 2>&1; grep -q main "$W/top" || { cat "$W/top"; exit 2; }
ok=1; msg=
for d in wt repo/sub; do cd "$W/$d"; egress run -- git rev-parse --abbrev-ref HEAD > "$W/o" 2> "$W/e"; if ! grep -qE '^(f|main)$' "$W/o" && ! grep -q -- '--mount' "$W/e"; then ok=0; msg="$msg $d: $(head -1 "$W/e" | cut -c1-110);"; fi; done
verdict $ok "git works, or the gateway says which --mount would help;$msg"
