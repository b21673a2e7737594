#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Our gRPC and ttrpc clients against Debian's containerd (Go's implementations of both), and, as
# a check of the check, against our own daemon.

setup() {
  load ../support/daemon
  daemon_setup
  DIGEST=sha256:$(head -c 20971520 /dev/zero | tr '\0' c | sha256sum | cut -d' ' -f1)
}

teardown() {
  daemon_teardown
}

@test "our clients talk to Debian's containerd" {
  CTRD_DAEMON=/usr/bin/containerd
  daemon_start
  run "$CTRD_BUILD/tests/compat/rpc_peer" "$SOCK" "$SOCK.ttrpc" "$DIGEST"
  echo "$output"
  [ "$status" -eq 0 ]
}

@test "our clients talk to our daemon" {
  daemon_start
  run "$CTRD_BUILD/tests/compat/rpc_peer" "$SOCK" "$SOCK.ttrpc" "$DIGEST"
  echo "$output"
  [ "$status" -eq 0 ]
}
