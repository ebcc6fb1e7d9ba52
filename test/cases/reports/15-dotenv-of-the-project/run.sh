#!/bin/bash
# A project's own .env with lines that its framework takes stops the gateway, though the policy has no secret
# source: huggingface/huggingface_hub#4634, wemake-services/dotenv-linter#504, motdotla/dotenv#664
. "$(dirname "$0")/../lib/case.sh"
printf 'allow: [ { host: pkg.example.com } ]\n' > egress.yaml
printf 'APP=demo\n' > .env; [ "$(egress run -- echo started 2>err)" = started ] || { cat err; exit 2; }
ok=1; bad=
try() { printf "$1" > .env; [ "$(egress run -- echo started 2>err)" = started ] || { ok=0; bad="$bad [$(head -1 err | cut -c1-90)]"; }; }
try 'KEY="-----BEGIN KEY-----\\nabc\\n-----END KEY-----"\n'
try 'KEY="-----BEGIN KEY-----\nabc\n-----END KEY-----"\n'
try 'MAIL_FROM=Hello World\nWIN=C:\\\\tmp\n'
try 'A=1\nA=2\n'
verdict $ok "refused:$bad"
