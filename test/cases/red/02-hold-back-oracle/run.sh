#!/bin/bash
# exit 0: resists, 1: code in the sandbox learns the real token from what the gateway holds back in a stream
set -u; : "${EGRESS:?path of a built checkout}"; here=$(cd "$(dirname "$0")" && pwd); w=$(mktemp -d); chmod 755 $w
export REAL=ghp_$(head -c 48 /dev/urandom | base64 | tr -dc A-Za-z0-9 | head -c 36) PORT=$((30000+RANDOM%20000))
node $here/follow.mjs & s=$!; trap 'kill $s; rm -rf $w' EXIT; sleep .5
cat > $w/egress.yaml <<Y
services:
  log:
    url: http://log.test:8080
    credential: { bearer: "\${LOG_TOKEN}" }
    rules: [{ allow: "GET,POST /**" }]
    allow_plaintext: true
    allow_private_addresses: true
upstream: { hosts: { log.test: "127.0.0.1:$PORT" } }
Y
cd $w
# Who looks at what waits as a whole, and who looks at what of a line has passed.
for agent in agent agent_lines; do
  cp $here/$agent.py $w/agent.py
  out=$(LOG_TOKEN=$REAL timeout 80 node $EGRESS/${EGRESS_MAIN:-dist/src/main.js} run --audit-dir $w/audit -- sh -c 'exec python3 agent.py "$(printf %.4s "$LOG_TOKEN")"' 2>&1); echo "$out"; echo "real:      $REAL"
  got=$(sed -n "s/.*RECOVERED: \['\([^']*\)'.*/\1/p" <<<"$out")
  if [ ${#got} -ge 16 ] && [[ $REAL == *"$got"* ]]; then echo "VULNERABLE: ${#got} of ${#REAL} characters"; exit 1; fi
  [[ $out == *RECOVERED* ]] || { echo "$agent did not end"; exit 2; }
done
echo resists; exit 0
