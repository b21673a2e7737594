#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The daemon is killed at its n-th call that changes a file, or that call is refused, or the disk is
# full from there on (tests/support/cut_calls.c): nothing acknowledged is lost, nothing is damaged,
# and it goes on. Here some calls, others each time; all of them: CALL_POINTS=all bats
# tests/integration/crash_calls.bats; CALL_FIRST=n begins at that call.

bats_require_minimum_version 1.5.0

setup() {
  load ../support/daemon
  load ../support/promises
  CUT_CALLS=$CTRD_BUILD/tests/support/cut_calls
  [ "$(id -u)" = 0 ] || skip "needs root"
  [ "$(uname -m)" = x86_64 ] || skip "needs x86-64"
  daemon_setup
  promises_config
  make_image "$D/image.tar"
  PROMISES=$D/promises
}

teardown() {
  daemon_teardown
}

# traced MODE N: starts the daemon anew, with nothing.
traced() {
  rm -rf "$D/root" "$D/state" "$D/status"
  : >"$D/log"
  : >"$PROMISES"
  PATH="$CTRD_SHIM_DIR:$PATH" "$CUT_CALLS" "$1" "$2" "$D/status" "$CTRD_DAEMON" --config "$D/config.toml" >>"$D/log" 2>&1 3>&- &
  echo $! >"$D/pid"
  wait_for 5 daemon_answers || true # where what it needs to answer is refused, it does not
}

is_alive() {
  kill -0 "$(cat "$D/pid")" 2>/dev/null
}

# In a shell of its own, which ends at the first failure whatever the caller asks.
story() {
  D=$D PROMISES=$PROMISES IMAGE=$IMAGE timeout 100 bash -e -c "$(declare -f first_story second_story)
    source '$BATS_TEST_DIRNAME/../support/promises.bash'
    \"\$@\"" story "$@" >"$D/said" 2>&1 3>&-
}

first_story() {
  promise_image
  promise_round 1
  promise_removals 1
}

second_story() {
  import_image
  promise_round 2
  promise_removals 2
}

holds() {
  check_promises "$PROMISES"
}

# After a stop or a kill: as it is, and with everything done once more.
holds_after_restart() {
  verify && daemon_start && kill -0 "$(cat "$D/pid")" && holds && story "$1" && holds && daemon_stop && verify
}

# ended: the tracer, and with it the daemon. Its status.
ended() {
  local rc=0
  wait_for 20 daemon_is_gone "$(cat "$D/pid")" || return 1
  wait "$(cat "$D/pid")" || rc=$?
  return $rc
}

killed_at() {
  traced "$@"
  story first_story || true
  [ ! -e "$D/status" ] || return 0
  is_alive && kill "$(cat "$D/pid")"
  ended
  holds_after_restart second_story
}

# A daemon, or a plugin, that could not start has said why; otherwise the daemon goes on when there
# is room again.
refused_at() {
  local rc=0
  traced "$@"
  story first_story || true
  if ! is_alive; then
    ended || rc=$?
    [ $rc -lt 128 ] && grep -q '^containerd: ' "$D/log" && holds_after_restart second_story
    return
  fi
  kill -USR1 "$(cat "$D/pid")"
  if grep -q 'failed to load plugin' "$D/log"; then
    kill "$(cat "$D/pid")"
    ended && holds_after_restart second_story
    return
  fi
  story second_story && holds || return 1
  kill "$(cat "$D/pid")"
  ended && holds_after_restart true
}

# each CHECK MODE: at points spread over all calls of the story.
each() {
  local total point points=${CALL_POINTS:-6} step
  traced "$2" 0
  story first_story
  kill "$(cat "$D/pid")"
  ended
  total=$(cut -d' ' -f1 "$D/status")
  [ "$total" -gt 300 ]
  [ "$points" != all ] || points=$total
  step=$((total / points))
  for point in $(seq "${CALL_FIRST:-$((RANDOM % step + 1))}" $step "$total"); do
    "$1" "$2" "$point" || {
      echo "$2 call $point of $total: $(cat "$D/status" 2>/dev/null)"
      cat "$D/said"
      tail -5 "$D/log"
      return 1
    }
  done
}

@test "killed before a call" {
  each killed_at before
}

@test "killed behind a call" {
  each killed_at after
}

@test "a call is refused" {
  each refused_at refuse
}

@test "the disk is full from a call on" {
  each refused_at full
}
