#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Daemon, shim, start helper and runtime die at a system call of theirs, in each operation on a
# container: tests/integration/life/kill_calls.c tells what must hold. Of many calls some are tried;
# by hand ("make soak") KILL_STEP=1 tries them all.

: "${KILL_STEP:=29}"
: "${KILL_RUNC_STEP:=997}"
: "${KILL_SEED:=$RANDOM}"
: "${KILL_SECONDS:=300}"

setup() {
  load ../support/daemon
  load ../support/life
  life_setup
  daemon_stop
}

teardown() {
  daemon_teardown
}

# kill_calls RUNTIME STEP
kill_calls() {
  local status
  echo "seed $KILL_SEED"
  PATH="$CTRD_SHIM_DIR:$PATH" timeout "$KILL_SECONDS" "$CTRD_BUILD/tests/integration/life/kill_calls" "$D" \
    "$CTRD_DAEMON" "$D/config.toml" "$PARENT" "$1" "$2" "$KILL_SEED" ${KILL_ONLY:-} 2>&1 | tee -a "${KILL_LOG:-/dev/null}"
  status=${PIPESTATUS[0]}
  [ "$status" -ne 77 ] || skip "nobody may trace here"
  return "$status"
}

@test "killed at any system call, nothing is lost and nothing stays" {
  kill_calls "$QUICK_RUNTIME" "$KILL_STEP"
}

@test "runc killed at any system call, nothing is lost and nothing stays" {
  kill_calls runc "$KILL_RUNC_STEP"
}
