#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Mounts that the daemon makes by name, for clients and for root file systems of tasks.

bats_require_minimum_version 1.5.0
setup() {
  load ../support/daemon
  load ../support/rootfs
  [ "$(id -u)" = 0 ] || skip "needs root"
  daemon_setup
  daemon_start
  T=$D/state/io.containerd.mount-manager.v1.bolt/t
}

teardown() {
  daemon_teardown
}

mounts() {
  "$CTRD_BUILD/tests/integration/mounts/mounts_client" "$SOCK" "$@"
}

# Collects garbage.
collect() {
  "$CTR" leases create --id garbage
  "$CTR" leases rm --sync garbage
}

is_mounted() {
  grep -q " $1 " "/proc/$(cat "$D/pid")/mounts"
}

@test "mounts are activated, told of and deactivated" {
  run mounts list
  [ "$status" -eq 0 ]
  [ "$output" = "" ]
  run ! mounts activate plain - -- bind / rbind
  [[ "$output" == "error 12 not implemented" ]]
  # What refers to nobody could be collected at any time.
  make_rootfs "$D/rootfs"
  "$CTR" containers create --rootfs "$D/rootfs" c1
  run mounts activate a containerd.io/gc.bref.container=c1 temporary -- tmpfs one size=1m tmpfs two size=1m
  [ "${lines[0]}" = "name a" ]
  [ "${lines[1]}" = "active tmpfs $T/1/2" ]
  [ "${lines[2]}" = "active tmpfs $T/1/1" ]
  [ "${lines[3]}" = "system bind $T/1/1 rbind" ]
  is_mounted "$T/1/2"
  told=$output
  run ! mounts activate a - temporary -- tmpfs one -
  [[ "$output" == 'error 6 mount "a": already exists' ]]
  run mounts info a
  [ "$output" = "$told" ]
  run mounts list
  [ "$output" = "$told" ]
  mounts deactivate a
  run ! is_mounted "$T/1/2"
  [ -z "$(ls "$T")" ]
  run ! mounts info a
  [[ "$output" == 'error 5 '* ]]
  "$CTR" containers rm c1
}

@test "what nobody refers to is garbage, also after kill -9" {
  make_rootfs "$D/rootfs"
  "$CTR" containers create --rootfs "$D/rootfs" c1
  mounts activate kept containerd.io/gc.bref.container=c1 temporary -- tmpfs one -
  mounts activate lost containerd.io/gc.bref.container=none temporary -- tmpfs two -
  daemon_kill9
  mkdir -p "$T/9/1"
  mount -t tmpfs half "$T/9/1"
  daemon_start
  [ ! -e "$T/9" ]
  collect
  wait_for 10 bash -c "! ls $T/2"
  run mounts list
  [ "${lines[0]}" = "name kept" ]
  [ "${#lines[@]}" -eq 3 ]
  is_mounted "$T/1/1"
  "$CTR" containers rm c1
  collect
  wait_for 10 bash -c "! ls $T/1"
  run ! is_mounted "$T/1/1"
}

@test "a root file system made of parts" {
  make_rootfs "$D/rootfs"
  mkdir "$D/top" "$D/up" "$D/work"
  printf '#!/bin/sh\necho from inside >/left\n' >"$D/top/go"
  chmod 755 "$D/top/go"
  make_image "$D/busybox.tar"
  "$CTR" images import "$D/busybox.tar"
  "$CTR" containers create "$IMAGE" c1 /go
  run mounts create c1 -- bind "$D/rootfs" rbind,ro bind "$D/top" rbind,ro \
    format/overlay overlay "lowerdir={{ overlay 1 0 }},upperdir=$D/up,workdir=$D/work"
  [[ "$output" == "pid "* ]]
  run mounts info c1
  [ "$(grep -c ^active <<<"$output")" -eq 2 ]
  [[ "$output" == *"system overlay overlay lowerdir=$T/1/1:$T/1/2,upperdir="* ]]
  mounts start c1
  wait_for 10 [ -s "$D/up/left" ]
  [ "$(cat "$D/up/left")" = "from inside" ]
  wait_for 10 bash -c "'$CTR' tasks ls | grep -q STOPPED"
  timeout 20 "$CTR" tasks rm c1 || true
  run ! mounts info c1
  [ -z "$(ls "$T")" ]
  "$CTR" containers rm c1
}

# XFS refuses a second mount of the same disk, until the first is gone for good.
@test "a disk below a root file system is free once the task is removed" {
  command -v mkfs.xfs || skip "no mkfs.xfs"
  make_rootfs "$D/rootfs"
  truncate -s 300M "$D/disk"
  mkfs.xfs -q "$D/disk"
  mkdir "$D/mnt"
  mount -o loop "$D/disk" "$D/mnt"
  mkdir "$D/mnt/up" "$D/mnt/work"
  umount "$D/mnt"
  make_image "$D/busybox.tar"
  "$CTR" images import "$D/busybox.tar"
  for c in c1 c2 c3; do "$CTR" containers create "$IMAGE" $c true; done
  for c in c1 c2 c3; do
    run mounts create $c -- bind "$D/rootfs" rbind,ro xfs "$D/disk" loop \
      format/overlay overlay "lowerdir={{ mount 0 }},upperdir={{ mount 1 }}/up,workdir={{ mount 1 }}/work,index=off"
    [[ "$output" == "pid "* ]]
    mounts start $c
    wait_for 10 bash -c "'$CTR' tasks ls | grep -q STOPPED"
    timeout 20 "$CTR" tasks rm $c
  done
  "$CTR" containers rm c1 c2 c3
  [ -z "$(ls "$T")" ]
}

@test "a root file system that cannot be made leaves nothing" {
  make_rootfs "$D/rootfs"
  make_image "$D/busybox.tar"
  "$CTR" images import "$D/busybox.tar"
  "$CTR" containers create "$IMAGE" c1 true
  run ! mounts create c1 -- bind "$D/none" rbind format/overlay overlay "lowerdir={{ mount 0 }}"
  [[ "$output" == *"no such file or directory"* ]]
  run ! mounts create c1 -- bind "$D/rootfs" rbind format/overlay overlay "lowerdir={{ mount 0 }},upperdir=$D/none"
  [ -z "$(ls "$T")" ]
  [ -z "$("$CTR" tasks ls -q)" ]
  wait_for 10 no_shims
  "$CTR" containers rm c1
}
