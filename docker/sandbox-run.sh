# The Docker backend of sandbox-run. Sourced; POSIX sh, and nothing but docker on the host. What needs the policy is asked
# of the gateway by `docker exec`. Every name of its own begins with `run_`.

run_home=/home/agent
run_default_image=agent-egress-sandbox:local
run_line='
'
run_tab='	'

run_defaults() {
  run_project=${COMPOSE_PROJECT_NAME:-egress}
  run_pool=${EGRESS_POOL:-10.231.0.0/16}
  run_image=${EGRESS_IMAGE:-$run_default_image}
  run_agent='' run_workdir=$PWD run_write='' run_tty=auto
  run_processes=512 run_memory=4g run_tmp=2g run_files=4096 run_cpus=''
  run_mounts='' run_env='' run_allow_old=${EGRESS_ALLOW_OLD_ENGINE:-}
}

# Sets the options above; what is left begins with the command. The number of words taken is in run_taken.
run_parse() {
  run_taken=0
  while [ $# -gt 0 ]; do
    case $1 in
      --) run_taken=$((run_taken + 1)); return 0 ;;
      --*=*) run_name=${1%%=*} run_value=${1#*=} run_words=1 ;;
      --write | --tty | --allow-old-engine) run_name=$1 run_value='' run_words=1 ;;
      --*)
        [ $# -gt 1 ] || egress_fail "$1 needs a value" 'see ./sandbox-run --help'
        run_name=$1 run_value=$2 run_words=2
        ;;
      *) return 0 ;;
    esac
    case $run_name in
      --agent) run_agent=$run_value ;;
      --image) run_image=$run_value ;;
      --workdir) run_workdir=$run_value ;;
      --write) run_write=1 ;;
      --tty) run_tty=1 ;;
      --allow-old-engine) run_allow_old=1 ;;
      --mount) run_mounts=$run_mounts$run_value$run_line ;;
      --env)
        case $run_value in
          [A-Za-z_]*=*) run_env=$run_env$run_value$run_line ;;
          *) egress_fail "--env \`${run_value%%=*}\` is not NAME=VALUE" 'write for example --env DEBUG=1' ;;
        esac
        case $run_value in *"$run_line"*) egress_fail '--env has a line break in it' 'write the value on one line' ;; esac
        ;;
      --limit) run_limit "$run_value" ;;
      --policy | --audit-dir)
        egress_fail "$run_name belongs to the namespace backend: with Docker the gateway has the policy and the log" \
          'leave it out, or add --backend namespaces'
        ;;
      *) egress_fail "there is no option $run_name" 'see ./sandbox-run --help' ;;
    esac
    run_taken=$((run_taken + run_words))
    shift "$run_words"
  done
}

run_limit() {
  case ${1#*=} in
    '' | 0 | *[!0-9kmgKMG.]*) run_limit_name='' ;;
    *) run_limit_name=${1%%=*} ;;
  esac
  case $run_limit_name in
    processes)
      run_processes=${1#*=}
      case $run_processes in
        *[!0-9]*) egress_fail "--limit \`$1\` is no number of processes" 'write for example processes=100' ;;
        [0-7]) egress_fail "--limit \`$1\` is too little: the container itself needs some" 'write for example processes=100' ;;
      esac
      ;;
    memory)
      run_memory=${1#*=}
      case $run_memory in
        *[kK] | [0-5][mM] | [0-9] | [0-9][0-9] | [0-9][0-9][0-9] | [0-9][0-9][0-9][0-9] | [0-9][0-9][0-9][0-9][0-9] | [0-9][0-9][0-9][0-9][0-9][0-9])
          egress_fail "--limit \`$1\` is too little: nothing starts with less than 6m" 'write for example memory=512m' ;;
      esac
      ;;
    tmp) run_tmp=${1#*=} ;;
    files) run_files=${1#*=} ;;
    cpus) run_cpus=${1#*=} ;;
    *)
      egress_fail "--limit \`$1\` is no limit" \
        'write one of processes, memory, tmp, files, cpus with a number, such as memory=2g or processes=100'
      ;;
  esac
}

# --- the engine and the gateway -----------------------------------------------------------------------------------------
# Each call of docker costs some 50 ms: what one can tell is asked once, and what can wait for each other runs at once.

# False when no engine answers. Sets run_dns and run_proxy to the gateway's containers, empty where it was not set up, and
# run_up when both run.
run_find_gate() {
  run_dns='' run_proxy='' run_up=1
  command -v docker >/dev/null 2>&1 || return 1
  run_found=$(docker ps -a --filter "label=com.docker.compose.project=$run_project" --filter label=io.egress.role \
    --format '{{.Label "io.egress.role"}} {{.ID}} {{.State}}' 2>/dev/null) || return 1
  while read -r run_role run_id run_state; do
    case $run_role in
      dns) run_dns=$run_id ;;
      proxy) run_proxy=$run_id ;;
      *) continue ;;
    esac
    [ "$run_state" = running ] || run_up=''
  done <<LIST
$run_found
LIST
  [ -n "$run_dns" ] && [ -n "$run_proxy" ] || run_dns='' run_proxy=''
}

run_start_gate() {
  if [ -n "$run_proxy" ]; then
    [ -n "$run_up" ] && return
    docker start "$run_proxy" "$run_dns" >/dev/null || egress_fail 'the gateway cannot be started' 'see the lines above'
  else
    docker compose version >/dev/null 2>&1 ||
      egress_fail 'the gateway is not running, and Docker Compose is not installed to start it' \
        'install the Compose plugin (docker compose version), then run `docker compose up -d`'
    printf 'egress: starting the gateway (the first time builds its image)…\n' >&2
    docker compose --project-directory "$root" -f "$root/docker-compose.yml" -p "$run_project" up -d >&2 ||
      egress_fail 'the gateway cannot be started' \
        'see the lines above; "Pool overlaps" means that EGRESS_AGENTS_SUBNET must be another (docs/docker.md)'
    run_find_gate && [ -n "$run_proxy" ] ||
      egress_fail 'the gateway did not come up' 'see why with `docker compose logs`'
  fi
  run_waited=0
  until docker exec "$run_proxy" egress-admin health >/dev/null 2>&1 &&
    docker exec "$run_dns" egress-admin health >/dev/null 2>&1; do
    run_waited=$((run_waited + 1))
    [ "$run_waited" -lt 60 ] || run_gate_away
    [ $((run_waited % 5)) -ne 0 ] ||
      [ "$(docker inspect --format '{{.State.Status}}' "$run_proxy" 2>/dev/null)" != restarting ] || run_gate_away
    sleep 1
  done
}

# It ends at once where the policy is wrong, and the engine starts it over and over: what it said last is why.
run_gate_away() {
  docker logs --tail 20 "$run_proxy" 2>&1 | grep -A 1 '^egress: \|^[^ ]*egress.yaml' | tail -n 2 >&2 || :
  egress_fail 'the gateway does not answer' 'mend what the lines above say, then `docker compose restart proxy`; see `docker compose logs`'
}

# CVE-2024-29018: the engine's own resolver asks the host's for what an internal network must not reach.
run_check_engine() {
  run_version=$1
  IFS=. read -r run_major run_minor run_patch _ <<VERSION
${run_version%%[!0-9.]*}.0.0.0
VERSION
  run_minor=${run_minor#0} # 18.09
  run_number=$(((run_major * 1000 + run_minor) * 1000 + run_patch))
  if [ "$run_number" -lt 23000011 ] || { [ "$run_number" -ge 24000000 ] && [ "$run_number" -lt 25000005 ]; }; then
    [ -n "$run_allow_old" ] ||
      egress_fail "Docker engine $run_version is open to CVE-2024-29018: names can leave an internal network" \
        'update to 26.1.3 or later; --allow-old-engine takes the risk (sandboxes here do not ask that resolver)'
  elif [ "$run_number" -lt 26001003 ]; then
    printf 'egress: WARNING: Docker engine %s: internal networks resolve names properly from 26.1.3 on; update it\n' \
      "$run_version" >&2
  fi
}

run_build_image() {
  printf 'egress: building the default sandbox image (once)…\n' >&2
  docker build -q -t "$run_image" --build-arg "NODE_IMAGE=${NODE_IMAGE:-node:24-bookworm-slim}" \
    - <"$root/docker/sandbox.Dockerfile" >/dev/null ||
    egress_fail 'the default sandbox image cannot be built' 'see the lines above, or name another image with --image'
}

# --- the container ----------------------------------------------------------------------------------------------------

run_write_files() {
  printf 'nameserver %s\noptions timeout:3 attempts:2\n' "$run_at_dns" >"$run_dir/resolv.conf"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nagent:x:%s:%s:agent:%s:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n' \
    "$run_uid" "$run_gid" "$run_home" >"$run_dir/passwd"
  printf 'root:x:0:\nagent:x:%s:\nnogroup:x:65534:\n' "$run_gid" >"$run_dir/group"
  chmod -R a+rX "$run_dir"
}

# Root's agent is an ordinary user, and learns too late that it may not write.
run_check_write() {
  [ -n "$run_write" ] || return 0
  # shellcheck disable=SC2012 # the mode and the owner come before the name; stat differs between systems
  read -r run_mode _ run_owner_id _ <<OWNER
$(ls -ldn -- "$run_workdir")
OWNER
  case $run_owner_id,$run_mode in
    "$run_uid",d?[w]* | *,d???????w*) ;;
    *)
      egress_fail "$run_workdir cannot be written by the agent, which is user $run_uid when root starts it" \
        "run: chown -R $run_uid:$run_gid '$run_workdir', or start as an ordinary user"
      ;;
  esac
}

# Starts the container in the background and waits for it, handing signals on. Sets run_code.
run_container() {
  run_entry=$1
  shift
  set -- --entrypoint "$run_entry" "$run_image" "$@"
  while IFS= read -r run_pair; do
    [ -z "$run_pair" ] || set -- --env "$run_pair" "$@"
  done <<LIST
$run_env
LIST
  # The client puts the host's own proxies into containers, and their passwords with them.
  for run_pair in FTP_PROXY= ftp_proxy= ALL_PROXY= all_proxy= "HOME=$run_home"; do set -- --env "$run_pair" "$@"; done
  while IFS=$run_tab read -r run_kind run_path; do
    case $run_kind in
      file) set -- --mount "type=bind,source=/dev/null,target=$run_path,readonly" "$@" ;;
      directory) set -- --mount "type=tmpfs,target=$run_path,tmpfs-size=4096,tmpfs-mode=0555" "$@" ;;
    esac
  done <<LIST
$run_hidden
LIST
  while IFS=$run_tab read -r run_path run_access; do
    [ -z "$run_path" ] || set -- --mount "type=bind,source=$run_path,target=$run_path$run_access" "$@"
  done <<LIST
$run_shown
LIST
  if [ "$run_tty" = 1 ] || { [ -t 0 ] && [ -t 1 ]; }; then set -- --tty --env "TERM=${TERM:-xterm}" "$@"; fi
  if [ ! -d /proc/sys/net ] || [ -d /proc/sys/net/ipv6 ]; then
    set -- --sysctl net.ipv6.conf.all.disable_ipv6=1 --sysctl net.ipv6.conf.default.disable_ipv6=1 "$@"
  fi
  read -r _ _ run_processors <"$run_dir/env" || :
  case ${run_cpus%%.*} in
    '' | *[!0-9]*) ;;
    *)
      [ "${run_cpus%%.*}" -le "$run_processors" ] ||
        egress_fail "--limit cpus=$run_cpus is more than there are: $run_processors" "write cpus=$run_processors or less"
      ;;
  esac
  exec 3<&0
  docker run --rm --init --interactive --sig-proxy=false --name "$run_name" --hostname sandbox \
    --label "io.egress.project=$run_project" --label "io.egress.sandbox=$run_sandbox" \
    --network "$run_name" --ip "$run_at_sandbox" --dns "$run_at_dns" --dns-search . \
    --add-host "egress:$run_at_proxy" --add-host "egress-dns:$run_at_dns" \
    --cap-drop ALL --security-opt no-new-privileges:true --read-only --user "$run_uid:$run_gid" \
    --pids-limit "$run_processes" --memory "$run_memory" --memory-swap "$run_memory" --cpus "${run_cpus:-$run_processors}" \
    --ulimit "nofile=$run_files:$run_files" --ulimit core=0:0 \
    --ipc private --cgroupns private --shm-size 64m --log-driver none --no-healthcheck \
    --tmpfs "/tmp:rw,exec,nosuid,nodev,mode=1777,size=$run_tmp" \
    --tmpfs /var/tmp:rw,exec,nosuid,nodev,mode=1777,size=64m \
    --tmpfs "/run:rw,noexec,nosuid,nodev,mode=0755,uid=$run_uid,gid=$run_gid,size=16m" \
    --tmpfs "$run_home:rw,exec,nosuid,nodev,mode=0700,uid=$run_uid,gid=$run_gid,size=$run_tmp" \
    --mount "type=bind,source=$run_dir/resolv.conf,target=/etc/resolv.conf,readonly" \
    --mount "type=bind,source=$run_dir/passwd,target=/etc/passwd,readonly" \
    --mount "type=bind,source=$run_dir/group,target=/etc/group,readonly" \
    --mount "type=volume,source=${run_project}_certificates,target=/etc/ssl/certs,readonly,volume-nocopy" \
    --mount "type=volume,source=${run_project}_certificates,target=/etc/pki/tls/certs,readonly,volume-nocopy" \
    --mount "type=volume,source=${run_project}_certificates,target=/etc/egress,readonly,volume-nocopy" \
    --workdir "$run_workdir" --env-file "$run_dir/env" "$@" <&3 3<&- &
  run_client=$!
  exec 3<&-
  while :; do
    run_code=0
    wait "$run_client" || run_code=$?
    kill -0 "$run_client" 2>/dev/null || break
  done
}

# What docker and its init say of a command that cannot be started does not say what to do.
run_explain_code() {
  case $run_code in
    125) printf 'egress: the container could not be started\n  mend what docker says above\n' >&2 ;;
    126 | 127)
      printf 'egress: exit code %s: unless the command says so itself, it is not in the image %s, or may not be run\n  %s\n' \
        "$run_code" "$run_image" 'name another with --image, write its whole path, or make it executable (chmod +x)' >&2
      ;;
  esac
}

run_signal() {
  if [ -z "$run_client" ]; then
    exit "$2"
  fi
  # The client may have been started, and the container not yet.
  (for _ in 1 2 3 4 5; do docker kill -s "$1" "$run_name" >/dev/null 2>&1 && break; sleep 1; done) &
}

# Nobody waits for what the engine takes away, for who asked has the exit code by then.
run_end() {
  trap '' INT TERM HUP QUIT
  if [ -z "$run_pid_network" ]; then
    rm -rf "$run_dir" "${run_empty:-$run_dir}"
    return
  fi
  # What the engine has begun to make comes into being, whoever waits for it: a gateway that joined a network after that was
  # taken away could never start again.
  # shellcheck disable=SC2086 # some of them may not have begun
  wait $run_pid_network $run_pid_add $run_pid_dns $run_pid_proxy || :
  run_tell_end "$run_name" "$run_code"
  {
    run_remove "$run_name"
    run_sweep
    rm -rf "$run_dir" "${run_empty:-$run_dir}"
  } </dev/null >/dev/null 2>&1 &
}

# Tries to get out of a throw-away sandbox; the probes stand in the gateway's own image.
run_doctor() {
  run_defaults
  run_start_gate
  EGRESS_ALLOW_OLD_ENGINE=1 # the version is one of the findings
  EGRESS_IMAGE=$(docker container inspect --format '{{.Config.Image}}' "$run_proxy")
  for run_word in "$@"; do
    [ "$run_word" = --json ] || egress_fail "there is no option $run_word" 'see ./sandbox-run --help'
  done
  set -- --engine "$(docker version --format '{{.Server.Version}}')" "$@"
  for run_word in $(docker network ls -q | xargs docker network inspect \
    --format '{{range .IPAM.Config}}{{.Gateway}} {{end}}') $(hostname -I 2>/dev/null); do
    case $run_word in *.*.*.*) set -- --host "$run_word" "$@" ;; esac
  done
  for run_word in $(docker container inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' \
    "$run_proxy"); do
    set -- --other "$run_word" "$@"
  done
  run_empty=$(mktemp -d "${TMPDIR:-/tmp}/egress-doctor.XXXXXX")
  run_docker --workdir "$run_empty" -- node /app/dist/src/doctor/inside.js "$@"
}

# The whole of it, top to bottom: gateway, network, engine, files, container, and away with it again.
run_docker() {
  . "$root/docker/sandbox-mounts.sh"
  . "$root/docker/sandbox-network.sh"
  run_code='' run_client='' run_pid_network='' run_pid_add='' run_pid_dns='' run_pid_proxy=''
  run_draws=0 run_shown='' run_hidden='' run_hidden_count=0
  run_defaults
  run_parse "$@"
  shift "$run_taken"
  [ $# -gt 0 ] || egress_fail 'there is no command to run' 'write it after --'
  [ "$run_tty" != 1 ] || [ -t 0 ] || egress_fail '--tty needs a terminal, and the input is none' 'leave it out'
  run_start_gate

  run_find_place
  run_name_owner $$ || egress_fail 'this process cannot be named' 'is /proc mounted, or ps installed?'
  run_draw
  run_sandbox=sb-$run_drawn
  run_name=egress-$run_sandbox
  run_dir=$(mktemp -d "${TMPDIR:-/tmp}/egress-run.XXXXXX")
  : >"$run_dir/ended"
  printf '%s\n' "$run_owner" >"$run_dir/owner"
  trap run_end EXIT
  trap 'run_signal TERM 143' TERM
  trap 'run_signal INT 130' INT
  trap 'run_signal HUP 129' HUP
  trap 'run_signal QUIT 131' QUIT
  trap 'run_signal USR1 138' USR1
  trap 'run_signal USR2 140' USR2
  run_workdir=$(run_real_path "$run_workdir") || egress_fail "$run_workdir cannot be read" 'name another with --workdir'
  run_check_workdir "$run_workdir"
  if [ -n "$run_write" ]; then run_show "$run_workdir:rw"; else run_show "$run_workdir:ro"; fi
  while IFS= read -r run_mount; do
    [ -z "$run_mount" ] || run_show "$run_mount" ,readonly
  done <<LIST
$run_mounts
LIST
  run_make_network "${1##*/}"
  docker version --format '{{.Server.Version}}' >"$run_dir/engine" 2>/dev/null &
  run_pid_engine=$!
  # `index` takes containers and images alike: where the policy is, and whether the image is there.
  docker inspect --format '{{range index . "Mounts"}}{{if eq .Destination "/etc/egress"}}{{.Source}}{{end}}{{end}}' \
    "$run_proxy" "$run_image" >"$run_dir/policy" 2>/dev/null &
  run_pid_policy=$!

  while IFS=$run_tab read -r run_tree _; do
    [ -z "$run_tree" ] || run_hide "$run_tree"
  done <<LIST
$run_shown
LIST
  run_uid=$(id -u) run_gid=$(id -g)
  [ "$run_uid" -ne 0 ] || { run_uid=1000 run_gid=1000; run_check_write; }

  wait "$run_pid_engine" && read -r run_engine <"$run_dir/engine" ||
    egress_fail 'the Docker engine does not say which it is' 'see why with `docker version`'
  run_check_engine "$run_engine"
  # Another image is fetched by docker run, or it says why not.
  wait "$run_pid_policy" || [ "$run_image" != "$run_default_image" ] || run_build_image
  run_hide_policy
  run_tell_policy
  until run_join_network; do
    # An end that is told before the gateway has heard of the beginning ends nothing.
    wait
    run_tell_end "$run_name" ''
    run_remove "$run_name"
    run_make_network "${1##*/}"
  done
  run_write_files
  run_container "$@"
  run_explain_code
  exit "$run_code"
}
