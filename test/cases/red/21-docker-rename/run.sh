#!/bin/bash
# Docker, --write: the agent moves `config/` to `node_modules/`, where hidden files are not looked for, and the next run shows what
# was hidden. 0: resists, 1: the second run shows it
: "${EGRESS:?path of a built checkout}"
docker version >/dev/null 2>&1 || { echo "no Docker engine"; exit 2; }
w=$(mktemp -d); chmod 755 "$w"; mkdir -p "$w/work/config"
echo SECRET=real >"$w/work/config/.env"; echo open >"$w/work/readme"
printf 'allow: [{ host: pkg.example.com }]\n' >"$w/egress.yaml"
[ "$(id -u)" = 0 ] && chown -R 1000:1000 "$w/work"
net=10.$((RANDOM % 20 + 232)).$((RANDOM % 256))
export COMPOSE_PROJECT_NAME=egress-case-$$ EGRESS_POLICY_DIR=$w EGRESS_AGENTS_SUBNET=$net.240/28 EGRESS_AGENTS_DNS=$net.242 EGRESS_AGENTS_PROXY=$net.243
export EGRESS_ALLOW_OLD_ENGINE=1
compose() { docker compose --file "$EGRESS/docker-compose.yml" "$@"; }
trap 'compose down --volumes >/dev/null 2>&1; rm -rf "$w"' EXIT
compose up --detach --wait >"$w/out" 2>&1 || { tail -3 "$w/out"; exit 2; }
run() { (cd "$w/work" && "$EGRESS/sandbox-run" --backend docker --write -- sh -c "$1" 2>&1); }
echo "run 1:"; run 'cat config/.env readme; mv config node_modules && echo moved'
echo "run 2:"; out=$(run 'cat node_modules/.env config/.env readme 2>/dev/null'); echo "$out"
[[ $out == *open* ]] || { echo "the second run did not even show readme"; exit 2; }
[[ $out == *SECRET=real* ]] && exit 1
exit 0
