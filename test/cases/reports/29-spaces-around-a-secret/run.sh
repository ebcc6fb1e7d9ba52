#!/bin/bash
# A secret with a space at an end is taken as it stands, without a word
# source: kin of leading/trailing white space reports of secret stores
. "$(dirname "$0")/../lib/case.sh"
PORT=1
service_and_plain_host

printf 'tok-0123456789 \n' > "$W/tokfile"; unset TOK
TOK_FILE="$W/tokfile" egress check > chk 2>&1; rc=$?
if [ $rc != 0 ] || grep -qiE 'space|blank|white' chk; then o=1; else o=0; fi
verdict $o "check: $(head -1 chk)"
