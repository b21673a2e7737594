#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Thousands of lives of containers, each with an exec: then descriptors, threads, mounts, cgroups,
# processes, files and memory are what they were. By hand ("make soak"):
# SOAK_LIVES=100000, its figures go to SOAK_LOG.

: "${SOAK_LIVES:=2000}"
: "${SOAK_RUNC_LIVES:=200}"
: "${SOAK_THREADS:=4}"
: "${SOAK_SECONDS:=300}"

setup() {
  load ../support/daemon
  [ "$(id -u)" = 0 ] || skip "needs root"
  [ -n "${CTRD_PRIVATE:-}" ] || skip "needs a machine of its own: run by tests/support/private.sh"
  daemon_setup
  # Memory, not the disk: what is measured is the daemon, and thousands of fsyncs would be all of the time.
  mkdir "$D/root"
  mount -t tmpfs tmpfs "$D/root"
  GC_SHARE=0.02 daemon_config # what nobody deletes is to be collected
  daemon_start
  make_image "$D/busybox.tar"
  "$CTR" -n life images import "$D/busybox.tar"
}

teardown() {
  daemon_teardown
}

# soak LIVES RUNTIME
soak() {
  local parent task=io.containerd.runtime.v2.task/life
  parent=$("$CTR" -n life snapshots ls | awk '$NF == "Committed" {print $1}')
  timeout "$SOAK_SECONDS" "$CTRD_BUILD/tests/integration/life/soak" "$SOCK" "$(cat "$D/pid")" "$parent" "$2" "$1" \
    "$SOAK_THREADS" "$D/state/$task" "$D/root/$task" /run/containerd/s /run/containerd/runc/life \
    "$D/root/io.containerd.snapshotter.v1.overlayfs/snapshots" "$D/root/tmpmounts" 2>&1 |
    tee -a "${SOAK_LOG:-/dev/null}"
  return "${PIPESTATUS[0]}"
}

# The bulk with a runtime that takes no time, so that it is daemon and shim that are worked.
@test "$SOAK_LIVES lives and as many execs leave nothing" {
  soak "$SOAK_LIVES" "$CTRD_BUILD/tests/integration/life/ctrd-quick-runtime"
}

@test "$SOAK_RUNC_LIVES lives and as many execs by runc leave nothing" {
  soak "$SOAK_RUNC_LIVES" runc
}
