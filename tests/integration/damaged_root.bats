#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Damaged, foreign and newer files under root and state: an error that names the object, and a daemon
# that goes on with all the rest.

setup_file() {
  load ../support/daemon
  D=$BATS_FILE_TMPDIR
  make_image "$BATS_FILE_TMPDIR/image.tar"
}

setup() {
  load ../support/daemon
  daemon_setup
  export CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1
  OURS=$CTRD_BUILD/ctr
  META=$D/root/io.containerd.metadata.v1.bolt/metadata.mdb
  OVERLAY=$D/root/io.containerd.snapshotter.v1.overlayfs
  CONTENT=$D/root/io.containerd.content.v1.content
  GC_STARTUP=1h daemon_config
  daemon_start
  c images import --snapshotter overlayfs "$BATS_FILE_TMPDIR/image.tar" >/dev/null
}

teardown() {
  daemon_teardown
}

c() {
  timeout 20 "$OURS" "$@"
}

stop() {
  daemon_stop
  : >"$D/log"
}

# plugin_fails TYPE ID TEXT: it is shown with its reason, and so says the log; the daemon runs.
plugin_fails() {
  c plugins ls "type==$1,id==$2" >"$D/plugin"
  cat "$D/plugin"
  grep -q error "$D/plugin"
  c plugins ls --detailed "type==$1,id==$2" >"$D/plugin"
  cat "$D/plugin"
  grep -F -- "$3" "$D/plugin"
  grep 'failed to load plugin' "$D/log" | grep -qF -- "$3"
  c version >/dev/null
}

# newer FILE FORMAT: as if a later version had written it.
newer() {
  python3 - "$@" <<'PY'
import sys
data = open(sys.argv[1], 'rb').read()
old = b'\1\0\0\0\1\0\0\0' + sys.argv[2].encode()
assert old in data  # also in pages that are not in use any more
open(sys.argv[1], 'wb').write(data.replace(old, old[:4] + b'\2' + old[5:]))
PY
}

image_is_there() {
  c images ls -q | grep -q "$IMAGE"
}

@test "metadata of a newer version is left alone" {
  stop
  newer "$META" containerd-metadata
  before=$(sha256sum <"$META")
  daemon_start
  plugin_fails io.containerd.metadata.v1 bolt "$META"
  grep -q 'written by a newer version of this program' "$D/plugin"
  stop
  [ "$(sha256sum <"$META")" = "$before" ]
}

@test "metadata that is garbage, cut off, empty or no file" {
  for how in 'head -c 65536 /dev/urandom >' 'truncate -s 5000' 'truncate -s 100' 'rm -f' ; do
    stop
    cp "$META" "$D/good"
    eval "$how \"$META\""
    [ "$how" != 'rm -f' ] || mkdir "$META"
    daemon_start
    plugin_fails io.containerd.metadata.v1 bolt "$META"
    run c images ls
    [ "$status" -eq 1 ]
    stop
    rm -rf "$META"
    cp "$D/good" "$META"
    daemon_start
    image_is_there
  done
}

@test "an empty metadata file is a new one" {
  stop
  : >"$META"
  daemon_start
  c images ls
}

@test "one snapshotter's records are newer or damaged: the other goes on" {
  for how in 'newer F containerd-snapshots' 'head -c 65536 /dev/urandom >F'; do
    stop
    cp "$OVERLAY/metadata.mdb" "$D/good"
    eval "${how//F/$OVERLAY/metadata.mdb}"
    daemon_start
    plugin_fails io.containerd.snapshotter.v1 overlayfs "$OVERLAY/metadata.mdb"
    image_is_there
    c snapshots --snapshotter native prepare "k$RANDOM" >/dev/null
    run c snapshots --snapshotter overlayfs ls
    [ "$status" -eq 1 ]
    [[ "$output" == *overlayfs* ]]
    stop
    cp "$D/good" "$OVERLAY/metadata.mdb"
    daemon_start
    c snapshots --snapshotter overlayfs ls | grep -q Committed
  done
}

@test "files where directories should be" {
  stop
  mv "$CONTENT" "$D/content"
  echo >"$CONTENT"
  daemon_start
  plugin_fails io.containerd.content.v1 content "$CONTENT"
  stop
  rm "$CONTENT"
  mv "$D/content" "$CONTENT"
  mv "$OVERLAY/snapshots" "$D/snapshots"
  echo >"$OVERLAY/snapshots"
  daemon_start
  plugin_fails io.containerd.snapshotter.v1 overlayfs "$OVERLAY/snapshots"
  image_is_there
}

@test "strangers among blobs, ingests and snapshots are passed over, and stay" {
  stop
  echo >"$CONTENT/blobs/sha256/notes"
  mkdir -p "$CONTENT/blobs/md5/x" "$CONTENT/ingest/mine" "$D/root/mine"
  mkdir -p "$CONTENT/ingest/$(printf '%064d' 5)"
  mkfifo "$CONTENT/ingest/$(printf '%064d' 5)/ref"
  echo >"$CONTENT/ingest/file"
  daemon_start
  [ "$(c content ls -q | grep -c notes)" -eq 0 ]
  c content active
  image_is_there
  c images import --snapshotter overlayfs "$BATS_FILE_TMPDIR/image.tar" >/dev/null
  c images tag "$IMAGE" "x.io/again:1" >/dev/null
  c images rm --sync "x.io/again:1" >/dev/null
  [ -e "$CONTENT/blobs/sha256/notes" ]
  [ -d "$CONTENT/blobs/md5/x" ]
  [ -d "$CONTENT/ingest/mine" ]
  [ -e "$CONTENT/ingest/file" ] && [ -d "$D/root/mine" ]
}

@test "a blob that became a link, a directory or a fifo is refused by its name" {
  blob=$(ls -S "$CONTENT/blobs/sha256" | head -1)
  for how in 'ln -s /etc/passwd' mkdir mkfifo; do
    rm -rf "${CONTENT:?}/blobs/sha256/$blob"
    eval "$how \"$CONTENT/blobs/sha256/$blob\""
    run c content get "sha256:$blob"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ "$output" == *"$blob"* && "$output" != *root:* ]]
    image_is_there
  done
}

@test "half-written ingests: the reference starts anew" {
  printf half | c content ingest --expected-size 8 ref || true
  stop
  for i in "$CONTENT"/ingest/*; do : >"$i/startedat"; done
  daemon_start
  c content active
  printf wholetext | c content ingest --expected-size 9 ref
  c content ls -q | grep -q "$(printf wholetext | sha256sum | cut -d' ' -f1)"
}

@test "a snapshot without its directory fails by its path; others do not" {
  name=$(c snapshots --snapshotter overlayfs ls | awk '/Committed/ {print $1}')
  c snapshots --snapshotter overlayfs prepare other >/dev/null
  rm -rf "$OVERLAY"/snapshots/1
  run c snapshots --snapshotter overlayfs prepare key "$name"
  echo "$output"
  [ "$status" -eq 1 ]
  [[ "$output" == *"$OVERLAY/snapshots/1/fs: no such file or directory" ]]
  c snapshots --snapshotter overlayfs mounts /x other
  c snapshots --snapshotter overlayfs commit done other
}

@test "bundles that nobody made are cleaned up or passed over" {
  tasks=$D/state/io.containerd.runtime.v2.task
  stop
  mkdir -p "$tasks/default/empty" "$tasks/default/garbage" "$tasks/odd name/x"
  echo '{"version":' >"$tasks/default/garbage/bootstrap.json"
  head -c 3000 /dev/urandom >"$tasks/default/garbage/config.json"
  head -c 3000 /dev/urandom >"$tasks/default/garbage/shim-binary-path"
  head -c 3000 /dev/urandom >"$tasks/default/garbage/address"
  mkdir -p "$tasks/default/fifos"
  mkfifo "$tasks/default/fifos/bootstrap.json" "$tasks/default/fifos/config.json" "$tasks/default/fifos/shim-binary-path"
  echo x >"$tasks/file"
  ln -s /etc "$tasks/default/link"
  daemon_start
  [ "$(c tasks ls -q | wc -l)" -eq 0 ]
  image_is_there
  [ -e /etc/passwd ]
}

@test "a root that cannot be written says so" {
  stop
  mount --bind "$D/root" "$D/root"
  mount -o remount,bind,ro "$D/root"
  daemon_start
  plugin_fails io.containerd.metadata.v1 bolt "$D/root"
  grep -q 'read-only file system' "$D/plugin"
  stop
  umount "$D/root"
  daemon_start
  image_is_there
}
