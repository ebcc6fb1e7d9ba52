#!/usr/bin/env bash
# The tests on a real cluster: brings it up, builds the images that it runs, and starts the tests on its node. As root, on a machine
# with the engine of .ci/docker-engine.sh. Leaves the cluster up; `.ci/kubernetes-cluster.sh down` ends it.
#
#     .ci/kubernetes-tests.sh            all
#     .ci/kubernetes-tests.sh FILE…      some: test/kubernetes/identity.test.ts
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=.ci/kubernetes-cluster.sh
gate=${EGRESS_KUBERNETES_IMAGE:-agent-egress-kubernetes:local}
$cluster up
[ -n "${EGRESS_KUBERNETES_IMAGE:-}" ] || docker build --quiet --tag "$gate" --file docker/gateway.Dockerfile . >/dev/null
docker image inspect agent-egress-sandbox:local >/dev/null 2>&1 ||
  docker build --quiet --tag agent-egress-sandbox:local --file docker/sandbox.Dockerfile docker >/dev/null
$cluster load "$gate" agent-egress-sandbox:local
[ "$#" -gt 0 ] || set -- --kubernetes
exec env EGRESS_TEST_KUBERNETES=1 "EGRESS_KUBERNETES_IMAGE=$gate" $cluster inside node dist/test/run.js "$@"
