#!/bin/bash
# An authority in the host's own store (a company's, or one that inspects TLS) is not trusted upstream
# source: NVIDIA/OpenShell#862, #813, NVIDIA/NemoClaw#6210, VirtusLab/sandcat#92
. "$(dirname "$0")/../lib/case.sh"
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 9 -subj "/CN=Company CA" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout i.key -out i.csr -subj "/CN=Company Issuing CA" 2>/dev/null; printf 'basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign
' > i.ext; openssl x509 -req -in i.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -extfile i.ext -out int.pem 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout l.key -out l.csr -subj "/CN=git.corp.example" 2>/dev/null; printf 'subjectAltName=DNS:git.corp.example
' > l.ext; openssl x509 -req -in l.csr -CA int.pem -CAkey i.key -CAcreateserial -days 9 -extfile l.ext -out l.pem 2>/dev/null; cat l.pem int.pem > chain.pem
export KEYS="$PWD"
upstream <<'J'
import https from 'node:https'; import fs from 'node:fs'
const s = https.createServer({ key: fs.readFileSync(process.env.KEYS + '/l.key'), cert: fs.readFileSync(process.env.KEYS + '/chain.pem') }, (q, r) => r.end('payload')); s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J

[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null || exit 2
B=/etc/ssl/certs/ca-certificates.crt; [ -f $B ] || exit 2
cat $B ca.pem > "$W/bundle"; chmod 644 "$W/bundle"
printf 'allow: [ { host: git.corp.example, allow_private_addresses: true } ]\nupstream: { hosts: { git.corp.example: "127.0.0.1:%s" } }\n' "$PORT" > egress.yaml
cat > in.sh <<X
mount --bind "$W/bundle" $B || exit 2
echo "direct \$(curl -s --resolve git.corp.example:$PORT:127.0.0.1 https://git.corp.example:$PORT/)"
echo "gateway \$(node "$EGRESS/${EGRESS_MAIN:-dist/src/main.js}" run -- curl -s https://git.corp.example/ | head -c 200)"
X
unshare -m bash in.sh > out 2>err
grep -q '^direct payload' out || { cat out err; exit 2; }
grep -q '^gateway payload' out && o=1 || o=0
verdict $o "curl outside trusts it; $(grep ^gateway out | grep -oE 'payload|"detail":"[^"]*"')"
