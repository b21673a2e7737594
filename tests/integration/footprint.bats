#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a call costs, in system calls: figures that do not depend on the machine or its load. Memory at
# rest is looked at in restart_monitor.bats, which waits long enough anyway.

CALLS=1000

setup() {
  load ../support/daemon
  [ "$(id -u)" -eq 0 ] || skip "needs root"
  command -v strace >/dev/null || skip "needs strace"
  CLIENT=$CTRD_BUILD/bench/bench
  [ -x "$CLIENT" ] || skip "built without bench"
  daemon_setup
  daemon_config
  daemon_start
}

teardown() {
  load ../support/daemon
  [ -z "${TRACER:-}" ] || kill "$TRACER" 2>/dev/null || true
  [ -z "${D:-}" ] || daemon_teardown
}

# calls_of FILE: what it counts, less what connecting and the end of the connection take
calls_of() {
  awk '$NF != "total" && $4 ~ /^[0-9]+$/ {print $4, $NF}' "$1" >&2
  awk '$NF == "total" {print $4}' "$1"
}

traced() {
  local state
  state=$(awk '/^TracerPid/ {print $2}' "/proc/$1/status")
  [ "$state" != 0 ]
}

@test "a call that is answered at once is a wait, a read and a write, on either side" {
  daemon=$(cat "$D/pid")
  # The client makes a tenth more calls first.
  n=$((CALLS + CALLS / 10 + 1))
  timeout 60 "$CLIENT" version "$SOCK" 10
  timeout 60 strace -c -f -p "$daemon" -o "$D/server" 2>/dev/null &
  TRACER=$!
  wait_for 10 traced "$daemon"
  timeout 60 "$CLIENT" version "$SOCK" $CALLS
  kill -INT "$TRACER"
  wait "$TRACER" || true
  timeout 60 strace -c -f -o "$D/client" "$CLIENT" version "$SOCK" $CALLS
  server=$(calls_of "$D/server") client=$(calls_of "$D/client")
  echo "of $n calls: server $server, client $client"
  [ "$server" -ge $((3 * n)) ]
  [ "$server" -le $((3 * n + 60)) ]
  [ "$client" -le $((3 * n + 150)) ]
}
