#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Memory and threads of shims at rest: N idle containers under Debian's containerd, each with a shim of
# its own. Promise: at most 300 KiB PSS each at 20, one thread, no wake-ups (docs/compatibility.md).
# usage: bench/shim_memory.sh [N] [shim directory]
set -eu
n=${1:-20}
BATS_TEST_DIRNAME=$(cd "$(dirname "$0")/../tests/compat" && pwd)
CTRD_DAEMON=/usr/bin/containerd
BATS_FILE_TMPDIR=$(mktemp -d) # where the suites' support keeps its notes
[ -z "${2:-}" ] || CTRD_SHIM_DIR=$2
. "$BATS_TEST_DIRNAME/../support/daemon.bash"

rollup() { # FIELD: KiB over all shims
  local pid sum=0
  for pid in $shims; do
    sum=$((sum + $(awk -v f="$1:" '$1 == f {print $2}' "/proc/$pid/smaps_rollup")))
  done
  echo $sum
}

switches() {
  local pid sum=0
  for pid in $shims; do
    sum=$((sum + $(awk '/^voluntary_ctxt/ {print $2}' "/proc/$pid/status")))
  done
  echo $sum
}

daemon_setup
trap 'daemon_teardown; rm -rf "$BATS_FILE_TMPDIR"' EXIT
daemon_start
make_image "$D/i.tar"
"$CTR" images import "$D/i.tar" >/dev/null
for i in $(seq "$n"); do
  "$CTR" run -d --null-io "$IMAGE" "idle$i" sleep 100000
done
read -r -t 3 <> <(:) || true # until they are at rest
sync # pages of a binary that has just been linked count as dirty
shims=$(daemon_shims)
count=$(echo "$shims" | wc -w)
threads=$(for pid in $shims; do ls "/proc/$pid/task"; done | wc -w)
before=$(switches)
read -r -t 5 <> <(:) || true
after=$(switches)
printf 'shims %d  PSS %d KiB each  private dirty %d KiB each  threads %s each  wake-ups %s per second\n' \
  "$count" $(($(rollup Pss) / count)) $(($(rollup Private_Dirty) / count)) \
  "$(awk "BEGIN {print $threads / $count}")" "$(awk "BEGIN {print ($after - $before) / 5 / $count}")"
