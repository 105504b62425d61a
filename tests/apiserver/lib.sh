# Shared by the build scripts of the Go programs that the tests run beside us.
# To be sourced by bash; sets no options of its own.

# build_go_tools MODULE_DIR OUTDIR LDFLAGS NAME=PACKAGE...
#
# Builds each PACKAGE of the module into OUTDIR/NAME, unless the stamp left by
# the last build says that nothing it was made from has changed. A binary gets
# its name only when it is whole, and the stamp is written last: whatever is
# killed on the way, the next call starts that part afresh.
build_go_tools() (
  set -euo pipefail
  module=$1 out=$2 ldflags=$3
  shift 3
  label=$(basename "$module")
  mkdir -p "$out"
  out=$(cd "$out" && pwd)
  cd "$module"

  # A workspace file further up must not change what is built.
  export GOWORK=off CGO_ENABLED=0

  # Two test binaries may ask at once; the second waits and finds all done.
  # Without flock they would both build, which is slow but not wrong.
  exec 9>"$out/.$label.lock"
  if command -v flock >/dev/null; then
    flock 9
    rm -rf "$out/.$label.partial."*
  fi

  stamp=$out/.$label.stamp
  toolchain=$(go version && go env GOOS GOARCH)
  want=$(stamp_of "$toolchain" "$ldflags" "$@")
  if [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && all_there "$out" "$@"; then
    return 0
  fi

  rm -f "$stamp"
  partial=$(mktemp -d "$out/.$label.partial.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  trap 'exit 130' INT TERM
  for target in "$@"; do
    name=${target%%=*}
    echo "building $name" >&2
    # The lock is not handed down: what go leaves running must not hold it.
    go build -trimpath -buildvcs=false -ldflags "$ldflags" \
      -o "$partial/$name" "${target#*=}" 9>&-
    mv -f "$partial/$name" "$out/$name"
  done
  echo "$want" >"$partial/stamp"
  mv -f "$partial/stamp" "$stamp"
)

# git hash-object, because sha256sum has another name on each system.
stamp_of() {
  {
    echo "$@"
    find . -type f \( -name 'go.*' -o -name '*.go' -o -name '*.sh' \) |
      LC_ALL=C sort | xargs cat
    cat "${BASH_SOURCE[0]}"
  } | git hash-object --stdin
}

all_there() {
  local out=$1 target
  shift
  for target in "$@"; do
    [ -x "$out/${target%%=*}" ] || return 1
  done
}
