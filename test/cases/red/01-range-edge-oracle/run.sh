#!/bin/bash
# exit 0: resists, 1: the code in the sandbox learns the real token from an upstream that never says it
set -u; : "${EGRESS:?path of a built checkout}"; here=$(cd "$(dirname "$0")" && pwd); w=$(mktemp -d); chmod 755 $w
export REAL=${REAL:-Zq7$(head -c 24 /dev/urandom | base64 | tr -dc A-Za-z0-9 | head -c 29)} PORT=$((30000+RANDOM%20000))
node $here/store.mjs & s=$!; trap 'kill $s; rm -rf $w' EXIT; sleep .5
cat > $w/egress.yaml <<Y
services:
  store:
    url: http://store.test:8080
    credential: { bearer: "\${STORE_TOKEN}" }
    rules: [{ allow: "GET,PUT /**" }]
    allow_plaintext: true
    allow_private_addresses: true
upstream: { hosts: { store.test: "127.0.0.1:$PORT" } }
Y
cp $here/agent.py $w/; cd $w
out=$(STORE_TOKEN=$REAL node $EGRESS/${EGRESS_MAIN:-dist/src/main.js} run --audit-dir $w/audit -- python3 agent.py 2>&1); echo "$out"; echo "real:      $REAL"
for k in 8 ; do :; done
got=$(sed -n "s/.*RECOVERED: \['\([^']*\)'.*/\1/p" <<<"$out")
if [ ${#got} -ge 24 ] && [[ $REAL == *"$got"* ]]; then echo "VULNERABLE: ${#got} of ${#REAL} characters"; exit 1; fi
echo resists; exit 0
