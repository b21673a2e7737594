#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Plugins in other processes: one daemon serves its snapshotter to another.

bats_require_minimum_version 1.5.0
setup() {
  load ../support/daemon
  daemon_setup
}

teardown() {
  load ../support/daemon
  [ -z "${OTHER_PID:-}" ] || kill "$OTHER_PID" 2>/dev/null || true
  [ -z "${OTHER_PID:-}" ] || wait "$OTHER_PID" 2>/dev/null || true
  daemon_teardown
}

other_start() {
  cat >"$D/other.toml" <<CONF
version = 2
root = "$D/other-root"
state = "$D/other-state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "$D/o.sock"
[ttrpc]
  address = "$D/o.sock.ttrpc"
CONF
  "$CTRD_DAEMON" --config "$D/other.toml" >>"$D/other.log" 2>&1 3>&- &
  OTHER_PID=$!
  wait_for 20 "$CTR" -a "$D/o.sock" version
}

@test "a snapshotter of another process is used, when it is there" {
  daemon_config
  cat >>"$D/config.toml" <<CONF
[proxy_plugins.overlayfs2]
  type = "snapshot"
  address = "$D/o.sock"
  capabilities = ["rebase"]
[proxy_plugins.native]
  type = "diff"
  address = "$D/o.sock"
CONF
  daemon_start
  run "$CTR" plugins ls -d id==overlayfs2
  [[ "$output" == *"$D/o.sock"* && "$output" == *"rebase"* ]]
  run "$CTR" snapshots --snapshotter overlayfs2 prepare one
  [ "$status" -ne 0 ]
  other_start
  # It knows the other name only: the error is the other process's.
  run "$CTR" snapshots --snapshotter overlayfs2 prepare one
  [[ "$output" == *"snapshotter not loaded: overlayfs2"* ]]
  "$CTR" snapshots --snapshotter native prepare one
}

@test "an unknown type of proxy plugin and a name that is taken are told" {
  daemon_config
  printf '[proxy_plugins.x]\n  type = "bogus"\n  address = "%s"\n' "$D/o.sock" >>"$D/config.toml"
  run timeout 10 "$CTRD_DAEMON" --config "$D/config.toml"
  [ "$status" -eq 1 ]
  [[ "$output" == *'unknown proxy plugin type "bogus"'* ]]
  sed -i 's/bogus/snapshot/; s/proxy_plugins.x/proxy_plugins.overlayfs/' "$D/config.toml"
  run timeout 10 "$CTRD_DAEMON" --config "$D/config.toml"
  [ "$status" -eq 1 ]
  [[ "$output" == *"proxy plugin overlayfs: plugin io.containerd.snapshotter.v1.overlayfs: already exists"* ]]
}
