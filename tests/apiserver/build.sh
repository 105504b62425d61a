#!/usr/bin/env bash
# Builds kube-apiserver, kubectl and etcd for the tests: build.sh [OUTDIR]
# The first run takes some minutes; one with nothing to do, a moment.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/../../target/testenv}
# shellcheck source=lib.sh
. "$here/lib.sh"

# Without the version the server calls itself v0.0.0-master, and clients that
# look at it behave otherwise.
version=$(cd "$here" && GOWORK=off go list -m -f '{{.Version}}' k8s.io/kubernetes)
build_go_tools "$here" "$out" \
  "-s -w -X k8s.io/component-base/version.gitVersion=$version" \
  etcd=go.etcd.io/etcd/server/v3 \
  kubectl=k8s.io/kubernetes/cmd/kubectl \
  kube-apiserver=k8s.io/kubernetes/cmd/kube-apiserver
