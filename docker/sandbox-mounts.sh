# What a sandbox of the Docker backend sees of the host's files, and what of it is hidden. Sourced by sandbox-run.sh.
# Lists are lines: a path with a line break is refused, and so is one that docker's comma-separated options would split.

# Adds to run_shown one line for each tree: the path, a tab, and `,readonly` or nothing.
run_show() {
  case $1 in
    *:rw) run_path=${1%:rw} run_access='' ;;
    *:ro) run_path=${1%:ro} run_access=,readonly ;;
    *) run_path=$1 run_access=$2 ;;
  esac
  case $run_path in
    *[,\"]* | *"$run_line"* | *"$run_tab"*)
      egress_fail "$run_path has a comma, a quote, a tab or a line break in it" 'rename it, or mount a directory above it' ;;
  esac
  [ -e "$run_path" ] || egress_fail "$run_path does not exist, or you may not look at it" 'check how it is written'
  run_real=$(run_real_path "$run_path") ||
    egress_fail "$run_path cannot be read" 'check that you may read it'
  case $run_real in
    / | /bin | /boot | /etc | /home | /lib | /opt | /root | /run | /sbin | /srv | /usr | /var | /var/run | /Users | /private)
      egress_fail "$run_path is too much to show to an agent" 'name a directory inside it' ;;
    /proc | /proc/* | /sys | /sys/* | /dev | /dev/*)
      egress_fail "$run_path is a part of the system that every sandbox has its own of" 'leave it out' ;;
  esac
  [ -d "$run_real" ] || [ -f "$run_real" ] ||
    egress_fail "$run_path is neither a directory nor a regular file" 'a socket or a device would be a way out'
  run_shown=$run_shown$run_real$run_tab$run_access$run_line
}

run_real_path() {
  if [ -d "$1" ]; then
    (CDPATH='' cd -- "$1" && pwd -P)
  else
    readlink -f -- "$1"
  fi
}

# A home directory is no work directory: no list of names hides all that is secret in one.
run_check_workdir() {
  [ -d "$1" ] || egress_fail "$1 is not a directory" 'start in a directory, and add single files with --mount'
  run_places=0
  for run_place_name in .ssh .aws .gnupg .kube .docker/config.json .config/gcloud .config/gh .mozilla \
    .config/google-chrome .local/share/keyrings .password-store .netrc .git-credentials; do
    [ ! -e "$1/$run_place_name" ] || run_places=$((run_places + 1))
  done
  [ "$run_places" -eq 0 ] || [ "$1" != "$(run_real_path "${HOME:-/}")" ] || run_places=2
  [ "$run_places" -lt 2 ] ||
    egress_fail "$1 is a home directory: it contains credentials" 'start in a project directory'
}

# Adds to run_hidden a line for everything in a tree that looks like a credential by its name, and for sockets and
# pipes, which neither a network nor a read-only mount stops: a kind (file, directory), a tab, the path.
run_hide() {
  # No path is `//`: it stands for a name that would be read as two.
  run_candidates=$(find "$1" \
    \( -name "*$run_line*" -exec echo // \; -prune \) -o \
    \( -type d \( -name node_modules -o -path '*/.git/objects' \) -prune \) -o \
    \( \( -type s -o -type p \
    -o -name .aws -o -name .ssh -o -name .gnupg -o -name .docker -o -name .kube \
    -o -path '*/.config/gcloud' -o -path '*/.config/gh' \) -print -prune \) -o \
    \( ! -type d \( -name .env -o -name '.env.*' -o -name .netrc -o -name .npmrc -o -name .pypirc \
    -o -name .git-credentials -o -name 'id_rsa*' -o -name 'id_ed25519*' -o -name 'id_ecdsa*' \
    -o -name '*.key' -o -name '*.p12' -o -name '*.pfx' -o -name '*.pem' \
    -o -path '*/.git/config' -o -path '*/.git/modules/*/config' \
    -o -path '*/.cargo/credentials' -o -path '*/.cargo/credentials.toml' \) -print \) 2>/dev/null) || :
  case $run_line$run_candidates$run_line in
    *"$run_line//$run_line"*) egress_fail "$1 holds a file with a line break in its name" 'rename it' ;;
  esac
  while IFS= read -r run_path; do
    [ -n "$run_path" ] && run_is_secret "$run_path" || continue
    run_real=$(run_real_path "$run_path") || continue
    # A mount follows links: what is hidden is the file that one leads to, if the sandbox shows it.
    case $run_real in "$1"/*) ;; *) continue ;; esac
    run_hide_path "$run_real"
  done <<LIST
$run_candidates
LIST
}

# The policy, where the gateway reads it from a directory that the sandbox sees, and any that stands in the place of one.
run_hide_policy() {
  run_policy_in=''
  IFS= read -r run_policy_in <"$run_dir/policy" || :
  while IFS=$run_tab read -r run_tree _; do
    for run_path in "$run_policy_in/egress.yaml" "$run_tree/egress.yaml"; do
      [ -f "$run_path" ] && run_real=$(run_real_path "$run_path") || continue
      case $run_real in "${run_tree:-/nowhere}"/*) run_hide_path "$run_real" ;; esac
    done
  done <<LIST
$run_shown
LIST
}

# What a policy beside the agent says does not hold on Docker, and a gateway without one denies everything.
run_tell_policy() {
  [ -d "$run_policy_in" ] || return 0
  if [ ! -f "$run_policy_in/egress.yaml" ]; then
    printf 'egress: WARNING: the gateway has no policy, so everything is denied\n  write %s, then `docker compose restart proxy`\n' \
      "$run_policy_in/egress.yaml" >&2
  elif [ "$run_policy_in" != "$run_workdir" ] && [ -f "$run_workdir/egress.yaml" ]; then
    printf 'egress: NOTE: egress.yaml in this directory is not used: on Docker the policy is %s\n  --policy egress.yaml takes it, without Docker\n' \
      "$run_policy_in/egress.yaml" >&2
  fi
}

run_hide_path() {
  case $1 in
    *[,\"]* | *"$run_tab"*) egress_fail "$1 must be hidden, and has a comma, a quote or a tab in it" 'rename it' ;;
  esac
  run_kind="file"
  [ ! -d "$1" ] || run_kind="directory"
  case $run_line$run_hidden in
    *"$run_line$run_kind$run_tab$1$run_line"*) return ;;
  esac
  run_hidden=$run_hidden$run_kind$run_tab$1$run_line
  run_hidden_count=$((run_hidden_count + 1))
  [ "$run_hidden_count" -le 400 ] ||
    egress_fail 'there are more than 400 credential-like files to hide' 'start the agent in the project that it works on'
}

run_is_secret() {
  case $1 in
    */.env.example | */.env.sample | */.env.template | */.env.*.example | */.env.*.sample | */.env.*.template) return 1 ;;
    */id_rsa*.pub | */id_ed25519*.pub | */id_ecdsa*.pub) return 1 ;;
    *.pem)
      # Certificate bundles lie about in every Python environment; hiding them breaks TLS and protects nothing.
      ! { grep -Eq 'BEGIN (CERTIFICATE|PUBLIC KEY)' "$1" && ! grep -q 'PRIVATE KEY' "$1"; } 2>/dev/null
      ;;
    */.git/config | */.git/modules/*/config) [ ! -r "$1" ] || grep -Eiq 'extraheader|://[^/[:space:]@]+@' "$1" ;;
  esac
}
