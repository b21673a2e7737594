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
  load ../support/life
  life_setup
}

teardown() {
  daemon_teardown
}

# soak LIVES RUNTIME
soak() {
  local task=io.containerd.runtime.v2.task/life
  timeout "$SOAK_SECONDS" "$CTRD_BUILD/tests/integration/life/soak" "$SOCK" "$(cat "$D/pid")" "$PARENT" "$2" "$1" \
    "$SOAK_THREADS" "$D/state/$task" "$D/root/$task" /run/containerd/s /run/containerd/runc/life \
    "$D/root/io.containerd.snapshotter.v1.overlayfs/snapshots" "$D/root/tmpmounts" 2>&1 |
    tee -a "${SOAK_LOG:-/dev/null}"
  return "${PIPESTATUS[0]}"
}

@test "$SOAK_LIVES lives and as many execs leave nothing" {
  soak "$SOAK_LIVES" "$QUICK_RUNTIME"
}

@test "$SOAK_RUNC_LIVES lives and as many execs by runc leave nothing" {
  soak "$SOAK_RUNC_LIVES" runc
}
