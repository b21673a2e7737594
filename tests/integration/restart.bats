#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# kill -9 of the daemon while containers run: they go on, and the next daemon finds them.

setup() {
  load ../support/daemon
  daemon_setup
  daemon_start
  make_image "$D/busybox.tar"
  "$CTR" images import "$D/busybox.tar"
}

teardown() {
  daemon_teardown
}

@test "a running container survives kill -9 and is listed, exec'd into, killed and deleted" {
  "$CTR" run -d "$IMAGE" k1 sleep 1000
  pid=$("$CTR" tasks ls | awk '$1 == "k1" {print $2}')
  daemon_kill9
  kill -0 "$pid"
  daemon_start
  run "$CTR" tasks ls
  [[ "$output" == *"k1"*"$pid"*"RUNNING"* ]]
  run timeout 20 "$CTR" tasks exec --exec-id e1 k1 sh -c 'echo again; exit 4'
  [ "$status" -eq 4 ]
  [[ "$output" == *again* ]]
  "$CTR" tasks kill -s KILL k1
  wait_for 10 bash -c "'$CTR' tasks ls | grep -q STOPPED"
  run "$CTR" tasks rm k1
  [[ "$status" -eq 137 || "$output" == *137* || "$status" -eq 0 ]]
  "$CTR" containers rm k1
  wait_for 10 no_shims
}

@test "an exit while no daemon runs is not lost" {
  mkfifo "$D/go"
  "$CTR" run -d --mount "type=bind,src=$D/go,dst=/go,options=rbind:rw" "$IMAGE" k2 sh -c 'read x </go; exit 42'
  pid=$("$CTR" tasks ls | awk '$1 == "k2" {print $2}')
  daemon_kill9
  echo now >"$D/go"
  wait_for 10 bash -c "! kill -0 $pid"
  daemon_start
  run "$CTR" tasks ls
  [[ "$output" == *"k2"*"STOPPED"* ]]
  run "$CTR" tasks rm k2
  [ "$status" -eq 42 ] || [[ "$output" == *42* ]]
  run "$CTR" tasks ls -q
  [ "$output" = "" ]
}

@test "twenty containers, ten kills" {
  for i in $(seq 20); do
    "$CTR" run -d "$IMAGE" "m$i" sleep 1000
  done
  for _ in $(seq 10); do
    daemon_kill9
    daemon_start
    [ "$("$CTR" tasks ls | grep -c RUNNING)" -eq 20 ]
  done
  for i in $(seq 20); do
    "$CTR" tasks kill -s KILL "m$i"
  done
  wait_for 20 bash -c "! '$CTR' tasks ls | grep -q RUNNING"
  for i in $(seq 20); do
    "$CTR" tasks rm "m$i" || true
    "$CTR" containers rm "m$i"
  done
  [ "$("$CTR" snapshots ls | grep -c Active)" -eq 0 ]
}

@test "images, snapshots, namespaces and leases are there after kill -9" {
  "$CTR" namespaces create keep a=b
  "$CTR" leases create --id l9
  "$CTR" snapshots prepare s9
  daemon_kill9
  daemon_start
  run "$CTR" images ls -q
  [ "$output" = "$IMAGE" ]
  run "$CTR" namespaces ls
  [[ "$output" == *"keep"*"a=b"* ]]
  run "$CTR" leases ls -q
  [ "$output" = l9 ]
  run "$CTR" snapshots info s9
  [ "$status" -eq 0 ]
}

@test "kill -9 in the middle of imports and runs: the next daemon starts and nothing is left half" {
  for i in $(seq 6); do
    (
      # A Go client whose daemon goes away may wait for the next one for ever.
      timeout 5 "$CTR" images rm --sync "$IMAGE"
      timeout 5 "$CTR" images import "$D/busybox.tar"
      timeout 5 "$CTR" run -d "$IMAGE" "h$i" sleep 1000
    ) >/dev/null 2>&1 3>&- &
    # A different moment each time, by work done rather than by the clock.
    for _ in $(seq $((i * 3))); do cat /proc/self/stat >/dev/null; done
    daemon_kill9
    wait $! || true
    daemon_start
    "$CTR" tasks rm -f "h$i" >/dev/null 2>&1 || true
    "$CTR" containers rm "h$i" >/dev/null 2>&1 || true
  done
  "$CTR" images import "$D/busybox.tar"
  run timeout 20 "$CTR" run --rm "$IMAGE" fine echo fine
  [ "$output" = fine ]
  [ "$("$CTR" tasks ls -q | wc -l)" -eq 0 ]
}
