#!/usr/bin/env bash
# Builds Gitea for the tests: build.sh [OUTDIR]
# The first run takes some minutes; one with nothing to do, a moment. Needs Go and
# a C compiler (for SQLite).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/../../target/testenv}
# shellcheck source=../apiserver/lib.sh
. "$here/../apiserver/lib.sh"

mkdir -p "$out/gitea"
out=$(cd "$out/gitea" && pwd)
cd "$here"
# A workspace file further up must not change what is built.
export GOWORK=off CGO_ENABLED=1

# Two test binaries may ask at once; the second waits and finds all done.
exec 9>"$out/.lock"
if command -v flock >/dev/null; then
  flock 9
  rm -rf "$out"/.partial.*
fi

toolchain=$(go version && go env GOOS GOARCH)
want=$(stamp_of "$toolchain" gitea)
if [ "$(cat "$out/.stamp" 2>/dev/null)" = "$want" ] && [ -x "$out/gitea" ]; then
  exit 0
fi

rm -f "$out/.stamp"
partial=$(mktemp -d "$out/.partial.XXXXXX")
trap 'rm -rf "$partial"' EXIT
trap 'exit 130' INT TERM
echo "building gitea" >&2
version=$(go list -m -f '{{.Version}}' code.gitea.io/gitea)
# The lock is not handed down: what go leaves running must not hold it.
go build -trimpath -buildvcs=false -tags "sqlite sqlite_unlock_notify" \
  -ldflags "-s -w -X main.Version=${version#v}" -o "$partial/gitea" code.gitea.io/gitea 9>&-
# What it reads at run time, at a place that another user than the builder may read.
module=$(go list -m -f '{{.Dir}}' code.gitea.io/gitea)
mkdir "$partial/static"
cp -R "$module/options" "$module/templates" "$module/public" "$partial/static"
chmod -R u+w,go+rX "$partial/static" "$partial/gitea"
rm -rf "$out/static"
mv "$partial/static" "$out/static"
mv -f "$partial/gitea" "$out/gitea"
echo "$want" >"$partial/stamp"
mv -f "$partial/stamp" "$out/.stamp"
