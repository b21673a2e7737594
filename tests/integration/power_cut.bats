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
  CUT_DISK=$CTRD_BUILD/tests/support/cut_disk
  OURS=$CTRD_BUILD/ctr
  export CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1
  [ "$(id -u)" = 0 ] || skip "needs root"
  FS=${POWER_FS:-ext4}
  command -v "mkfs.$FS" >/dev/null || skip "no mkfs.$FS on this machine"
  [ -r /dev/fuse ] && [ -e /dev/loop-control ] || skip "no FUSE or no loop devices here"
  daemon_setup
  daemon_config
  mkdir "$D/m" "$D/root"
  make_disk
  make_image "$D/image.tar"
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

c() {
  timeout 30 "$OURS" "$@"
}

# What was answered, in a line; "no" in front takes an earlier one back before it is removed.
ack() {
  printf '%s\n' "$*" >"$D/m/mark"
}

# --- work ---

add_blob() {
  local digest
  head -c "$2" /dev/urandom >"$D/blob"
  digest=sha256:$(sha256sum "$D/blob" | cut -d' ' -f1)
  c content ingest --expected-digest "$digest" "$1" <"$D/blob" >/dev/null
  c content label "$digest" containerd.io/gc.root=1 >/dev/null
  ack "blob $digest"
}

# add_snapshot SNAPSHOTTER NAME [PARENT]
add_snapshot() {
  c snapshots --snapshotter "$1" prepare "$2-key" ${3:+"$3"} >/dev/null
  c snapshots --snapshotter "$1" mounts /x "$2-key" >"$D/mounts"
  if grep -q -- '-t overlay' "$D/mounts"; then
    sed 's/.*upperdir=\([^, ]*\).*/\1/' "$D/mounts"
  else
    awk '{print $4}' "$D/mounts"
  fi >"$D/dir"
  head -c 20000 /dev/zero | tr '\0' x >"$(cat "$D/dir")/padding.$2"
  echo "$2" >"$(cat "$D/dir")/file.$2"
  c snapshots --snapshotter "$1" commit "$2" "$2-key"
  c snapshots --snapshotter "$1" label "$2" containerd.io/gc.root=1 >/dev/null
  ack "$1 $2"
}

# One round of everything.
work() {
  local n=$1
  c namespaces create "ns$n"
  ack "namespaces ns$n"
  add_blob "small$n" 100
  c containers create --rootfs "$D" "c$n"
  ack "containers c$n"
  add_snapshot overlayfs "base$n"
  add_blob "large$n" 300000
  add_snapshot overlayfs "top$n" "base$n"
  c images tag $IMAGE "example.com/i$n:1" >/dev/null
  ack "images example.com/i$n:1"
  add_snapshot native "n$n"
  add_snapshot native "m$n" "n$n"
  c leases create --id "l$n" >/dev/null
  ack "leases l$n"
  c snapshots --snapshotter native prepare "gone$n" "m$n" >/dev/null
  c snapshots --snapshotter native rm "gone$n"
  ack "gone native gone$n"
  if [ "$n" -gt 1 ]; then
    ack "no images example.com/i$((n - 1)):1"
    c images rm "example.com/i$((n - 1)):1" >/dev/null
    ack "gone images example.com/i$((n - 1)):1"
    ack "no containers c$((n - 1))"
    c containers rm "c$((n - 1))"
    ack "gone containers c$((n - 1))"
  fi
}

work_all() {
  c images import --snapshotter overlayfs "$D/image.tar" >/dev/null
  ack "images $IMAGE"
  ack "unpacked $IMAGE"
  for n in $(seq "${POWER_ROUNDS:-2}"); do work "$n"; done
}

# --- after the cut ---

list() {
  case $1 in
    blob) c content ls -q ;;
    overlayfs | native) c snapshots --snapshotter "$1" ls | awk 'NR > 1 {print $1}' ;;
    unpacked) c images check --snapshotter overlayfs | awk '/complete/ && $NF == "true" {print $1}' ;;
    *) c "$1" ls -q ;;
  esac
}

# check_snapshot SNAPSHOTTER NAME: its files, as they were when it was committed. (Steps are
# joined: where a failure is asked for, the shell does not stop by itself.)
check_snapshot() {
  local dir
  c snapshots --snapshotter "$1" prepare check "$2" >/dev/null &&
    c snapshots --snapshotter "$1" mounts /x check >"$D/mounts" || return 1
  if grep -q -- '-t overlay' "$D/mounts"; then
    dir=$(sed 's/.*lowerdir=\([^:, ]*\).*/\1/' "$D/mounts")
  else
    dir=$(awk '{print $4}' "$D/mounts")
  fi
  [ "$(cat "$dir/file.$2")" = "$2" ] && [ "$(tr -d x <"$dir/padding.$2" | wc -c)" -eq 0 ] &&
    [ "$(stat -c %s "$dir/padding.$2")" -eq 20000 ] && c snapshots --snapshotter "$1" rm check
}

# Everything in marks, in their order. Prints what does not hold.
check_marks() {
  local no what name rest bad=0
  for what in blob overlayfs native unpacked images containers namespaces leases; do
    list $what | sort >"$D/has.$what" || { echo "list $what failed"; bad=1; }
  done
  grep '^no ' "$D/marks" | cut -d' ' -f2- >"$D/taken" || true
  while read -r what name rest; do
    case $what in
      no) continue ;;
      gone)
        ! grep -qxF -- "$rest" "$D/has.$name" || { echo "$name $rest came back"; bad=1; }
        continue
        ;;
    esac
    ! grep -qxF -- "$what $name" "$D/taken" || continue
    grep -qxF -- "$name" "$D/has.$what" || { echo "$what $name is lost"; bad=1; continue; }
    case $what in
      overlayfs | native) check_snapshot "$what" "$name" || { echo "$what $name has lost files"; bad=1; } ;;
    esac
  done <"$D/marks"
  return $bad
}

# check_cut SEED: 0 if everything holds.
check_cut() {
  "$CUT_DISK" cut "$D/base" "$D/log.disk" "$D/disk" "$1" >"$D/marks" 2>"$D/cut.text" || return 1
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
  local rc=0
  timeout 30 "$CTRD_DAEMON" --config "$D/config.toml" verify >"$D/verify" 2>&1 || { grep -v ^leftover "$D/verify"; return 1; }
  daemon_start && kill -0 "$(cat "$D/pid")" || return 1
  check_marks || return 1
  c images import --snapshotter overlayfs "$D/image.tar" >/dev/null || return 1
  daemon_stop
  timeout 30 "$CTRD_DAEMON" --config "$D/config.toml" verify >"$D/verify" 2>&1 || { cat "$D/verify"; return 1; }
}

@test "nothing that was acknowledged is lost or damaged when the power fails" {
  record_start
  work_all
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
    ack "containers c$n"
  done
  record_end
  losses=0
  for seed in 1 2 3 4; do
    check_cut $seed || losses=$((losses + 1))
  done
  [ $losses -gt 0 ]
}
