#!/bin/bash
# Runs the cases whose name contains PATTERN and prints one line for each; exit code 1 if one is wrong.
# usage: run-all.sh BUILT_CHECKOUT [PATTERN]
set -u
EGRESS=$(cd "${1:?path of a built checkout}" && pwd)
EGRESS_MAIN=$(node -p "require('$EGRESS/package.json').bin.egress")
export EGRESS EGRESS_MAIN
here=$(cd "$(dirname "$0")" && pwd)
output=$(mktemp)
trap 'rm -f "$output"' EXIT
result=0
for directory in "$here"/reports/[0-9]*/ "$here"/red/[0-9]*/; do
  name=${directory#"$here"/}
  name=${name%/}
  case $name in *"${2-}"*) ;; *) continue ;; esac
  timeout 180 bash "$directory/run.sh" >"$output" 2>&1
  case $? in 0) word=right ;; 2) word='not tried' ;; *) word=WRONG result=1 ;; esac
  printf '%-9s %s  %s\n' "$word" "$name" "$(tail -n 1 "$output" | cut -c1-140)"
done
exit "$result"
