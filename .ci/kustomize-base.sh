#!/usr/bin/env bash
# Renders kubernetes/base from the chart: one description of the objects, for those who do not use Helm. Prints it; with --write,
# writes it.
set -euo pipefail
cd "$(dirname "$0")/.."
helm=${HELM:-/var/lib/egress-ci/kubernetes/bin/helm}
rendered=$(
  printf '# Rendered from kubernetes/chart by .ci/kustomize-base.sh: change that one.\n'
  "$helm" template egress kubernetes/chart --namespace egress --set authoritySecret=egress-authority |
    sed '/^# Source: /d'
)
if [ "${1:-}" = --write ]; then
  printf '%s\n' "$rendered" >kubernetes/base/egress.yaml
else
  printf '%s\n' "$rendered"
fi
