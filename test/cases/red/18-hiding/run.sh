#!/bin/bash
# What docs/sandbox.md says is hidden in the work directory, and is seen. 1: something is seen or taken
set -u; : "${EGRESS:?path of a built checkout}"; w=$(mktemp -d); chmod 755 $w; mkdir -p $w/p $w/home; export HOME=$w/home; rc=0; E="node $EGRESS/${EGRESS_MAIN:-dist/src/main.js}"
mkdir "$w/p/$(printf 'Pr\xe4s')" && echo SECRET=latin1-directory > "$w/p/$(printf 'Pr\xe4s')/.env"; echo SECRET=latin1-name > "$w/p/$(printf '.env.\xe4')"; echo SECRET=plain > $w/p/.env
for f in .pgpass .my.cnf .vault-token id_dsa key.jks key.kdbx .yarnrc.yml terraform.tfstate; do echo SECRET=$f > $w/p/$f; done
printf 'allow: [{ host: pkg.example.com }]\n' > $w/policy.yaml; [ $(id -u) = 0 ] && chown -R 61000:61000 $w; cd $w
seen() { grep -aho 'SECRET=[a-zA-Z0-9._-]*' <<<"$1" | sort -u | tr '\n' ' '; }
out=$($E run --policy policy.yaml --workdir p --audit-dir $w/a -- grep -ra SECRET= . 2>/dev/null | tr -d '\0'); echo "(a) at the start: $(seen "$out")"; [ -n "$out" ] && rc=1
# (b) what comes while the agent runs
(sleep 4; echo SECRET=came-later > p/sub.env; echo SECRET=came-later > p/.env.local; python3 -c "
import socket,os; s=socket.socket(socket.AF_UNIX); s.bind('$w/p/s.sock'); os.chmod('$w/p/s.sock',0o777); s.listen(); s.settimeout(8)
try: s.accept()[0].send(b'SECRET=host-daemon')
except Exception: pass") & 
out=$($E run --policy policy.yaml --workdir p --audit-dir $w/a -- /usr/bin/python3 -c "
import time,os,socket
for i in range(80):
    time.sleep(.1)
    if os.path.exists('s.sock'): break
time.sleep(.3); print(open('.env.local').read()); s=socket.socket(socket.AF_UNIX); s.connect('s.sock'); print(s.recv(99))" 2>/dev/null); wait; echo "(b) later: $(seen "$out")"; [ -n "$(seen "$out")" ] && rc=1
# (c) the policy is hidden, the .env beside it was not there: the agent leaves one, and the next gateway takes its token
rm -f p/.env p/.env.local; printf 'services:\n  x: { url: "https://x.example", credential: { bearer: "${X_TOKEN}" }, rules: [{ allow: GET /** }] }\n' > p/egress.yaml; cd p
X_TOKEN=the-real-token-01234 $E run --audit-dir $w/a --write -- sh -c 'echo X_TOKEN=token-of-the-agent-666 > .env' 2>/dev/null
if $E check >/dev/null 2>&1; then echo "(c) without X_TOKEN in the environment the next gateway takes the one that the agent left in .env: $(cat .env)"; rc=1; else echo "(c) held"; fi
rm -rf $w; exit $rc
