#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# "containerd oci-hook" (reference 02 §8.1): the runtime's state in, the named program instead.

setup() {
  load ../support/daemon
  D=$(mktemp -d /tmp/ctrd.XXXXXX)
  printf '{"ociVersion":"1.2.0","root":{"path":"fs"}}' >"$D/config.json"
  STATE='{"ociVersion":"1.2.0","id":"c1","status":"creating","pid":77,"bundle":"'$D'","annotations":{"k":"v w"}}'
}

teardown() {
  rm -rf "$D"
}

hook() {
  printf '%s' "$STATE" | "$CTRD_DAEMON" oci-hook -- "$@"
}

@test "arguments and environment are filled in" {
  run hook /bin/echo '{{id}}' '{{pid}}-{{status}}' '{{bundle}} {{rootfs}}' '{{annotation "k"}}{{annotation "none"}}'
  [ "$status" -eq 0 ]
  [ "$output" = "c1 77-creating $D $D/fs v w" ]
  FROM='<{{rootfs}}>' run hook /usr/bin/env
  [[ "$output" == *"FROM=<$D/fs>"* ]]
}

@test "an absolute root stays as it is" {
  printf '{"root":{"path":"/r"}}' >"$D/config.json"
  run hook /bin/echo '{{rootfs}}'
  [ "$output" = /r ]
}

@test "the program replaces the process; PATH is not searched; its status is the hook's" {
  run hook /bin/sh -c 'exit 7'
  [ "$status" -eq 7 ]
  run hook echo hello
  [ "$status" -eq 1 ]
  [[ "$output" == *"no such file"* ]]
}

@test "bad templates, states and bundles are told" {
  run hook /bin/echo '{{nope}}'
  [ "$status" -eq 1 ]
  [[ "$output" == *'function "nope" not defined'* ]]
  STATE='{' run hook /bin/echo x
  [ "$status" -eq 1 ]
  rm "$D/config.json"
  run hook /bin/echo x
  [ "$status" -eq 1 ]
  [[ "$output" == *config.json* ]]
  run "$CTRD_DAEMON" oci-hook </dev/null
  [ "$status" -eq 1 ]
}
