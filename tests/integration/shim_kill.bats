#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The shim, its start helper and the runtime die at their Nth system call, for many N, while a container
# is made, exec'd into, killed and deleted: whatever the client was told, nothing stays behind.
# KILL_STEP=1 KILL_LAST=700 tries them all (by hand, an hour). The daemon is Debian's, so that only the shim
# is in question; CTRD_DAEMON=build/containerd tries ours.

: "${CTRD_DAEMON:=/usr/bin/containerd}"
: "${KILL_STEP:=37}"
: "${KILL_LAST:=480}"

setup_file() {
  load ../support/daemon
  [ "$(id -u)" -eq 0 ] || skip "needs root"
  command -v strace >/dev/null || skip "needs strace"
  daemon_setup
  # A tracer that the daemon does not wait for: the helper's answer goes through a file.
  mkdir "$D/shim"
  cat >"$D/shim/containerd-shim-runc-v2" <<END
#!/bin/bash
real=$CTRD_SHIM_DIR/containerd-shim-runc-v2
[[ "\${*: -1}" == start && -e "$D/n" ]] || exec "\$real" "\$@"
out=\$(mktemp $D/out.XXXX)
strace -D -f -o /dev/null --inject=all:signal=KILL:when=\$(cat "$D/n") "\$real" "\$@" >"\$out" 2>&1
rc=\$?
cat "\$out"
exit \$rc
END
  chmod +x "$D/shim/containerd-shim-runc-v2"
  CTRD_SHIM_DIR=$D/shim daemon_start
  make_image "$D/busybox.tar"
  "$CTR" images import "$D/busybox.tar"
}

teardown_file() {
  load ../support/daemon
  daemon_teardown
}

setup() {
  load ../support/daemon
  TASKS=$D/state/io.containerd.runtime.v2.task/default
}

# What is left of container k$1, in words.
remains() {
  ! pgrep -f "sleep 7654$1" >/dev/null || echo "a process"
  ! grep -q "$TASKS/k$1" /proc/mounts || echo "a mount"
  [ ! -e "$TASKS/k$1" ] || echo "a bundle"
  [ ! -e "/run/containerd/runc/default/k$1" ] || echo "state of the runtime"
  ! ls -d /sys/fs/cgroup/*/default/"k$1" >/dev/null 2>&1 || echo "a cgroup"
  ! "$CTR" containers ls -q | grep -qx "k$1" || echo "the container"
}

nothing_remains() {
  [ -z "$(remains "$1")" ]
}

@test "killed at any system call, nothing stays" {
  bad=0
  for n in $(seq 1 "$KILL_STEP" "$KILL_LAST"); do
    echo "$n" >"$D/n"
    timeout 20 "$CTR" run -d --null-io "$IMAGE" "k$n" sleep "7654$n" || true
    rm -f "$D/n"
    timeout 20 "$CTR" tasks exec --exec-id e "k$n" true </dev/null || true
    timeout 20 "$CTR" tasks kill -s KILL "k$n" || true
    for _ in 1 2 3; do
      timeout 20 "$CTR" tasks rm -f "k$n" || true
      timeout 20 "$CTR" containers rm "k$n" && break
    done
    wait_for 10 nothing_remains "$n" || {
      echo "# call $n left: $(remains "$n")" >&3
      bad=$((bad + 1))
    }
  done
  [ $bad -eq 0 ]
  wait_for 10 no_shims
}
