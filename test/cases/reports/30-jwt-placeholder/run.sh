#!/bin/bash
# The placeholder of a secret that is a JWT is no JWT: clients that read its claims fail before they ask
# source: NVIDIA/OpenShell#894, majorcontext/moat#277
. "$(dirname "$0")/../lib/case.sh"
PORT=1
service_and_plain_host

export TOK=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoiYW5vbiIsImV4cCI6MjAwMDAwMDAwMH0.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl
egress run -- sh -c 'echo "$TOK"' > out 2>err; [ -s out ] || { cat err; exit 2; }
[ "$(tr -cd . < out | wc -c)" = 2 ] && o=1 || o=0
verdict $o "placeholder $(cat out)"
