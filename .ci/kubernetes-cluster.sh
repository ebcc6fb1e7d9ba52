#!/usr/bin/env bash
# A Kubernetes of one node for the tests, on a Debian machine that reaches Debian's packages and Go modules but no registry of images:
# etcd, API server, controllers, scheduler, kubelet on containerd, kube-proxy, and kube-router for NetworkPolicy. Root. All of it is
# in one network namespace, so the machine's own network and packet filter stay as they are. Users need none of this.
#
#     .ci/kubernetes-cluster.sh build            build what is missing (ten minutes the first time)
#     .ci/kubernetes-cluster.sh up               start it; quick when it runs
#     .ci/kubernetes-cluster.sh api              start etcd and the API server only
#     .ci/kubernetes-cluster.sh load IMAGE…      copy images of the Docker engine to the node
#     .ci/kubernetes-cluster.sh kubectl …
#     .ci/kubernetes-cluster.sh inside COMMAND…  run a command where pods and services can be reached
#     .ci/kubernetes-cluster.sh stop PROGRAM     stop one program, such as router; `start PROGRAM` starts it again
#     .ci/kubernetes-cluster.sh down             stop all, and remove what the cluster knew
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=${EGRESS_KUBERNETES_BIN:-/var/lib/egress-ci/kubernetes/bin}
state=${EGRESS_KUBERNETES_STATE:-/var/lib/egress-ci/kubernetes/state}
space=${EGRESS_KUBERNETES_NAMESPACE:-egress-kubernetes}
node=10.99.0.1
pods=10.98.0.0/16
services=10.96.0.0/16

say() { printf 'kubernetes-cluster: %s\n' "$*" >&2; }
inside() { nsenter --net="/run/netns/$space" -- "$@"; }
kubectl() { inside "$bin/kube" kubectl --kubeconfig="$state/admin.kubeconfig" "$@"; }
ctr() { command ctr --address "$state/containerd.sock" --namespace k8s.io "$@"; }

# $1: what; the rest: a command that succeeds once it is there
await() {
  local what=$1 n
  shift
  for n in $(seq 240); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.25
  done
  say "$what did not come up after $n attempts; see $state/log"
  exit 1
}

packages() {
  export DEBIAN_FRONTEND=noninteractive
  local missing=() package
  for package in iptables ipset conntrack socat ethtool nftables musl-tools containernetworking-plugins; do
    dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
  done
  # Debian 12's etcd is too old for this API server; .ci/docker-engine.sh has added Debian 13's packages.
  dpkg -s etcd-server >/dev/null 2>&1 || missing+=(etcd-server/trixie)
  [ "${#missing[@]}" -eq 0 ] && return
  apt-get -o DPkg::Lock::Timeout=300 update -qq
  apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

build() {
  packages
  mkdir -p "$bin"
  local version prefix=k8s.io/component-base/version
  if ! [ -x "$bin/kube" ]; then
    say 'building Kubernetes'
    version=$(awk '$1 == "k8s.io/kubernetes" { print $2 }' "$here/kubernetes/kube/go.mod")
    (cd "$here/kubernetes/kube" && go build -trimpath -o "$bin/kube.new" \
      -ldflags "-s -w -X $prefix.gitVersion=$version -X $prefix.gitMajor=1 -X $prefix.gitMinor=$(cut -d. -f2 <<<"$version")" .)
    mv "$bin/kube.new" "$bin/kube"
  fi
  if ! [ -x "$bin/kube-router" ]; then
    say 'building kube-router'
    (cd "$here/kubernetes/router" && go build -trimpath -ldflags '-s -w' -o "$bin/kube-router.new" \
      github.com/cloudnativelabs/kube-router/v2/cmd/kube-router)
    mv "$bin/kube-router.new" "$bin/kube-router"
  fi
  if ! [ -x "$bin/helm" ]; then
    say 'building helm'
    # Which Kubernetes it renders for is not in the module.
    prefix=helm.sh/helm/v3/pkg/chartutil
    GOBIN=$bin go install -ldflags "-s -w -X $prefix.k8sVersionMajor=1 -X $prefix.k8sVersionMinor=36" helm.sh/helm/v3/cmd/helm@v3.19.4
  fi
  if ! [ -x "$bin/pause" ]; then
    musl-gcc -static -Os -o "$bin/pause.new" "$here/kubernetes/pause/pause.c"
    mv "$bin/pause.new" "$bin/pause"
  fi
}

authority() (
  cd "$state/pki"
  local key=(openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
  "${key[@]}" -x509 -keyout ca.key -out ca.crt -days 30 -subj /CN=cluster -addext basicConstraints=critical,CA:TRUE
  # $1: name; $2: subject; $3: alternative names
  sign() {
    "${key[@]}" -keyout "$1.key" -out "$1.csr" -subj "$2"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out "$1.crt" \
      -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3")
  }
  sign server /CN=kube-apiserver \
    "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:$node,IP:${services%.*.*}.0.1"
  sign admin /O=system:masters/CN=admin DNS:admin
  sign kubelet /O=system:nodes/CN=system:node:node1 "DNS:node1,IP:$node"
  openssl genrsa -out accounts.key 2048
  openssl rsa -in accounts.key -pubout -out accounts.pub
) >"$state/log/pki" 2>&1

kubeconfig() {
  cat >"$state/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters: [{ name: it, cluster: { server: "https://$node:6443", certificate-authority: $state/pki/ca.crt } }]
users: [{ name: $1, user: { client-certificate: $state/pki/$1.crt, client-key: $state/pki/$1.key } }]
contexts: [{ name: it, context: { cluster: it, user: $1 } }]
current-context: it
YAML
}

configure() {
  mkdir -p "$state/net.d"
  cat >"$state/net.d/10-pods.conflist" <<JSON
{ "cniVersion": "0.4.0", "name": "egress-pods", "plugins": [
  { "type": "bridge", "bridge": "pods0", "isGateway": true, "hairpinMode": true,
    "ipam": { "type": "host-local", "dataDir": "$state/addresses",
      "ranges": [[{ "subnet": "${pods%.*.*}.0.0/24"${EGRESS_KUBERNETES_RANGE:+, $EGRESS_KUBERNETES_RANGE} }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
  { "type": "portmap", "capabilities": { "portMappings": true } }] }
JSON
  # Where root lacks CAP_SYS_RESOURCE, runc cannot lower oom_score_adj, and no pod would start.
  cat >"$state/containerd.toml" <<TOML
version = 2
root = "$state/containerd/root"
state = "$state/containerd/state"
[grpc]
  address = "$state/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$state/net.d"
TOML
  cat >"$state/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $node
authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: $state/pki/ca.crt } }
authorization: { mode: Webhook }
tlsCertFile: $state/pki/kubelet.crt
tlsPrivateKeyFile: $state/pki/kubelet.key
containerRuntimeEndpoint: unix://$state/containerd.sock
clusterDomain: cluster.local
resolvConf: ""
syncFrequency: 10s
# What a machine in a container has not, or shares with others.
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
localStorageCapacityIsolation: false
evictionHard: { memory.available: 0%, nodefs.available: 0%, imagefs.available: 0% }
YAML
}

# $1: program
start() {
  local name=$1 command
  alive "$name" && return
  case $name in
    etcd)
      command=(etcd --data-dir "$state/etcd" --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379
        --listen-peer-urls http://127.0.0.1:2380 --unsafe-no-fsync)
      ;;
    apiserver)
      command=("$bin/kube" kube-apiserver --etcd-servers=http://127.0.0.1:2379 --bind-address="$node" --advertise-address="$node" --secure-port=6443
        --service-cluster-ip-range="$services" "--authorization-mode=Node,RBAC" --allow-privileged=true --shutdown-delay-duration=0s
        --client-ca-file="$state/pki/ca.crt" --tls-cert-file="$state/pki/server.crt" --tls-private-key-file="$state/pki/server.key"
        --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$state/pki/accounts.pub"
        --service-account-signing-key-file="$state/pki/accounts.key" --kubelet-preferred-address-types=InternalIP
        --kubelet-client-certificate="$state/pki/admin.crt" --kubelet-client-key="$state/pki/admin.key")
      ;;
    controllers)
      command=("$bin/kube" kube-controller-manager --kubeconfig="$state/admin.kubeconfig" --bind-address=127.0.0.1 --leader-elect=false
        --service-account-private-key-file="$state/pki/accounts.key" --root-ca-file="$state/pki/ca.crt"
        --cluster-cidr="$pods" --allocate-node-cidrs=true)
      ;;
    scheduler)
      command=("$bin/kube" kube-scheduler --kubeconfig="$state/admin.kubeconfig" --bind-address=127.0.0.1 --leader-elect=false)
      ;;
    containerd) command=(containerd --config "$state/containerd.toml") ;;
    kubelet)
      command=("$bin/kube" kubelet --config="$state/kubelet.yaml" --kubeconfig="$state/kubelet.kubeconfig" --hostname-override=node1
        --node-ip="$node" --root-dir="$state/kubelet")
      ;;
    proxy)
      command=("$bin/kube" kube-proxy --kubeconfig="$state/admin.kubeconfig" --hostname-override=node1 --proxy-mode=iptables
        --cluster-cidr="$pods" --conntrack-max-per-core=0)
      ;;
    router)
      command=("$bin/kube-router" --kubeconfig="$state/admin.kubeconfig" --hostname-override=node1 --run-firewall=true --run-router=false
        --run-service-proxy=false --service-cluster-ip-range="$services")
      ;;
    *)
      say "there is no program $name here"
      exit 2
      ;;
  esac
  setsid nsenter --net="/run/netns/$space" -- "${command[@]}" >>"$state/log/$name" 2>&1 </dev/null &
  echo $! >"$state/pid/$name"
}

alive() {
  local pid
  pid=$(cat "$state/pid/$1" 2>/dev/null) && kill -0 "$pid" 2>/dev/null
}

# $1: program
stop() {
  local pid n
  pid=$(cat "$state/pid/$1" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null || true
  for n in $(seq 50); do
    kill -0 "$pid" 2>/dev/null || break
    [ "$n" -lt 50 ] || kill -9 "$pid" 2>/dev/null || true
    sleep 0.1
  done
  rm -f "$state/pid/$1"
}

up_api() {
  mkdir -p "$state"/{pki,log,pid,etcd,kubelet,containerd,addresses}
  chmod 700 "$state"
  if ! [ -e "/run/netns/$space" ]; then
    ip netns add "$space"
    inside ip link set lo up
    inside ip link add node0 type bridge
    inside ip address add "$node/32" dev node0
    inside ip link set node0 up
    inside sysctl -qw net.ipv4.ip_forward=1
    # Packets between pods on one bridge pass the filter, too.
    inside sysctl -qw net.bridge.bridge-nf-call-iptables=1 || true
  fi
  if ! [ -e "$state/admin.kubeconfig" ]; then
    authority
    kubeconfig kubelet
    configure
    kubeconfig admin
  fi
  start etcd
  start apiserver
  await 'the API server' kubectl get --raw /readyz
}

ready() { kubectl get nodes | grep -q ' Ready'; }

up() {
  build
  up_api
  start controllers
  start scheduler
  start containerd
  await containerd ctr version
  ctr images ls -q | grep -qx localhost/pause:1 || load_pause
  start kubelet
  start proxy
  await 'the node' ready
  start router
}

load_pause() {
  docker build -q -t localhost/pause:1 -f - "$bin" >/dev/null <<'DOCKERFILE'
FROM scratch
COPY pause /pause
ENTRYPOINT ["/pause"]
DOCKERFILE
  load localhost/pause:1
}

load() {
  local image
  for image in "$@"; do
    docker save "$image" | ctr images import - >/dev/null
  done
}

down() {
  [ -d "$state" ] || return 0
  local name task
  if alive apiserver; then
    kubectl delete pods --all --all-namespaces --grace-period=1 --timeout=30s >/dev/null 2>&1 || true
  fi
  for name in router proxy kubelet scheduler controllers apiserver etcd; do stop "$name"; done
  if alive containerd; then
    for task in $(ctr tasks ls -q 2>/dev/null); do ctr tasks kill -s KILL "$task" >/dev/null 2>&1 || true; done
    sleep 1
    stop containerd
  fi
  ip netns delete "$space" 2>/dev/null || true
  awk -v under="$state/" 'index($2, under) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mount; do
    umount -l "$mount" || true
  done
  rm -rf "$state"
}

verb=${1:-}
[ "$#" -eq 0 ] || shift
case $verb in
  build) build ;;
  up) up ;;
  api)
    build
    up_api
    ;;
  load) load "$@" ;;
  kubectl) kubectl "$@" ;;
  inside) inside "$@" ;;
  start | stop) "$verb" "${1:?which program}" ;;
  down) down ;;
  *)
    sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0" >&2
    exit 2
    ;;
esac
