#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The daemon is killed at random moments while tasks are created, started and deleted: the next
# one starts, and in the end no shim, mount, bundle, cgroup or socket is left. More rounds:
# CRASH_ROUNDS=500 bats tests/integration/crash.bats

setup() {
  load ../support/daemon
  load ../support/rootfs
  [ "$(id -u)" = 0 ] || skip "needs root"
  daemon_setup
  daemon_config
  cat >>"$D/config.toml" <<EOC
[plugins."io.containerd.shim.v1.manager"]
  socket_dir = "$D/s"
EOC
  daemon_start
  make_rootfs "$D/rootfs"
}

teardown() {
  daemon_teardown
}

crash_rounds() {
  local n k runs
  for n in $(seq "${CRASH_ROUNDS:-12}"); do
    runs=
    for k in 1 2 3; do
      timeout 5 "$CTR" run --rm --runtime "$RUNTIME" --rootfs "$D/rootfs" "x$n-$k" /bin/true >/dev/null 2>&1 3>&- &
      runs="$runs $!"
    done
    read -r -t "0.0$((RANDOM % 9))$((RANDOM % 10))" <> <(:) || true
    daemon_kill9
    daemon_start
    wait $runs || true
  done
  for t in $("$CTR" tasks ls -q); do timeout 20 "$CTR" tasks rm -f "$t" >/dev/null 2>&1 || true; done
  for c in $("$CTR" containers ls -q); do timeout 20 "$CTR" containers rm "$c" >/dev/null; done
  [ "$("$CTR" tasks ls -q | wc -l)" -eq 0 ]
  wait_for 20 nothing_left x
}

@test "with our shim" {
  RUNTIME=$CTRD_SHIM_DIR/containerd-shim-runc-v2
  crash_rounds
  [ -z "$(ls "$D/s" 2>/dev/null)" ]
}

@test "with Debian's shim" {
  RUNTIME=/usr/bin/containerd-shim-runc-v2
  [ -x $RUNTIME ] || skip "no Debian shim on this machine"
  crash_rounds
}
