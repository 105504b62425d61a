#!/usr/bin/env bash
# Builds the controller of Cluster API Provider OCI: build.sh [OUTDIR]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/../../target/testenv}
# shellcheck source=../apiserver/lib.sh
. "$here/../apiserver/lib.sh"

build_go_tools "$here" "$out" "-s -w" capoci-controller=.
