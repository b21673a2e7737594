#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# private.sh COMMAND…: runs it with processes, mounts, cgroups, network, /run and, where none of
# our own files lie there, /tmp of its own. Suites side by side cannot meet, and what one leaves
# behind can be seen (leftovers.bash) and ends with it. CTRD_PRIVATE=1 tells the command that it
# worked; on a machine that does not allow it the command runs all the same, without.
# After CTRD_DEADLINE seconds (600) all of it is ended, whatever it hangs in: status 124.
set -u
self=$(realpath "$0")
: "${CTRD_DEADLINE:=600}"
export CTRD_DEADLINE

# The same surroundings everywhere: script(1) runs $SHELL, clients read the rest.
export SHELL=/bin/sh TERM=xterm LANG=C.UTF-8 HOME=/root
unset DOCKER_HOST CONTAINERD_ADDRESS CONTAINERD_NAMESPACE NOTIFY_SOCKET SOURCE_DATE_EPOCH LC_ALL

cgroup_mounts() {
  awk '$3 == "cgroup" || $3 == "cgroup2" {print $2}' /proc/self/mounts
}

# Version 2: what a group limits, the groups in it may limit, too ("+"); then no process can be in
# it. Or no longer ("-").
share_controllers() {
  local c
  [ ! -e "$1/cgroup.subtree_control" ] || for c in $(<"$1/cgroup.controllers"); do
    echo "$2$c" >"$1/cgroup.subtree_control" || return 1
  done
}

# Moves this process into a new group of every hierarchy.
enter() {
  local m
  for m in $(cgroup_mounts); do
    share_controllers "$m" +
    mkdir -p "$m/$1" || return 1
    share_controllers "$m/$1" - # the probe has
    if [ -e "$m/cpuset.cpus" ]; then
      cat "$m/cpuset.cpus" >"$m/$1/cpuset.cpus"
      cat "$m/cpuset.mems" >"$m/$1/cpuset.mems"
    fi
    echo 0 >"$m/$1/cgroup.procs" || return 1
  done
}

# What was in them has been killed, but may take a moment to be gone.
remove_groups() {
  local m tries
  for m in $(cgroup_mounts); do
    tries=50
    while [ -d "$m/$1" ] && ! find "$m/$1" -depth -type d -exec rmdir {} + 2>/dev/null && [ $((tries--)) -gt 0 ]; do
      sleep 0.1
    done
    [ ! -d "$m/$1" ] || echo "private.sh: $m/$1 is still in use" >&2
  done
}

# For subshells: nothing of them may stay in the group above (settle).
isolated() {
  exec unshare --cgroup "$self" --settle unshare --mount --pid --net --fork --kill-child --mount-proc "$@"
}

# From the top of its groups, where the suite makes its own, into one of them (version 2).
settle() {
  local m
  for m in $(cgroup_mounts); do
    [ -n "$(cat "$m/cgroup.controllers" 2>/dev/null)" ] || continue
    mkdir -p "$m/$CTRD_GROUP/suite" && echo 0 >"$m/$CTRD_GROUP/suite/cgroup.procs" || return 1
    share_controllers "$m/$CTRD_GROUP" + || return 1
  done
}

# A /sys whose cgroup mounts begin at the new groups, and empty /run and /tmp. (/tmp stays on the
# disk: what runs there should meet the file system it meets elsewhere.)
own_mounts() {
  local old source target type options
  old=$(grep -E '^[^ ]+ /sys/' /proc/self/mounts)
  umount -R /sys && mount -t sysfs sysfs /sys || return 1
  while read -r source target type options _; do
    mkdir -p "$target"
    mount -t "$type" -o "$options" "$source" "$target" || return 1
  done <<<"$old"
  mount -t tmpfs -o mode=755 tmpfs /run && mkdir -m 1777 /run/lock || return 1
  case $PWD:${CTRD_BUILD:-}:$self in
    /tmp/* | *:/tmp/*) export CTRD_SHARED_TMP=1 ;; # leftovers.bash then leaves it out
    *) mount --bind "$CTRD_PRIVATE_TMP" /tmp ;;
  esac
}

case ${1:-} in
  --probe) own_mounts ;;
  --settle)
    shift
    settle || exit 1
    exec "$@"
    ;;
  --inside)
    shift
    own_mounts || exit 1
    ip link set lo up 2>/dev/null || true
    # As process 1 this shell reaps orphans; with it all that is left ends.
    trap 'exit 143' TERM INT
    unset CTRD_PRIVATE_TMP CTRD_GROUP
    CTRD_PRIVATE=1 "$@" <&0 &
    command=$!
    sleep "$CTRD_DEADLINE" &
    deadline=$!
    wait -n -p ended "$command" "$deadline"
    status=$?
    [ "$ended" = "$deadline" ] || exit $status
    echo "private.sh: not done after $CTRD_DEADLINE s, ended with what still ran:" >&2
    ps -eo pid,ppid,stat,etime,args --forest >&2
    exit 124
    ;;
  *)
    export CTRD_GROUP=ctrd-suite.$$
    CTRD_PRIVATE_TMP=$(mktemp -d /var/tmp/ctrd-suite.XXXXXX)
    chmod 1777 "$CTRD_PRIVATE_TMP"
    export CTRD_PRIVATE_TMP
    trap 'remove_groups $CTRD_GROUP; rm -rf "$CTRD_PRIVATE_TMP"' EXIT
    trap : TERM INT
    if (enter "$CTRD_GROUP" && isolated "$self" --probe) >/dev/null 2>&1; then
      (enter "$CTRD_GROUP" 2>/dev/null; isolated "$self" --inside "$@")
    else
      echo "private.sh: not possible here, running without" >&2
      timeout -k 10 "$CTRD_DEADLINE" "$@"
    fi
    ;;
esac
