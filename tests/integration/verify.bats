#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Damage in what is stored is named, one line per object, by "containerd verify" on a root without
# a daemon and by "ctr content verify" with one; importing the image again repairs its blobs.

setup_file() {
  load ../support/daemon
  D=$BATS_FILE_TMPDIR
  make_image "$BATS_FILE_TMPDIR/image.tar"
}

setup() {
  load ../support/daemon
  daemon_setup
  OURS=$CTRD_BUILD/ctr
  BLOBS=$D/root/io.containerd.content.v1.content/blobs/sha256
  OVERLAY=$D/root/io.containerd.snapshotter.v1.overlayfs/snapshots
  export CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1
  daemon_start
  import
}

teardown() {
  daemon_teardown
}

import() {
  timeout 30 "$OURS" images import --snapshotter overlayfs "$BATS_FILE_TMPDIR/image.tar" >/dev/null
}

offline() {
  timeout 30 "$CTRD_DAEMON" --config "$D/config.toml" verify 2>"$D/stderr"
}

online() {
  timeout 30 "$OURS" content verify 2>"$D/stderr"
}

# The largest blob is the layer.
layer() {
  ls -S "$BLOBS" | head -1
}

flip_a_byte() {
  local at byte
  at=$(($(stat -c %s "$1") / 2))
  byte=$(od -An -tu1 -j $at -N 1 "$1" | tr -d ' ')
  printf "$(printf '\\%03o' $((byte ^ 255)))" | dd of="$1" bs=1 seek=$at conv=notrunc status=none
}

every_blob_is_right() {
  (cd "$BLOBS" && for f in *; do echo "$f  $f"; done | sha256sum --check --quiet --ignore-missing)
}

# Lines, all about what is named in the arguments.
expect() {
  local line
  echo "$output"
  cat "$D/stderr"
  [ "$status" -eq 1 ]
  [ "${#lines[@]}" -eq 1 ]
  [[ "${lines[0]}" == "damaged $1"* ]]
}

@test "nothing is wrong with what was just imported" {
  run online
  [ "$status" -eq 0 ]
  [ "$output" = "" ]
  daemon_stop
  run offline
  echo "$output"
  [ "$status" -eq 0 ]
  [ "$output" = "" ]
}

@test "a root that a daemon uses is not looked at offline" {
  run offline
  [ "$status" -eq 1 ]
  [ "$output" = "" ]
  grep -q "another containerd uses $D/root: unavailable" "$D/stderr"
}

@test "one byte of a layer changed: named offline, marked, and repaired by importing again" {
  l=$(layer)
  daemon_stop
  flip_a_byte "$BLOBS/$l"
  run offline
  expect "blob sha256:$l: its $(stat -c %s "$BLOBS/$l") bytes have the digest sha256:"
  [ -e "$BLOBS/$l" ]
  daemon_start
  "$OURS" content ls | grep "$l" | grep -q "containerd.io/content.damaged="
  import
  every_blob_is_right
  [ -z "$("$OURS" content ls | grep content.damaged)" ]
  run online
  [ "$status" -eq 0 ]
  daemon_stop
  run offline
  [ "$status" -eq 0 ]
}

@test "one byte of a layer changed: named online, in every namespace, and repaired" {
  l=$(layer)
  timeout 30 "$OURS" -n second images import "$BATS_FILE_TMPDIR/image.tar" >/dev/null
  flip_a_byte "$BLOBS/$l"
  run online
  expect "blob sha256:$l: its "
  for ns in default second; do
    "$OURS" -n $ns content ls | grep "$l" | grep -q "containerd.io/content.damaged="
  done
  import
  every_blob_is_right
  for ns in default second; do
    [ -z "$("$OURS" -n $ns content ls | grep content.damaged)" ]
  done
  run online
  [ "$status" -eq 0 ]
}

@test "Debian's client repairs it, too" {
  [ -x /usr/bin/ctr ] || skip "no Debian ctr on this machine"
  l=$(layer)
  flip_a_byte "$BLOBS/$l"
  run online
  [ "$status" -eq 1 ]
  timeout 30 /usr/bin/ctr images import "$BATS_FILE_TMPDIR/image.tar" >/dev/null
  every_blob_is_right
}

@test "a layer cut short" {
  l=$(layer)
  truncate -s 1000 "$BLOBS/$l"
  run online
  expect "blob sha256:$l: its 1000 bytes have the digest sha256:"
  daemon_stop
  run offline
  expect "blob sha256:$l: its 1000 bytes have the digest sha256:"
  daemon_start
  import
  every_blob_is_right
}

@test "a blob whose file is gone: named, and importing repairs it without a look before" {
  l=$(layer)
  rm "$BLOBS/$l"
  import
  every_blob_is_right
  rm "$BLOBS/$l"
  run online
  expect "blob sha256:$l: "
  daemon_stop
  run offline
  expect "blob sha256:$l: is missing; namespace default has it"
}

@test "a blob that became a directory is named" {
  l=$(layer)
  daemon_stop
  rm "$BLOBS/$l"
  mkdir "$BLOBS/$l"
  run offline
  expect "blob sha256:$l: is not a file"
}

@test "a snapshot whose directory is gone" {
  key=$("$OURS" snapshots --snapshotter overlayfs ls | awk '/Committed/ {print $1}')
  rm -rf "${OVERLAY:?}"/*
  run online
  expect "snapshot default/overlayfs/$key: "
  [[ "$output" == *"$OVERLAY/"*"no such file or directory" ]]
  daemon_stop
  run offline
  expect "snapshot overlayfs/default/"
  [[ "$output" == *"$key: directory $OVERLAY/"*"/fs: no such file or directory" ]]
}

@test "a committed snapshot that lost a file" {
  key=$("$OURS" snapshots --snapshotter overlayfs ls | awk '/Committed/ {print $1}')
  rm "$OVERLAY"/*/fs/etc/passwd
  run online
  expect "snapshot default/overlayfs/$key: $OVERLAY/"
  [[ "$output" == *"it had "*" when it was committed" ]]
  daemon_stop
  run offline
  expect "snapshot overlayfs/"
  [[ "$output" == *"it had "*" when it was committed" ]]
}

@test "what a crash or a stranger left is told, and is no damage" {
  daemon_stop
  mkdir -p "$OVERLAY/4711/fs" "$D/root/io.containerd.content.v1.content/ingest/$(printf '%064d' 7)"
  echo >"$BLOBS/README"
  run offline
  echo "$output"
  [ "$status" -eq 0 ]
  [ "${#lines[@]}" -eq 3 ]
  [[ "${lines[0]}" == "leftover file blobs/sha256/README: "* ]]
  [[ "${lines[1]}" == "leftover file ingest/00"* ]]
  [[ "${lines[2]}" == "leftover file $OVERLAY/4711: "* ]]
}

@test "half of an ingest goes when the daemon starts; a stranger's file stays" {
  daemon_stop
  i=$D/root/io.containerd.content.v1.content/ingest
  mkdir -p "$i/$(printf '%064d' 7)" "$i/mine"
  : >"$i/$(printf '%064d' 7)/ref"
  daemon_start
  [ ! -e "$i/$(printf '%064d' 7)" ]
  [ -e "$i/mine" ]
}

@test "records that cannot be read are named, and the rest is looked at" {
  l=$(layer)
  daemon_stop
  f=$D/root/io.containerd.metadata.v1.bolt/metadata.mdb
  head -c 8192 /dev/urandom >"$f"
  flip_a_byte "$BLOBS/$l"
  run offline
  echo "$output"
  cat "$D/stderr"
  [ "$status" -eq 1 ]
  [[ "$output" == *"damaged blob sha256:$l"* ]]
  grep -q "metadata.mdb" "$D/stderr"
}

@test "help, a root that is not there, words that mean nothing" {
  run timeout 10 "$CTRD_DAEMON" verify --help
  [ "$status" -eq 0 ]
  [[ "$output" == *"containerd verify - look for damage"* ]]
  run timeout 10 "$CTRD_DAEMON" --root "$D/none" verify
  [ "$status" -eq 1 ]
  [[ "$output" == *"lock $D/none: no such file or directory" ]]
  [ ! -e "$D/none" ]
  run timeout 10 "$CTRD_DAEMON" --root "$D/root" verify nonsense
  [ "$status" -eq 3 ]
}

@test "a stranger's metadata is not looked into, and said so" {
  daemon_stop
  mkdir -p "$D/root/io.containerd.snapshotter.v1.native"
  rm -f "$D/root/io.containerd.snapshotter.v1.native/metadata.mdb"
  head -c 5000 /dev/urandom >"$D/root/io.containerd.snapshotter.v1.native/metadata.mdb"
  run offline
  cat "$D/stderr"
  [ "$status" -eq 1 ]
  grep -q 'containerd: snapshotter native: .*metadata.mdb' "$D/stderr"
}
