#!/bin/bash
# Two runs at once in one directory. The first one ends, and with it the egress.yaml that it had reserved; the sandbox of the
# second one then leaves its own, whose secret is a command. A second try: the user saves the policy as editors do, by a rename,
# and the sandbox that has opened it in that moment writes to it later. 0: resists, 1: code ran on the host
set -u; : "${EGRESS:?path of a built checkout}"; w=$(mktemp -d); chmod 755 $w; mkdir $w/project $w/home $w/policy; m=$w/home/pwned
printf 'allow: [{ host: pkg.example.com }]\n' > $w/policy/p.yaml
printf 'services:\n  x:\n    url: https://x.example\n    credential: { bearer: "${T}" }\n    rules: [{ allow: GET /** }]\nsecrets:\n  T: { command: [sh, -c, "id > %s; echo 0123456789abcdef"] }\n' $m > $w/project/evil
as=; [ $(id -u) = 0 ] && { chown -R 61000:61000 $w; as='setpriv --reuid=61000 --regid=61000 --clear-groups'; }
E="$as env HOME=$w/home node $EGRESS/${EGRESS_MAIN:-dist/src/main.js}"; cd $w/project; rc=0
plant='touch two; for i in $(seq 100); do cp evil egress.yaml 2>/dev/null && break; sleep 0.1; done'
$E run --audit-dir $w/a --policy $w/policy/p.yaml --write -- sh -c 'touch one; while [ ! -e two ]; do sleep 0.2; done' >$w/1 2>&1 &
for i in $(seq 300); do [ -e one ] && break; sleep 0.1; done
$E run --audit-dir $w/b --policy $w/policy/p.yaml --write -- sh -c "$plant" >$w/2 2>&1; wait
$E check >$w/3 2>&1; [ -e $m ] && { echo "two runs: egress check ran the agent's program: $(cat $m)"; rc=1; }
rm -f egress.yaml $m; cp $w/policy/p.yaml egress.yaml; [ $(id -u) = 0 ] && chown 61000:61000 egress.yaml
race='$| = 1; open(my $u, ">", "up"); my $end = time + 15;
while (time < $end) { open(my $f, "+<", "egress.yaml") or next; -s $f or next; sleep 2; open(my $e, "<", "evil"); local $/; print $f <$e>; exit }'
$E run --audit-dir $w/c --policy $w/policy/p.yaml --write -- perl -e "$race" >$w/4 2>&1 &
for i in $(seq 300); do [ -e up ] && break; sleep 0.1; done
for i in 1 2 3 4 5; do $as cp $w/policy/p.yaml new; $as mv new egress.yaml; sleep 0.3; done; wait
grep -q evil -- egress.yaml || grep -q command egress.yaml && echo 'the policy that the user saved during the run has the text of the sandbox'
$E check >$w/5 2>&1; [ -e $m ] && { echo "saved during a run: egress check ran the agent's program: $(cat $m)"; rc=1; }
rm -f egress.yaml; $as cp $w/policy/p.yaml egress.yaml; $E check >$w/6 2>&1 || { echo "a policy of the user's own is refused: $(head -1 $w/6)"; rc=1; }
[ $rc = 0 ] && echo 'nothing of a sandbox ran on the host'
rm -rf $w; exit $rc
