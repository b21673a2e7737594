#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The daemon works on a disk that can lose what was not flushed (tests/support/cut_disk.c), and
# what it acknowledged is noted between the disk's writes. Then the power is cut, here and there:
# the file system mounts, nothing acknowledged is missing, nothing is damaged, the daemon starts
# and takes the image again. More: POWER_CUTS=1000 POWER_ROUNDS=20 bats tests/integration/power_cut.bats;
# POWER_SEED=n begins with that cut; POWER_FS=xfs or btrfs is another file system than ext4.

bats_require_minimum_version 1.5.0

setup() {
  load ../support/daemon
  load ../support/promises
  CUT_DISK=$CTRD_BUILD/tests/support/cut_disk
  [ "$(id -u)" = 0 ] || skip "needs root"
  FS=${POWER_FS:-ext4}
  command -v "mkfs.$FS" >/dev/null || skip "no mkfs.$FS on this machine"
  [ -r /dev/fuse ] && [ -e /dev/loop-control ] || skip "no FUSE or no loop devices here"
  daemon_setup
  promises_config
  mkdir "$D/m" "$D/root"
  make_disk
  make_image "$D/image.tar"
  PROMISES=$D/m/mark
  LOOP=
}

# As small as each allows.
make_disk() {
  case $FS in
    ext4) truncate -s 64M "$D/base" && mkfs.ext4 -q -F -J size=4 -E nodiscard,lazy_itable_init=0 "$D/base" ;;
    xfs) truncate -s 320M "$D/base" && mkfs.xfs -q -K "$D/base" ;;
    btrfs) truncate -s 128M "$D/base" && mkfs.btrfs -q -K "$D/base" ;;
  esac
}

teardown() {
  [ -n "${D:-}" ] || return 0
  daemon_stop || true
  unplug
  daemon_teardown
}

# plug FILE: its file system becomes the root.
plug() {
  LOOP=$(losetup --find --show "$1") || skip "no loop device to be had"
  mount -t "$FS" -o nodiscard "$LOOP" "$D/root"
}

unplug() {
  mountpoint -q "$D/root" && umount "$D/root"
  [ -z "$LOOP" ] || losetup --detach "$LOOP"
  LOOP=
  ! mountpoint -q "$D/m" || wait_for 10 umount "$D/m"
}

record_start() {
  "$CUT_DISK" serve "$D/m" "$D/base" "$D/log.disk" 3>&- &
  wait_for 10 test -e "$D/m/disk"
  plug "$D/m/disk"
  daemon_start
}

record_end() {
  daemon_kill9
  unplug
}

# check_cut SEED: 0 if everything holds.
check_cut() {
  "$CUT_DISK" cut "$D/base" "$D/log.disk" "$D/disk" "$1" >"$D/promises" 2>"$D/cut.text" || return 1
  : >"$D/log"
  plug "$D/disk"
  check_plugged
  local rc=$?
  daemon_stop
  unplug
  [ $rc -eq 0 ] || { cat "$D/cut.text"; tail -5 "$D/log"; }
  return $rc
}

check_plugged() {
  verify && daemon_start && kill -0 "$(cat "$D/pid")" && check_promises "$D/promises" &&
    import_image && daemon_stop && verify
}

@test "nothing that was acknowledged is lost or damaged when the power fails" {
  record_start
  promise_image
  for n in $(seq "${POWER_ROUNDS:-2}"); do
    promise_round "$n"
    [ "$n" -eq 1 ] || promise_removals $((n - 1))
  done
  record_end
  first=${POWER_SEED:-$RANDOM}
  for seed in $(seq "$first" $((first + ${POWER_CUTS:-25} - 1))); do
    check_cut "$seed"
  done
}

# Otherwise the test above would show nothing.
@test "without syncs, something is lost, and this is noticed" {
  printf '[plugins."io.containerd.metadata.v1.bolt"]\n  no_sync = true\n' >>"$D/config.toml"
  record_start
  for n in 1 2 3; do
    c containers create --rootfs "$D" "c$n"
    promise "containers c$n"
  done
  record_end
  losses=0
  for seed in 1 2 3 4; do
    check_cut $seed || losses=$((losses + 1))
  done
  [ $losses -gt 0 ]
}
