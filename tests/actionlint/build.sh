#!/usr/bin/env bash
# Builds actionlint for the tests: build.sh [OUTDIR]
# The first run takes a minute; one with nothing to do, a moment. Needs Go.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../apiserver/lib.sh
. "$here/../apiserver/lib.sh"

build_go_tools "$here" "${1:-$here/../../target/testenv}" "-s -w" \
  actionlint=github.com/rhysd/actionlint/cmd/actionlint
