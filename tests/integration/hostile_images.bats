#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images that no honest tool makes (docs/dev/security-rows.md): a clear error, soon, with little memory,
# nothing outside the snapshot, and the same daemon afterwards.

setup_file() {
  [ "$(id -u)" = 0 ] || skip "needs root"
  load ../support/daemon
  daemon_setup
  daemon_start
}

teardown_file() {
  load ../support/daemon
  daemon_teardown
}

setup() {
  load ../support/daemon
  [ "$(id -u)" = 0 ] || skip "needs root"
}

no_helper() {
  ! pgrep -P "$(cat "$D/pid")"
}

# No layer of it became a snapshot, no helper is left, and the daemon did not grow.
still_there() {
  [ -d "/proc/$(cat "$D/pid")" ]
  timeout 10 "$CTR" version >/dev/null
  wait_for 5 no_helper
  [ "$(awk '/^VmHWM:/ {print $2}' "/proc/$(cat "$D/pid")/status")" -lt 200000 ]
  ! "$CTR" snapshots ls | grep -w Committed
}

image() {
  python3 "$BATS_TEST_DIRNAME/../support/hostile_images.py" "$1" "$D/$1.tar"
}

# refused KIND TEXT [CTR]: the import fails, saying so.
refused() {
  image "$1"
  run timeout 60 "${3:-$CTR}" images import "$D/$1.tar"
  echo "$output"
  [ "$status" -ne 0 ]
  [ "$status" -ne 124 ]
  [[ "$output" == *"$2"* ]]
  rm -f "$D/$1.tar"
  still_there
}

@test "an index is not followed a second time, nor too deep (CVE-2026-53495)" {
  image wide-graph
  timeout 20 "$CTRD_BUILD/ctr" images import --no-unpack "$D/wide-graph.tar"
  "$CTRD_BUILD/ctr" images rm --sync docker.io/library/hostile:1
  refused deep-graph "too many documents" "$CTRD_BUILD/ctr"
}

@test "an index that is too large is not read into memory (CVE-2023-25153)" {
  refused large-index "is over 4194304 bytes" "$CTRD_BUILD/ctr"
}

@test "a document that is two kinds at once is refused (CVE-2021-41190)" {
  refused two-kinds "expected manifest but found index" "$CTRD_BUILD/ctr"
}

@test "a digest that is a path is refused" {
  refused bad-digest "digest" "$CTRD_BUILD/ctr"
}

@test "malformed digests in manifests and labels disturb nobody (CVE-2026-95839)" {
  image subject
  "$CTR" images import --no-unpack "$D/subject.tar"
  for label in containerd.io/gc.ref.content.0=sha256:nothing containerd.io/gc.ref.content=no:digest:at \
    containerd.io/gc.ref.snapshot.overlayfs=../.. containerd.io/gc.expire=never; do
    "$CTR" images label docker.io/library/hostile:1 "$label"
  done
  "$CTR" leases create --id odd
  "$CTR" leases delete --sync odd
  "$CTR" images ls -q | grep -w hostile
  "$CTR" images rm --sync docker.io/library/hostile:1
  still_there
}

@test "a layer that is not what the configuration says is not committed" {
  refused other-diff "wrong diff id"
}

@test "a layer that inflates to a thousand times its size is given up" {
  refused bomb "unpacks to more than"
}

@test "a hard link to a file outside the layer fails (CVE-2021-32760)" {
  refused hardlink "link "
}

@test "names and links that lead out of a layer stay inside (CVE-2021-32760)" {
  image escape
  timeout 20 "$CTR" images import "$D/escape.tar"
  [ ! -e /ctrd-escaped ]
  [ -z "$(find "$D" -name ctrd-escaped -not -path "$D/root/io.containerd.snapshotter.v1.overlayfs/snapshots/*/fs/*")" ]
  "$CTR" images rm --sync docker.io/library/hostile:1
}
