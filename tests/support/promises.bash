# SPDX-License-Identifier: Apache-2.0
# What a daemon acknowledged, in a line each of the file $PROMISES, and whether it still holds:
# for suites that end the daemon, or the power, in the midst of it. Uses daemon.bash and an image
# in $D/image.tar. All steps of a check are joined by "&&" or "||": where a failure is asked for,
# the shell does not stop by itself.

OURS=$CTRD_BUILD/ctr
export CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1

c() {
  timeout 30 "$OURS" "$@"
}

# Garbage goes when it is asked for, not between a blob and the label that keeps it.
promises_config() {
  GC_STARTUP=1h daemon_config
}

# What was answered, in a line; "no" in front takes an earlier one back before it is removed.
promise() {
  printf '%s\n' "$*" >>"$PROMISES"
}

# --- work ---

add_blob() {
  local digest is_kept=no
  head -c "$2" /dev/urandom >"$D/blob"
  digest=sha256:$(sha256sum "$D/blob" | cut -d' ' -f1)
  # A collection may take it before it has its label.
  for _ in 1 2 3; do
    c content ingest --expected-digest "$digest" "$1" <"$D/blob" >/dev/null
    ! c content label "$digest" containerd.io/gc.root=1 >/dev/null || is_kept=yes
    [ $is_kept = no ] || break
  done
  [ $is_kept = yes ]
  promise "blob $digest"
}

# add_snapshot SNAPSHOTTER NAME [PARENT]
add_snapshot() {
  c snapshots --snapshotter "$1" prepare "$2-key" ${3:+"$3"} >/dev/null
  upper_of "$1" "$2-key" >"$D/dir"
  head -c 20000 /dev/zero | tr '\0' x >"$(cat "$D/dir")/padding.$2"
  echo "$2" >"$(cat "$D/dir")/file.$2"
  c snapshots --snapshotter "$1" commit "$2" "$2-key"
  c snapshots --snapshotter "$1" label "$2" containerd.io/gc.root=1 >/dev/null
  promise "$1 $2"
}

# add_active SNAPSHOTTER NAME [PARENT]: not committed, with a file that its user has synced.
add_active() {
  c snapshots --snapshotter "$1" prepare "$2" ${3:+"$3"} >/dev/null
  c snapshots --snapshotter "$1" label "$2" containerd.io/gc.root=1 >/dev/null
  promise "active-$1 $2"
  upper_of "$1" "$2" >"$D/dir"
  echo "$2" >"$(cat "$D/dir")/synced"
  sync "$(cat "$D/dir")/synced"
  promise "synced-$1 $2"
}

# The directory that a snapshot's user writes to.
upper_of() {
  c snapshots --snapshotter "$1" mounts /x "$2" >"$D/mounts" || return 1
  if grep -q -- '-t overlay' "$D/mounts"; then
    sed 's/.*upperdir=\([^, ]*\).*/\1/' "$D/mounts"
  else
    awk '{print $4}' "$D/mounts"
  fi
}

# One round of everything, under names that end with the number.
promise_round() {
  local n=$1
  c namespaces create "ns$n"
  promise "namespaces ns$n"
  add_blob "small$n" 100
  c containers create --rootfs "$D" "c$n"
  promise "containers c$n"
  add_snapshot overlayfs "base$n"
  add_blob "large$n" 300000
  add_snapshot overlayfs "top$n" "base$n"
  c images tag $IMAGE "example.com/i$n:1" >/dev/null
  promise "images example.com/i$n:1"
  add_snapshot native "n$n"
  add_snapshot native "m$n" "n$n"
  add_active overlayfs "on$n" "base$n"
  add_active native "free$n"
  c leases create --id "l$n" >/dev/null
  promise "leases l$n"
  c snapshots --snapshotter native prepare "gone$n" "m$n" >/dev/null
  c snapshots --snapshotter native rm "gone$n"
  promise "gone native gone$n"
}

# Some of a round goes again.
promise_removals() {
  local n=$1
  promise "no images example.com/i$n:1"
  c images rm --sync "example.com/i$n:1" >/dev/null
  promise "gone images example.com/i$n:1"
  promise "no containers c$n"
  c containers rm "c$n"
  promise "gone containers c$n"
  promise "no overlayfs top$n"
  c snapshots --snapshotter overlayfs rm "top$n"
  promise "gone overlayfs top$n"
}

import_image() {
  c images import --snapshotter overlayfs "$D/image.tar" >/dev/null
}

promise_image() {
  import_image
  promise "images $IMAGE"
  promise "unpacked $IMAGE"
}

# --- afterwards ---

list() {
  case $1 in
    blob) c content ls -q ;;
    overlayfs | native | active-* | synced-*) c snapshots --snapshotter "${1#*-}" ls | awk 'NR > 1 {print $1}' ;;
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

# check_active SNAPSHOTTER NAME: its user can go on.
check_active() {
  local dir
  dir=$(upper_of "$1" "$2") && : >"$dir/new" || return 1
  ! grep -q workdir= "$D/mounts" || [ -d "$(dirname "$dir")/work" ]
}

check_synced() {
  local dir
  dir=$(upper_of "$1" "$2") && [ "$(cat "$dir/synced")" = "$2" ]
}

# check_promises FILE: prints what does not hold.
check_promises() {
  local what name rest bad=0
  for what in blob overlayfs native active-overlayfs active-native synced-overlayfs synced-native unpacked images \
    containers namespaces leases; do
    list $what >"$D/has.$what" || { echo "list $what failed"; bad=1; }
  done
  grep '^no ' "$1" | cut -d' ' -f2- >"$D/taken" || true
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
      active-*) check_active "${what#*-}" "$name" || { echo "$what $name cannot be used"; bad=1; } ;;
      synced-*) check_synced "${what#*-}" "$name" || { echo "$what $name has lost a file"; bad=1; } ;;
    esac
  done <"$1"
  return $bad
}

# Offline; 0 if nothing is damaged, or there is nothing yet.
verify() {
  [ -e "$D/root" ] || return 0
  timeout 30 "$CTRD_DAEMON" --config "$D/config.toml" verify >"$D/verify" 2>&1 || {
    grep -v ^leftover "$D/verify"
    return 1
  }
}
