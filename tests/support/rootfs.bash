# SPDX-License-Identifier: Apache-2.0
# A root directory of busybox for "ctr run --rootfs", for suites about tasks: no image needed.

make_rootfs() {
  local a
  mkdir -p "$1/bin" "$1/proc" "$1/dev" "$1/sys" "$1/etc" "$1/tmp"
  cp /bin/busybox "$1/bin/busybox"
  for a in sh cat echo ls ps sleep true false tty stty head seq kill; do ln -sf busybox "$1/bin/$a"; done
}

# start_task ID SHELL-SCRIPT: detached, by the shim in $RUNTIME. Without streams: Debian's ctr would
# leave their fifos to whoever deletes the task.
start_task() {
  timeout 20 "$CTR" run -d --null-io --runtime "$RUNTIME" --rootfs "$D/rootfs" "$1" /bin/sh -c "$2"
}

# "RUNNING", "STOPPED" …, or nothing.
status_of() {
  "$CTR" tasks ls | awk -v id="$1" '$1 == id {print $3}'
}

has_status() {
  [ "$(status_of "$1")" = "$2" ]
}

remove_task() {
  timeout 20 "$CTR" tasks rm -f "$1"
  timeout 20 "$CTR" containers rm "$1"
}

# What a task may leave behind in the places it has been to.
leftovers() {
  ls "$D"/state/io.containerd.runtime.v2.task/*/ "$D"/root/io.containerd.runtime.v2.task/*/ 2>/dev/null | grep -v '^$\|:$'
  grep " $D/state" /proc/self/mounts
  daemon_shims
  find /sys/fs/cgroup -maxdepth 4 -type d -path "*/default/$1*" 2>/dev/null
}

nothing_left() {
  [ -z "$(leftovers "$1")" ]
}
