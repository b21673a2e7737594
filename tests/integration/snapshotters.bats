#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Snapshotters as plugins: where they are, what they promise, and snapshots over restarts.

bats_require_minimum_version 1.5.0
setup() {
  load ../support/daemon
  daemon_setup
}

teardown() {
  load ../support/daemon
  daemon_teardown
}

ctr() {
  "$CTR" "$@"
}

@test "overlayfs and native run, and say where and for which platform" {
  daemon_start
  run ctr plugins ls
  [[ "$output" =~ io.containerd.snapshotter.v1\ +native\ +linux/[a-z0-9]+\ +ok ]]
  [[ "$output" =~ io.containerd.snapshotter.v1\ +overlayfs\ +linux/[a-z0-9]+\ +ok ]]
  run ctr plugins ls -d id==overlayfs
  [[ "$output" == *"root"*"$D/root/io.containerd.snapshotter.v1.overlayfs"* ]]
  [[ "$output" == *"rebase"* ]]
}

@test "snapshots are there after a restart, also after kill -9" {
  daemon_start
  for sn in overlayfs native; do
    ctr snapshots --snapshotter $sn prepare one
    ctr snapshots --snapshotter $sn commit base one
    ctr snapshots --snapshotter $sn prepare two base
  done
  daemon_kill9
  daemon_start
  for sn in overlayfs native; do
    run ctr snapshots --snapshotter $sn ls
    [[ "$output" =~ base\ +Committed ]]
    [[ "$output" =~ two\ +base\ +Active ]]
    run ctr snapshots --snapshotter $sn mounts "$D/m" two
    [ "$status" -eq 0 ]
  done
}

@test "the configuration moves a snapshotter and changes its mounts" {
  daemon_config
  cat >>"$D/config.toml" <<CONF
[plugins."io.containerd.snapshotter.v1.overlayfs"]
  root_path = "$D/elsewhere"
  upperdir_label = true
  sync_remove = true
  mount_options = ["volatile"]
CONF
  daemon_start
  ctr snapshots prepare one
  ctr snapshots commit base one
  ctr snapshots prepare two base
  [ -d "$D/elsewhere/snapshots/2/fs" ]
  run ctr snapshots info two
  [[ "$output" == *"\"containerd.io/snapshot/overlay.upperdir\": \"$D/elsewhere/snapshots/2/fs\""* ]]
  run ctr snapshots mounts "$D/m" two
  [[ "$output" == *",volatile"* ]]
}

@test "the original's snapshots are not taken for garbage" {
  mkdir -p "$D/root/io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs"
  echo bolt >"$D/root/io.containerd.snapshotter.v1.overlayfs/metadata.db"
  daemon_start
  run ctr plugins ls -d id==overlayfs
  [[ "$output" == *"metadata.db belongs to another implementation"* ]]
  [ -d "$D/root/io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs" ]
  ctr snapshots --snapshotter native prepare one
}

# The umount behind a Delete does not wait for the disk (docs/design/020): nothing of that shows.
@test "after a task its snapshot can be used again, or removed, at once" {
  daemon_start
  make_image "$D/busybox.tar"
  ctr images import "$D/busybox.tar"
  count='n=$(($(cat /n 2>/dev/null || echo 0) + 1)); echo $n >/n; exit $n'
  for round in 1 2; do
    for i in 1 2 3 4 5; do
      if [ $i = 1 ]; then
        run timeout 30 "$CTR" run "$IMAGE" again sh -c "$count"
      else
        run timeout 30 "$CTR" tasks start again
      fi
      [ "$status" -eq $i ]
      run ! grep -q " $D/state/.*/rootfs " /proc/self/mounts
    done
    timeout 30 "$CTR" containers rm again
    run timeout 30 "$CTR" snapshots info again
    [[ "$output" == *"not found"* ]]
  done
}
