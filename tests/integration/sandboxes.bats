#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Sandboxes: our shim with a sandbox service added holds several containers, run by runc. Our own
# ctr, because Debian's has no sandboxes.

bats_require_minimum_version 1.5.0
setup() {
  load ../support/daemon
  CTR=$CTRD_BUILD/ctr
  CTRD_SHIM_DIR=$CTRD_BUILD/tests/integration/pod:$CTRD_BUILD
  RUNTIME=io.containerd.pod.v1
  daemon_setup
  daemon_start
  make_image "$D/busybox.tar"
  "$CTR" images import "$D/busybox.tar"
  echo '{"ociVersion":"1.1.0","hostname":"pod"}' >"$D/pod.json"
}

teardown() {
  local id
  for id in $("$CTR" sandboxes ls 2>/dev/null | awk 'NR > 1 {print $1}'); do
    timeout 20 "$CTR" sandboxes rm -f "$id" >/dev/null 2>&1 || true
  done
  daemon_teardown
}

run_pod() {
  "$CTR" sandboxes run --runtime "$RUNTIME" "$D/pod.json" "$1"
}

# run_in POD ID COMMAND…: in the background.
run_in() {
  local pod=$1 id=$2
  shift 2
  "$CTR" run -d --runtime "$RUNTIME" --sandbox "$pod" "$IMAGE" "$id" "$@"
}

shim_count() {
  daemon_shims | wc -l
}

is_there() {
  "$CTR" tasks ls | grep -q "^$1 .*$2"
}

@test "a sandbox is run, listed, shown and removed" {
  run --separate-stderr run_pod pod1
  [ "$status" -eq 0 ]
  [ "$output" = pod1 ]
  [ "$(shim_count)" -eq 1 ]
  run --separate-stderr "$CTR" sandboxes ls
  [[ "${lines[0]}" == "ID "*"CREATED"*"RUNTIME"* ]]
  [[ "${lines[1]}" == "pod1 "*" +0000 UTC "*"$RUNTIME"* ]]
  run --separate-stderr "$CTR" sandboxes ls --filters id==other
  [ "${#lines[@]}" -eq 1 ]
  [ "$("$CTR" sandboxes info pod1 | jq -r '.ID + " " + .Runtime.Name + " " + .Sandboxer')" = "pod1 $RUNTIME shim" ]
  [ "$("$CTR" sandboxes info pod1 | jq -r '.Spec.value' | base64 -d | jq -r .hostname)" = pod ]
  run ! run_pod pod1
  [[ "$output" == *"already exists"* ]]
  run "$CTR" sandboxes rm pod1
  [ "$status" -eq 0 ]
  [[ "$output" == *"deleted: pod1"* ]]
  wait_for 10 no_shims
  [ -z "$(find "$D" -path '*sandbox.controller*' -name 'pod1*')" ]
  run "$CTR" sandboxes rm pod1
  [ "$status" -eq 0 ]
  [[ "$output" == *"failed to load sandbox pod1"* ]]
  run ! "$CTR" sandboxes info pod1
  [[ "$output" == *"failed to load sandbox pod1"* ]]
}

@test "two containers share the shim of their sandbox and leave it one by one" {
  run_pod pod1
  run_in pod1 c1 sleep 1000
  run_in pod1 c2 sleep 1000
  [ "$(shim_count)" -eq 1 ]
  is_there c1 RUNNING
  is_there c2 RUNNING
  run --separate-stderr timeout 20 "$CTR" tasks exec --exec-id e c1 echo inside
  [ "$output" = inside ]
  "$CTR" tasks rm -f c1 || true
  [ "$(shim_count)" -eq 1 ]
  is_there c2 RUNNING
  [ "$(cat "$D"/state/io.containerd.runtime.v2.task/default/c2/sandbox)" = pod1 ]
  "$CTR" tasks rm -f c2 || true
  [ "$(shim_count)" -eq 1 ]
  # The sandbox outlives its containers, and takes new ones.
  run_in pod1 c3 sleep 1000
  "$CTR" tasks rm -f c3 || true
  "$CTR" containers rm c1 c2 c3
  "$CTR" sandboxes rm pod1
  wait_for 10 no_shims
}

@test "a container of a sandbox that is not there is refused, of one without a record it is not" {
  run_pod pod1
  "$CTR" sandboxes rm pod1
  # A container whose sandbox nobody knows is run as those of 1.x were.
  run_in pod1 c1 sleep 1000
  is_there c1 RUNNING
  "$CTR" tasks rm -f c1 || true
}

@test "the end of a sandbox ends what is in it" {
  run_pod pod1
  run_in pod1 c1 sleep 1000
  pid=$("$CTR" tasks ls | awk '$1 == "c1" {print $2}')
  "$CTR" sandboxes rm pod1
  wait_for 10 bash -c "! kill -0 $pid"
  wait_for 10 bash -c "! '$CTR' tasks ls | grep -q c1"
  wait_for 10 no_shims
  "$CTR" containers rm c1
}

@test "sandboxes and their containers survive kill -9 of the daemon" {
  run_pod pod1
  run_in pod1 c1 sleep 1000
  pid=$("$CTR" tasks ls | awk '$1 == "c1" {print $2}')
  daemon_kill9
  kill -0 "$pid"
  daemon_start
  is_there c1 RUNNING
  run_in pod1 c2 sleep 1000
  [ "$(shim_count)" -eq 1 ]
  "$CTR" tasks rm -f c1 || true
  "$CTR" tasks rm -f c2 || true
  "$CTR" containers rm c1 c2
  "$CTR" sandboxes rm pod1
  wait_for 10 no_shims
}

@test "a dead shim of a sandbox takes its containers with it, and nothing else" {
  run_pod pod1
  run_pod pod2
  run_in pod1 c1 sleep 1000
  run_in pod2 c2 sleep 1000
  pid=$("$CTR" tasks ls | awk '$1 == "c1" {print $2}')
  kill -9 "$(awk '/PPid/ {print $2}' "/proc/$pid/status")"
  wait_for 10 bash -c "! '$CTR' tasks ls | grep -q c1"
  wait_for 10 bash -c "! kill -0 $pid"
  is_there c2 RUNNING
  # The record is there still; what it stood for is gone.
  run "$CTR" sandboxes rm pod1
  [[ "$output" == *"deleted: pod1"* ]]
  run_pod pod1
}

@test "a shim that died with its daemon away is cleaned up" {
  run_pod pod1
  run_in pod1 c1 sleep 1000
  pid=$("$CTR" tasks ls | awk '$1 == "c1" {print $2}')
  daemon_kill9
  kill -9 "$(awk '/PPid/ {print $2}' "/proc/$pid/status")"
  daemon_start
  wait_for 10 bash -c "! kill -0 $pid"
  wait_for 10 bash -c "! ls $D/state/io.containerd.sandbox.controller.v1.shim/default/pod1"
  "$CTR" containers rm c1
  run "$CTR" sandboxes rm pod1
  [[ "$output" == *"deleted: pod1"* ]]
}

@test "a frozen shim of a sandbox holds up nobody else" {
  local pids=()
  run_pod pod1
  run_pod pod2
  run_in pod1 c1 sleep 1000
  pid=$("$CTR" tasks ls | awk '$1 == "c1" {print $2}')
  shim=$(awk '/PPid/ {print $2}' "/proc/$pid/status")
  kill -STOP "$shim"
  for _ in 1 2 3 4 5 6 7 8; do
    timeout 20 "$CTR" sandboxes rm pod1 >/dev/null 2>&1 3>&- &
    pids+=($!)
  done
  # More than the daemon has threads for calls.
  for i in $(seq 40); do
    "$CTR" containers create --runtime "$RUNTIME" --sandbox pod1 "$IMAGE" "s$i" sleep 1000
    timeout 20 "$CTR" tasks start -d "s$i" >/dev/null 2>&1 3>&- &
    pids+=($!)
  done
  wait_for 10 bash -c "[ \"\$(ls $D/state/io.containerd.runtime.v2.task/default | grep -c ^s)\" -eq 40 ]"
  run_in pod2 c2 sleep 1000
  is_there c2 RUNNING
  run timeout 20 "$CTR" sandboxes rm -f pod2
  [[ "$output" == *"deleted: pod2"* ]]
  daemon_kill9
  daemon_start
  kill -CONT "$shim"
  wait "${pids[@]}" || true
  for i in $(seq 40); do
    timeout 20 "$CTR" tasks rm -f "s$i" >/dev/null 2>&1 || true
    timeout 20 "$CTR" containers rm "s$i" >/dev/null 2>&1 || true
  done
  run timeout 20 "$CTR" sandboxes rm -f pod1
  wait_for 10 no_shims
}

@test "the shim of runc runs no sandboxes, as the original's" {
  run ! "$CTR" sandboxes run "$D/pod.json" pod1
  [[ "$output" == *"failed to create new sandbox: failed to create sandbox with shim sandboxer: failed to create sandbox pod1: "* ]]
  wait_for 10 no_shims
  [ "$("$CTR" sandboxes ls | wc -l)" -eq 1 ]
  [ -z "$(find "$D" -path '*sandbox.controller*' -name 'pod1*')" ]
  run ! "$CTR" sandboxes run "$D/none.json" pod1
  [[ "$output" == *"failed to read sandbox config: open $D/none.json: no such file or directory"* ]]
}

@test "events tell of a sandbox; a controller of another process is asked, and missed" {
  printf '[proxy_plugins.far]\n  type = "sandbox"\n  address = "%s"\n' "$D/o.sock" >>"$D/config.toml"
  daemon_stop
  daemon_start
  run "$CTR" plugins ls
  [[ "$output" == *"io.containerd.sandbox.controller.v1"*"shim"*"ok"* ]]
  [[ "$output" == *"io.containerd.sandbox.controller.v1"*"far"*"ok"* ]]
  timeout 60 "$CTR" events >"$D/events.log" 2>&1 3>&- &
  local listener=$!
  wait_for 10 bash -c "'$CTR' namespaces label default a=b; grep -q /namespaces/update '$D/events.log'"
  run_pod pod1
  wait_for 10 grep -q '/sandboxes/create.*pod1' "$D/events.log"
  wait_for 10 grep -q '/sandboxes/start.*pod1' "$D/events.log"
  "$CTR" sandboxes rm pod1
  kill "$listener"
  "$CTR" namespaces label default containerd.io/defaults/sandboxer=far
  run ! timeout 20 "$CTR" sandboxes run --runtime "$RUNTIME" "$D/pod.json" pod2
  [[ "$output" == *"failed to create sandbox with far sandboxer"* ]]
}

@test "a daemon that takes over has the sandboxes of the one before" {
  local old exe
  run_pod pod1
  run_in pod1 c1 sleep 1000
  old=$(cat "$D/pid")
  kill -USR2 "$old"
  wait_for 20 daemon_is_gone "$old"
  for exe in /proc/[0-9]*/exe; do
    [[ $(readlink "$exe") == */containerd ]] || continue
    tr '\0' ' ' <"${exe%/exe}/cmdline" | grep -q -- "--config $D/config.toml" || continue
    basename "${exe%/exe}" >"$D/pid"
  done
  [ "$(cat "$D/pid")" != "$old" ]
  is_there c1 RUNNING
  run_in pod1 c2 sleep 1000
  [ "$(shim_count)" -eq 1 ]
  "$CTR" tasks rm -f c1 || true
  "$CTR" tasks rm -f c2 || true
  "$CTR" containers rm c1 c2
  "$CTR" sandboxes rm pod1
  wait_for 10 no_shims
}
