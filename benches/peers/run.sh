#!/usr/bin/env bash
# Builds fleetwright and its peers, measures them side by side and prints one table: run.sh [measure.py's options]
# Needs Go, Python 3 and upstream's CRDs: in FLEETWRIGHT_UPSTREAM, or beside this repository in shared/upstream.
# The first run builds for a quarter of an hour; what it builds stays in target/.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
bench=$root/target/bench
assets=${KUBEBUILDER_ASSETS:-$root/target/testenv}

"$here/build.sh" "$bench"
if [ -z "${KUBEBUILDER_ASSETS:-}" ]; then
  "$root/tests/apiserver/build.sh" "$assets"
fi
cargo build --release --manifest-path "$root/Cargo.toml" --target-dir "$root/target"

exec python3 "$here/measure.py" --out "$bench" --assets "$assets" \
  --upstream "${FLEETWRIGHT_UPSTREAM:-$root/../shared/upstream}" \
  --fleetwright "$root/target/release/fleetwright" --helm "$bench/helm" --flux "$bench/flux-engine" "$@"
