# The network that every run of the Docker backend has for itself, and what becomes of it. Sourced by sandbox-run.sh.

# Inside a run's network of eight addresses: .1 the engine's (left without an interface), then these.
run_host_dns=2 run_host_proxy=3 run_host_sandbox=4

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
      run_is_over "$run_label" || continue
      {
        run_tell_end "$run_net" ''
        run_remove "$run_net"
      } </dev/null
    done
  for run_left in "${TMPDIR:-/tmp}"/egress-run.*; do
    { read -r run_label <"$run_left/owner"; } 2>/dev/null && run_is_over "$run_label" && rm -rf "$run_left"
  done
}

run_is_over() {
  run_there=${1%/*}
  [ "${run_there%/*}" = "$run_place" ] || return 1
  run_name_owner "${run_there##*/}" || :
  [ "$run_owner" != "$1" ]
}

# The file's name tells the gateway, when it looks next. $1: network; $2: the exit code, or nothing
run_tell_end() {
  # A command that ended has taken its container along.
  [ -n "$2" ] || docker rm -f "$1" >/dev/null 2>&1 || :
  docker cp "$run_dir/ended" "$run_proxy:/var/lib/egress/shared/ended/${1#egress-}.$2" >/dev/null 2>&1 || :
}

# One that a gateway is still in stays, for the next sweep. $1: network
run_remove() {
  run_leave "$1" "$run_dns" &
  run_pid_dns=$!
  run_leave "$1" "$run_proxy" &
  run_pid_proxy=$!
  wait "$run_pid_dns" && wait "$run_pid_proxy" && docker network rm "$1" >/dev/null 2>&1 || :
}

# The engine's word is not enough: a gateway that is just being started over stays in the network all the same, and without
# the network it could never start again. $1: network; $2: container
run_leave() {
  for run_try in 1 2 3 4 5 6 7 8 9 10; do
    [ "$run_try" -eq 1 ] || sleep 1
    docker network disconnect -f "$1" "$2" >/dev/null 2>&1 || :
    run_in=$(docker container inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' "$2" 2>/dev/null) ||
      return 0
    case " $run_in" in *" $1 "*) ;; *) return 0 ;; esac
  done
  return 1
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

# Makes a network and tells the proxy of the sandbox in it, in the background. The proxy's answer is the sandbox's
# environment, behind a comment with the number of the engine's processors. $1: the command, for the log
run_make_network() {
  run_pick_subnet
  docker network create --internal --subnet "$run_subnet" --opt com.docker.network.bridge.inhibit_ipv4=true \
    --label "io.egress.project=$run_project" --label "io.egress.owner=$run_owner" "$run_name" \
    >/dev/null 2>"$run_dir/network" &
  run_pid_network=$!
  docker exec "$run_proxy" egress-admin add "$run_sandbox" "$run_subnet" "$run_agent" "$1" \
    >"$run_dir/env" 2>"$run_dir/said" &
  run_pid_add=$!
}

# Both gateways join it. False when the addresses are somebody else's: then there is another draw.
run_join_network() {
  wait "$run_pid_network" || {
    run_is_overlap "$run_dir/network" && return 1
    egress_fail "the sandbox's network cannot be made: $(cat "$run_dir/network")" \
      'if the pool is taken, name another with EGRESS_POOL (10.231.0.0/16 unless set)'
  }
  docker network connect --ip "$run_at_dns" "$run_name" "$run_dns" 2>"$run_dir/dns" &
  run_pid_dns=$!
  docker network connect --ip "$run_at_proxy" "$run_name" "$run_proxy" 2>"$run_dir/proxy" &
  run_pid_proxy=$!
  wait "$run_pid_add" || {
    run_is_overlap "$run_dir/said" && return 1
    # Without two lines of its own it was the engine that spoke, or nobody.
    grep -q '^egress: ' "$run_dir/said" || run_gate_away
    cat "$run_dir/said" >&2
    exit 125
  }
  wait "$run_pid_dns" && wait "$run_pid_proxy" ||
    egress_fail "the gateway cannot join the sandbox's network: $(cat "$run_dir/dns" "$run_dir/proxy")" \
      'see whether it runs: docker compose ps'
}

run_is_overlap() {
  run_draws=$((run_draws + 1))
  [ "$run_draws" -lt 40 ] && grep -q overlap "$1"
}
