#!/usr/bin/env bash
# Builds Helm for the tests: build.sh [OUTDIR]
# The module is the one that fleetwright is measured against.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
out=${1:-$root/target/testenv}
# shellcheck source=../apiserver/lib.sh
. "$root/tests/apiserver/lib.sh"

build_go_tools "$root/benches/peers/helm" "$out" "-s -w" helm=helm.sh/helm/v4/cmd/helm
