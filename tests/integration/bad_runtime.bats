#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Runtimes that hang, die, lie or are none, under the whole stack: the client is told, nobody waits for ever,
# and nothing stays behind. What the shim alone makes of them: shim.bats.

setup_file() {
  load ../support/daemon
  load ../support/rootfs
  [ "$(id -u)" = 0 ] || skip "needs root"
  daemon_setup
  daemon_start
  make_rootfs "$D/rootfs"
}

teardown_file() {
  load ../support/daemon
  daemon_teardown
}

setup() {
  load ../support/daemon
  load ../support/rootfs
  ID=b$BATS_TEST_NUMBER
  rm -f "$D"/on-*
}

# fake SCRIPT: a runtime that does as the script says before it becomes runc. "verb NAME" there asks for
# the verb, and for the file on-NAME.
fake() {
  cat >"$D/fake" <<EOR
#!/bin/bash
D=$D
verb() { [[ " \$args " == *" \$1 "* && -e $D/on-\$1 ]]; }
args="\$*"
$1
exec runc "\$@"
EOR
  chmod +x "$D/fake"
}

run_with() {
  timeout 30 "$CTR" run -d --null-io --runc-binary "$1" --rootfs "$D/rootfs" "$ID" /bin/sleep 100000
}

# Told, in not too many words, and gone.
refused_and_gone() {
  [ "$status" -ne 0 ]
  [ "$status" -ne 124 ]
  [ "${#output}" -lt 9000 ]
  "$CTR" containers rm "$ID" 2>/dev/null || true
  wait_for 10 nothing_left "$ID"
  timeout 10 "$CTR" version >/dev/null
}

@test "a runtime that is not there, a directory, not executable, no program" {
  mkdir -p "$D/dir"
  echo text >"$D/text"
  printf '\177ELF garbage' >"$D/elf"
  chmod +x "$D/elf"
  for r in "$D/none" no-such-runtime "$D/dir" "$D/text" "$D/elf"; do
    run run_with "$r"
    refused_and_gone
  done
}

@test "a runtime that is killed while it creates" {
  fake 'verb create && kill -9 $$'
  touch "$D/on-create"
  run run_with "$D/fake"
  refused_and_gone
}

@test "a runtime that says nothing but garbage" {
  fake 'verb create && {
    head -c 3000000 /dev/urandom >log.json; head -c 3000000 /dev/urandom >&2; exit 3; }'
  touch "$D/on-create"
  run run_with "$D/fake"
  refused_and_gone
}

@test "a runtime that claims to have made what it has not" {
  fake 'verb create && exit 0'
  touch "$D/on-create"
  run run_with "$D/fake"
  refused_and_gone
}

fake_runs() {
  [ -s "$D/fake.pid" ] && kill -0 "$(cat "$D/fake.pid")"
}

fake_ended() {
  ! kill -0 "$(cat "$D/fake.pid")" 2>/dev/null
}

@test "a client that leaves a runtime that hangs in create takes it along" {
  fake 'verb create && { echo $$ >$D/fake.pid; exec sleep 100000; }'
  touch "$D/on-create"
  run_with "$D/fake" 3>&- &
  client=$!
  wait_for 10 fake_runs
  kill "$(pgrep -P $client)" 2>/dev/null || kill $client
  wait $client || true
  wait_for 10 fake_ended
  "$CTR" containers rm "$ID" || true
  wait_for 10 nothing_left "$ID"
}

@test "a runtime that hangs in kill holds up neither the daemon nor other tasks" {
  fake 'verb kill && { echo $$ >$D/fake.pid; exec sleep 100000; }'
  run_with "$D/fake"
  touch "$D/on-kill"
  # By the client's deadline: that its client has gone a shim cannot know (ttrpc has no word for it).
  run timeout 20 "$CTR" --timeout 1s tasks kill "$ID"
  [ "$status" -ne 0 ]
  [ "$status" -ne 124 ]
  wait_for 10 fake_ended
  rm "$D/on-kill"
  has_status "$ID" RUNNING
  remove_task "$ID"
  wait_for 10 nothing_left "$ID"
}

@test "a runtime that fails to delete is told, and asked again" {
  fake 'verb delete && { echo "{\"level\":\"error\",\"msg\":\"not today\"}" >>log.json; exit 1; }'
  run_with "$D/fake"
  touch "$D/on-delete"
  timeout 10 "$CTR" tasks kill -s KILL "$ID"
  wait_for 10 has_status "$ID" STOPPED
  run timeout 20 "$CTR" tasks rm "$ID"
  [[ "$output" == *"not today"* ]]
  rm "$D/on-delete"
  remove_task "$ID" || timeout 20 "$CTR" containers rm "$ID"
  wait_for 10 nothing_left "$ID"
}
