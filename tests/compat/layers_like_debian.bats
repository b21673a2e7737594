#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# An image whose layers hold what tar can say, in every dialect, unpacked by Debian's containerd and by
# ours: modes, owners, times, attributes, links, devices and bytes of every file must be the same.

bats_require_minimum_version 1.5.0

setup_file() {
  [ -x /usr/bin/containerd ] && [ -x /usr/bin/ctr ] || skip "no containerd of Debian's"
  [ "$(id -u)" = 0 ] || skip "needs root"
  LAYERS=$(mktemp -d /tmp/odd.XXXXXX)
  export LAYERS
  python3 "$BATS_TEST_DIRNAME/../support/odd_layers.py" make "$LAYERS"
}

teardown_file() {
  rm -rf "$LAYERS"
}

setup() {
  load ../support/daemon
}

teardown() {
  daemon_teardown
}

# tree_of DAEMON SNAPSHOTTER: what its containers would see, as a list in $LAYERS/SNAPSHOTTER.NAME.
tree_of() {
  local key view=view-$2
  CTRD_DAEMON=$1 daemon_setup
  CTRD_DAEMON=$1 CTRD_SHIM_DIR=/usr/bin daemon_start
  timeout 120 "$CTR" images import --snapshotter "$2" "$LAYERS/image.tar" >/dev/null
  # What nothing refers to is collected now, not once the view is there.
  "$CTR" leases create --id collect >/dev/null
  "$CTR" leases delete --sync collect >/dev/null
  key=$("$CTR" snapshots --snapshotter "$2" ls | awk '$NF == "Committed" {parent[$2] = 1; key[$1] = 1}
    END {for (k in key) if (!(k in parent)) print k}')
  [ "$("$CTR" snapshots --snapshotter "$2" ls | grep -c Committed)" = "$(cat "$LAYERS/layers")" ]
  mkdir "$D/view"
  "$CTR" snapshots --snapshotter "$2" view "$view" "$key" >/dev/null
  sh -c "$("$CTR" snapshots --snapshotter "$2" mounts "$D/view" "$view")"
  python3 "$BATS_TEST_DIRNAME/../support/odd_layers.py" list "$D/view" >"$LAYERS/$2.$3"
  umount "$D/view"
  daemon_teardown
}

same_trees() {
  tree_of /usr/bin/containerd "$1" theirs
  tree_of "$CTRD_BUILD/containerd" "$1" ours
  [ "$(wc -l <"$LAYERS/$1.ours")" -gt 100 ]
  diff -u "$LAYERS/$1.theirs" "$LAYERS/$1.ours"
}

@test "an overlay shows what it shows with Debian's" {
  same_trees overlayfs
}

# Debian's native snapshotter loses times of directories and second names of links.
@test "plain directories hold what the overlay shows" {
  tree_of "$CTRD_BUILD/containerd" native ours
  [ -e "$LAYERS/overlayfs.ours" ] || tree_of "$CTRD_BUILD/containerd" overlayfs ours
  diff -u "$LAYERS/overlayfs.ours" "$LAYERS/native.ours"
}

# odd_tree DIR: what a header has no room for, or not the letters.
odd_tree() {
  local l
  l=$(printf '%090d' 0)
  mkdir -p "$1/$l/$l" "$1/é" "$1/$l$l" "$1/plain"
  echo split >"$1/$l/$l/f"
  echo split >"$1/$l/$l/x"
  python3 -c 'import os, sys
for path in sys.argv[1:]: os.setxattr(path, "user.k", b"v")' "$1/$l/$l/x" "$1/é"
  echo text >"$1/é/ü"
  echo text >"$1/${l}0123456789"
  echo text >"$1/plain/f"
  ln "$1/plain/f" "$1/plain/g"
  ln -s "${l}0123456789/x" "$1/plain/long"
  ln -s é "$1/plain/é"
  chown 3000000:3000001 "$1/plain/f"
  truncate -s 1000 "$1/old"
  find "$1" -exec touch -h -d @1500000000 {} +
  touch -d @-5 "$1/old"
}

# diff_of DAEMON: the digest of the bytes that a snapshot of such a tree makes.
diff_of() {
  CTRD_DAEMON=$1 daemon_setup
  CTRD_DAEMON=$1 CTRD_SHIM_DIR=/usr/bin daemon_start
  mkdir "$D/tree"
  "$CTR" snapshots prepare k >/dev/null
  sh -c "$("$CTR" snapshots mounts "$D/tree" k)"
  odd_tree "$D/tree"
  umount "$D/tree"
  timeout 60 "$CTR" snapshots diff --media-type application/vnd.oci.image.layer.v1.tar k >"$D/tar" || return 1
  sha256sum <"$D/tar"
  daemon_teardown
}

@test "a diff has the bytes it has with Debian's" {
  run diff_of /usr/bin/containerd
  [ "$status" = 0 ]
  theirs=$output
  run diff_of "$CTRD_BUILD/containerd"
  [ "$status" = 0 ]
  [ "$output" = "$theirs" ]
}
