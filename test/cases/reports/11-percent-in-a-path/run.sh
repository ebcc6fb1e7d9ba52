#!/bin/bash
# A literal percent sign in a path (%25xx), where the rule allows every path
# source: Jenkins multibranch: OasisLMF/OasisPlatform#439; Hive partitions in S3: apache/doris#53791, sirius-db/sirius#1229
. "$(dirname "$0")/../lib/case.sh"
upstream <<'J'
import http from 'node:http'
const s = http.createServer((q, r) => r.end('seen ' + q.url)); s.listen(0, '127.0.0.1', () => console.log(s.address().port))
J
service_and_plain_host

egress run -- sh -c 'unset http_proxy HTTP_PROXY; for p in /control /job/app/job/feature%252Flogin/api/json /lake/ts%3D2024-01-01%2000%253A00%253A00/part-0.parquet /files/50%25ab.txt; do echo "$(curl -s --path-as-is "http://api.example.com$p" | head -c 100)"; done' > out 2>err
grep -q '^seen /control' out || { cat out err; exit 2; }
[ "$(grep -c '^seen' out)" = 4 ] && o=1 || o=0
verdict $o "of 3 such paths $(( $(grep -c '^seen' out) - 1 )) arrived; $(grep -o '"reason":"[^"]*"' out | sort | uniq -c | tr '\n' ' ')"
