#!/bin/bash
# In a linked worktree (and below the top of a repository) git does not work, and nothing says why
# source: openai/codex#19786, #27418, anthropics/claude-code#17374
. "$(dirname "$0")/../lib/case.sh"
cd "$W"; git init -q -b main repo; git -C repo -c user.name=a -c user.email=b commit -q --allow-empty -m x; git -C repo worktree add -q "$W/wt" -b f || exit 2; mkdir -p repo/sub
for d in wt repo repo/sub; do printf 'allow: [ { host: pkg.example.com } ]\n' > $d/egress.yaml; done; chown -R 4321:4321 "$W/repo" "$W/wt" 2>/dev/null; chmod -R a+rX "$W"
cd "$W/repo" && egress run -- git rev-parse --abbrev-ref HEAD > "$W/top" 2>&1; grep -q main "$W/top" || { cat "$W/top"; exit 2; }
ok=1; msg=
for d in wt repo/sub; do cd "$W/$d"; egress run -- git rev-parse --abbrev-ref HEAD > "$W/o" 2> "$W/e"; if ! grep -qE '^(f|main)$' "$W/o" && ! grep -q -- '--mount' "$W/e"; then ok=0; msg="$msg $d: $(head -1 "$W/e" | cut -c1-110);"; fi; done
verdict $ok "git works, or the gateway says which --mount would help;$msg"
