#!/usr/bin/env bash
# Builds what fleetwright is measured against: build.sh [OUTDIR]
# Helm and Flux's engine at pinned versions. kubectl, kube-apiserver and etcd are those of the tests.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
out=${1:-$root/target/bench}
# shellcheck source=../../tests/apiserver/lib.sh
. "$root/tests/apiserver/lib.sh"

build_go_tools "$here/helm" "$out" "-s -w" helm=helm.sh/helm/v4/cmd/helm
build_go_tools "$here/flux" "$out" "-s -w" flux-engine=.
build_go_tools "$here/kubeconform" "$out" "-s -w" kubeconform=github.com/yannh/kubeconform/cmd/kubeconform
