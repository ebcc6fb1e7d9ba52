# The Docker backend of sandbox-run. Sourced; POSIX sh, and nothing but docker on the host. What needs the policy is asked
# of the gate by `docker exec`. Every name of its own begins with `run_`.

# Inside a run's network of eight addresses: .1 the engine's (left without an interface), then these.
run_host_dns=2 run_host_proxy=3 run_host_sandbox=4
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
        egress_fail "$run_name belongs to the namespace backend: with Docker the gate has the policy and the log" \
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
    processes) run_processes=${1#*=} ;;
    memory) run_memory=${1#*=} ;;
    tmp) run_tmp=${1#*=} ;;
    files) run_files=${1#*=} ;;
    cpus) run_cpus=${1#*=} ;;
    *)
      egress_fail "--limit \`$1\` is no limit" \
        'write one of processes, memory, tmp, files, cpus with a number, such as memory=2g or processes=100'
      ;;
  esac
}

# --- the engine and the gate -----------------------------------------------------------------------------------------
# Each call of docker costs some 50 ms: what one can tell is asked once, and what can wait for each other runs at once.

# False when no engine answers. Sets run_dns and run_proxy to the gate's containers, empty where it was not set up, and
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
    docker start "$run_proxy" "$run_dns" >/dev/null || egress_fail 'the gate cannot be started' 'see the lines above'
  else
    docker compose version >/dev/null 2>&1 ||
      egress_fail 'the gate is not running, and Docker Compose is not installed to start it' \
        'install the Compose plugin (docker compose version), then run `docker compose up -d`'
    printf 'egress: starting the gate (the first time builds its image)…\n' >&2
    docker compose --project-directory "$root" -f "$root/docker-compose.yml" -p "$run_project" up -d >&2 ||
      egress_fail 'the gate cannot be started' \
        'see the lines above; "Pool overlaps" means that EGRESS_AGENTS_SUBNET must be another (docs/docker.md)'
    run_find_gate && [ -n "$run_proxy" ] ||
      egress_fail 'the gate did not come up' 'see why with `docker compose logs`'
  fi
  run_waited=0
  until docker exec "$run_proxy" egress-admin health >/dev/null 2>&1 &&
    docker exec "$run_dns" egress-admin health >/dev/null 2>&1; do
    run_waited=$((run_waited + 1))
    [ "$run_waited" -lt 60 ] || egress_fail 'the gate is not ready' 'see why with `docker compose logs`'
    sleep 1
  done
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

# --- whose run it is --------------------------------------------------------------------------------------------------

# Sets run_owner to a name for a process that no later process will have: where, which, since when.
run_name_owner() {
  run_owner=''
  if [ -r "/proc/$1/stat" ]; then
    read -r run_stat <"/proc/$1/stat" || return 1
    # shellcheck disable=SC2086 # split on purpose: the fields after the program's name, which may hold spaces
    set -- "$1" ${run_stat##*) }
    run_owner=$run_place/$1/${21}
  else
    run_since=$(ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' _) && [ -n "$run_since" ] &&
      run_owner=$run_place/$1/$run_since
  fi
}

run_find_place() {
  if [ -r /proc/sys/kernel/random/boot_id ]; then
    read -r run_place </proc/sys/kernel/random/boot_id
    run_place=$run_place/$(readlink /proc/self/ns/pid)
  else
    run_place=$(hostname)/0
  fi
}

# Takes away what runs left that were killed. Of processes elsewhere nothing is known; they are left alone.
run_sweep() {
  docker network ls --filter "label=io.egress.project=$run_project" \
    --format '{{.Name}} {{.Label "io.egress.owner"}}' 2>/dev/null |
    while read -r run_net run_label; do
      run_there=${run_label%/*}
      [ "${run_there%/*}" = "$run_place" ] || continue
      run_name_owner "${run_there##*/}" || :
      [ "$run_owner" = "$run_label" ] || run_remove "$run_net" '' </dev/null
    done
}

# $1: network, which is the container's name too; $2: the exit code, or nothing
run_remove() {
  # A command that ended has taken its container along.
  [ -n "$2" ] || docker rm -f "$1" >/dev/null 2>&1 || :
  docker network disconnect -f "$1" "$run_dns" >/dev/null 2>&1 &
  run_pid_dns=$!
  docker network disconnect -f "$1" "$run_proxy" >/dev/null 2>&1 &
  run_pid_proxy=$!
  docker exec "$run_proxy" egress-admin remove "${1#egress-}" "$2" >/dev/null 2>&1 &
  run_pid_exec=$!
  wait "$run_pid_dns" "$run_pid_proxy" || :
  docker network rm "$1" >/dev/null 2>&1 || :
  wait "$run_pid_exec" || :
}

# --- the network of a run ---------------------------------------------------------------------------------------------

# Sets run_number, run_subnet and the addresses. The pool is cut into networks of eight, and one of them drawn.
run_pick_subnet() {
  run_bits=${run_pool#*/}
  IFS=. read -r run_a run_b run_c run_d <<POOL
${run_pool%/*}
POOL
  case "$run_bits$run_a$run_b$run_c$run_d" in
    '' | *[!0-9]*) egress_fail "EGRESS_POOL \`$run_pool\` is no network" 'write for example 10.231.0.0/16' ;;
  esac
  [ "$run_bits" -ge 8 ] && [ "$run_bits" -le 26 ] ||
    egress_fail "EGRESS_POOL \`$run_pool\` is too small or too large" 'give it between /8 and /26'
  run_draw
  run_size=$((1 << (32 - run_bits)))
  run_number=$((((run_a * 256 + run_b) * 256 + run_c) * 256 + run_d))
  run_number=$((run_number - run_number % run_size + (0x${run_drawn%??} % (run_size / 8)) * 8))
  run_address 0
  run_subnet=$run_at/29
  run_address "$run_host_dns"
  run_at_dns=$run_at
  run_address "$run_host_proxy"
  run_at_proxy=$run_at
  run_address "$run_host_sandbox"
  run_at_sandbox=$run_at
}

# Sets run_drawn to ten hexadecimal digits.
run_draw() {
  run_drawn=$(od -An -N5 -tx1 /dev/urandom)
  IFS=' ' read -r run_1 run_2 run_3 run_4 run_5 <<DIGITS
$run_drawn
DIGITS
  run_drawn=$run_1$run_2$run_3$run_4$run_5
}

run_address() {
  run_full=$((run_number + $1))
  run_at=$((run_full >> 24)).$((run_full >> 16 & 255)).$((run_full >> 8 & 255)).$((run_full & 255))
}

# In the background: what is waited for afterwards is made meanwhile.
run_make_network() {
  run_pick_subnet
  docker network create --internal --subnet "$run_subnet" --opt com.docker.network.bridge.inhibit_ipv4=true \
    --label "io.egress.project=$run_project" --label "io.egress.owner=$run_owner" "$run_name" \
    >/dev/null 2>"$run_dir/network" &
  run_creating=$!
}

run_await_network() {
  run_tries=0
  until wait "$run_creating"; do
    run_said=$(cat "$run_dir/network")
    run_tries=$((run_tries + 1))
    case $run_tries$run_said in
      [1-9]*overlap* | [1-3][0-9]*overlap*) run_make_network ;;
      *)
        egress_fail "the sandbox's network cannot be made: ${run_said#Error response from daemon: }" \
          'if the pool is taken, name another with EGRESS_POOL (10.231.0.0/16 unless set)'
        ;;
    esac
  done
}

# Both gates join the network while the proxy is told of the sandbox. Its answer is the sandbox's environment, behind a
# comment with the number of the engine's processors.
run_join_network() {
  docker network connect --ip "$run_at_dns" "$run_name" "$run_dns" 2>"$run_dir/dns" &
  run_pid_dns=$!
  docker network connect --ip "$run_at_proxy" "$run_name" "$run_proxy" 2>"$run_dir/proxy" &
  run_pid_proxy=$!
  docker exec "$run_proxy" egress-admin add "$run_sandbox" "$run_subnet" "$run_agent" "$1" \
    >"$run_dir/env" 2>"$run_dir/said" || run_code=$?
  wait "$run_pid_dns" && wait "$run_pid_proxy" ||
    egress_fail "the gate cannot join the sandbox's network: $(cat "$run_dir/dns" "$run_dir/proxy")" \
      'see whether it runs: docker compose ps'
  [ -z "$run_code" ] || {
    cat "$run_dir/said" >&2
    exit 125
  }
}

# --- the container ----------------------------------------------------------------------------------------------------

run_write_files() {
  printf 'nameserver %s\noptions timeout:3 attempts:2\n' "$run_at_dns" >"$run_dir/resolv.conf"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nagent:x:%s:%s:agent:%s:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n' \
    "$run_uid" "$run_gid" "$run_home" >"$run_dir/passwd"
  printf 'root:x:0:\nagent:x:%s:\nnogroup:x:65534:\n' "$run_gid" >"$run_dir/group"
  chmod -R a+rX "$run_dir"
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

run_signal() {
  if [ -z "$run_client" ]; then
    exit "$2"
  fi
  # The client may have been started, and the container not yet.
  (for _ in 1 2 3 4 5; do docker kill -s "$1" "$run_name" >/dev/null 2>&1 && break; sleep 1; done) &
}

run_end() {
  trap '' INT TERM HUP QUIT
  # What the engine has begun to make comes into being, whoever waits for it.
  [ -z "$run_creating" ] || {
    wait "$run_creating" || :
    run_remove "$run_name" "$run_code"
  }
  [ -z "$run_sweeping" ] || wait "$run_sweeping" || :
  rm -rf "$run_dir" "${run_empty:-$run_dir}"
}

# Tries to get out of a throw-away sandbox; the probes stand in the gate's own image.
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

# The whole of it, top to bottom: gate, network, engine, files, container, and away with it again.
run_docker() {
  run_code='' run_client='' run_creating='' run_sweeping='' run_shown='' run_hidden='' run_hidden_count=0
  run_defaults
  run_parse "$@"
  shift "$run_taken"
  [ $# -gt 0 ] || egress_fail 'there is no command to run' 'write it after --'
  run_start_gate

  run_find_place
  run_name_owner $$ || egress_fail 'this process cannot be named' 'is /proc mounted, or ps installed?'
  run_draw
  run_sandbox=sb-$run_drawn
  run_name=egress-$run_sandbox
  run_dir=$(mktemp -d "${TMPDIR:-/tmp}/egress-run.XXXXXX")
  trap run_end EXIT
  trap 'run_signal TERM 143' TERM
  trap 'run_signal INT 130' INT
  trap 'run_signal HUP 129' HUP
  trap 'run_signal QUIT 131' QUIT
  trap 'run_signal USR1 138' USR1
  trap 'run_signal USR2 140' USR2
  run_make_network
  docker version --format '{{.Server.Version}}' >"$run_dir/engine" 2>/dev/null &
  run_pid_engine=$!
  # `index` takes containers and images alike: where the policy is, and whether the image is there.
  docker inspect --format '{{range index . "Mounts"}}{{if eq .Destination "/etc/egress"}}{{.Source}}{{end}}{{end}}' \
    "$run_proxy" "$run_image" >"$run_dir/policy" 2>/dev/null &
  run_pid_policy=$!

  run_workdir=$(run_real_path "$run_workdir") || egress_fail "$run_workdir cannot be read" 'name another with --workdir'
  run_check_workdir "$run_workdir"
  if [ -n "$run_write" ]; then run_show "$run_workdir:rw"; else run_show "$run_workdir:ro"; fi
  while IFS= read -r run_mount; do
    [ -z "$run_mount" ] || run_show "$run_mount" ,readonly
  done <<LIST
$run_mounts
LIST
  while IFS=$run_tab read -r run_tree _; do
    [ -z "$run_tree" ] || run_hide "$run_tree"
  done <<LIST
$run_shown
LIST
  run_uid=$(id -u) run_gid=$(id -g)
  [ "$run_uid" -ne 0 ] || { run_uid=1000 run_gid=1000; }

  wait "$run_pid_engine" && read -r run_engine <"$run_dir/engine" ||
    egress_fail 'the Docker engine does not say which it is' 'see why with `docker version`'
  run_check_engine "$run_engine"
  # Another image is fetched by docker run, or it says why not.
  wait "$run_pid_policy" || [ "$run_image" != "$run_default_image" ] || run_build_image
  run_hide_policy
  run_await_network
  run_join_network "${1##*/}"
  run_write_files
  run_sweep >/dev/null 2>&1 &
  run_sweeping=$!
  run_container "$@"
  exit "$run_code"
}
