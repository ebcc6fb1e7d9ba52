#!/bin/bash
# A bearer token with a character that no header can hold passes the check, and every request fails with another reason
# source: own; kin of PROXY-H02 reports
. "$(dirname "$0")/../lib/case.sh"
upstream <<'J'
import http from 'node:http'
const s = http.createServer((q, r) => r.end('ok')); s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
service_and_plain_host

export TOK='pass-日本-0123456789'
egress check > chk 2>&1 && c=valid || c=refused
[ $c = refused ] && verdict 1 "refused at the start: $(head -1 chk)"
egress run -- curl -s http://api.example.com/ > out 2>err
verdict 0 "check says valid, a request gets: $(cut -c1-150 out)"
