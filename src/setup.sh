# Prepares a checkout: installs packages and compiles the sources. Sourced by sandbox-run and by the test script. Takes a few
# milliseconds if everything is up to date. Sets only its own variables.

egress_fail() {
  printf 'egress: %s\n  %s\n' "$1" "$2" >&2
  exit 125
}

egress_setup() {
  root=$1
  command -v node >/dev/null 2>&1 ||
    egress_fail 'Node.js is not installed' 'Install Node.js 20.19 or later: https://nodejs.org'
  # An installed package has no sources and is already built.
  [ -f "$root/tsconfig.json" ] || return 0
  # Check the version of Node.js only if a build is necessary, because starting Node.js takes time.
  if [ -f "$root/dist/.built" ] && [ -z "$(egress_newer "$root")" ]; then return 0; fi
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    egress_fail "Node.js $(node --version) is too old" 'Install Node.js 20.19 or later: https://nodejs.org'
  [ -w "$root" ] ||
    egress_fail "$root is not set up, and this user cannot write to it" 'Run ./sandbox-run --help once as the owner of the directory'
  egress_lock "$root"
  setup_log=$(mktemp "${TMPDIR:-/tmp}/egress-setup.XXXXXX")
  trap 'rm -rf "$setup_log" "$root/.egress-setup"' EXIT
  trap 'exit 130' INT TERM
  if [ ! -f "$root/node_modules/.package-lock.json" ] ||
    [ "$root/package-lock.json" -nt "$root/node_modules/.package-lock.json" ]; then
    printf 'egress: Installing packages (first use)…\n' >&2
    (cd "$root" && npm ci --ignore-scripts --no-audit --no-fund) >"$setup_log" 2>&1 ||
      { tail -n 20 "$setup_log" >&2; egress_fail 'npm ci failed' 'Fix the error above (the first use needs access to the npm registry)'; }
    # Some npm versions give this file an old modification time.
    touch "$root/node_modules/.package-lock.json"
  fi
  printf 'egress: Compiling…\n' >&2
  (cd "$root" && npm run build) >"$setup_log" 2>&1 ||
    { tail -n 20 "$setup_log" >&2; egress_fail 'Could not compile the sources' 'Fix the error above'; }
  touch "$root/dist/.built"
  rm -rf "$setup_log" "$root/.egress-setup"
  trap - EXIT INT TERM
}

# Prints the first source file that is newer than the build.
egress_newer() {
  find "$1/firewall" "$1/config" "$1/dns" "$1/proxy" "$1/src" "$1/test" "$1/bench" \
    "$1/package.json" "$1/package-lock.json" "$1/tsconfig.json" -newer "$1/dist/.built" -type f 2>/dev/null | head -n 1
}

# If two setups start at the same time, the second waits for the first.
egress_lock() {
  waited=0
  while ! mkdir "$1/.egress-setup" 2>/dev/null; do
    [ "$waited" -lt 600 ] ||
      egress_fail 'Another setup is still running' "If no setup is running, run: rmdir $1/.egress-setup"
    [ "$waited" -gt 0 ] || printf 'egress: Waiting for another setup to finish…\n' >&2
    sleep 1
    waited=$((waited + 1))
  done
}
