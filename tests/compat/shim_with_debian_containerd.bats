#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Debian's containerd 1.6 runs containers through our shim. What clients see is in debian_ctr.bats, which
# runs with CTRD_DAEMON=/usr/bin/containerd as well; here is what daemon, shim and runtime leave on
# the machine, and what needs more than one of them. CTRD_SHIM_DIR=/usr/bin shows the original's shim.

CTRD_DAEMON=/usr/bin/containerd

setup_file() {
  load ../support/daemon
  [ "$(id -u)" -eq 0 ] || skip "needs root"
  daemon_setup
  daemon_start
  make_image "$D/busybox.tar"
  "$CTR" images import "$D/busybox.tar"
}

teardown_file() {
  load ../support/daemon
  daemon_teardown
}

setup() {
  load ../support/daemon
  TASKS=$D/state/io.containerd.runtime.v2.task/default
}

teardown() {
  for c in $("$CTR" tasks ls -q 2>/dev/null); do
    "$CTR" tasks rm -f "$c" >/dev/null 2>&1 || true
  done
  for c in $("$CTR" containers ls -q 2>/dev/null); do
    "$CTR" containers rm "$c" >/dev/null 2>&1 || true
  done
  wait_for 20 no_shims
}

# start NAME [FLAG…]: a container that sleeps
start() {
  local name=$1
  shift
  "$CTR" run -d --null-io "$@" "$IMAGE" "$name" sleep 100000
}

socket_of() {
  cat "$TASKS/$1/address"
}

one_shim() {
  [ "$(daemon_shims | wc -w)" -eq 1 ]
}

is_running() {
  "$CTR" tasks ls | awk -v c="$1" '$1 == c {print $3}' | grep -qx RUNNING
}

is_stopped() {
  "$CTR" tasks ls | awk -v c="$1" '$1 == c {print $3}' | grep -qx STOPPED
}

@test "the shim that runs is ours, and is one thread" {
  start one
  pid=$(daemon_shims)
  [ "$(readlink -f "/proc/$pid/exe")" = "$(readlink -f "$CTRD_SHIM_DIR/containerd-shim-runc-v2")" ]
  [ "$(ls "/proc/$pid/task" | wc -l)" -eq 1 ]
}

@test "the shim's out-of-memory score is the daemon's and one" {
  start score
  daemon=$(cat "/proc/$(cat "$D/pid")/oom_score_adj")
  [ "$(cat "/proc/$(daemon_shims)/oom_score_adj")" -eq $((daemon + 1)) ]
}

@test "the bundle has the files the daemon looks for, the socket is private" {
  start files
  [[ "$(socket_of files)" == unix:///run/containerd/s/* ]]
  [ "$(stat -c %a "$(socket_of files | sed s,unix://,,)")" = 600 ]
  [ "$(stat -c %a "$TASKS/files/address")" = 644 ]
  [ "$(cat "$TASKS/files/init.pid")" = "$("$CTR" tasks ls | awk '$1 == "files" {print $2}')" ]
  [ -e "$TASKS/files/options.json" ]
}

@test "nothing is left after the last container" {
  start gone
  socket=$(socket_of gone | sed s,unix://,,)
  "$CTR" tasks kill -s KILL gone
  wait_for 10 is_stopped gone
  "$CTR" tasks rm gone || true
  [ ! -e "$socket" ]
  wait_for 10 no_shims
  [ ! -e "$TASKS/gone" ]
  run grep -c "$TASKS/gone" /proc/self/mounts
  [ "$output" = 0 ]
  run runc --root /run/containerd/runc/default list -q
  [[ "$output" != *gone* ]]
}

@test "the shim holds no pipes but those of its containers" {
  start pipes
  run bash -c "ls -l /proc/$(daemon_shims)/fd | grep -c 'pipe:'"
  [ "$output" = 0 ]
}

@test "one terminal, one ptmx; none more after an exec with its own" {
  script -qec "$CTR run -d -t $IMAGE tty sleep 100000" /dev/null
  pid=$(daemon_shims)
  [ "$(ls -l "/proc/$pid/fd" | grep -c ptmx)" -eq 1 ]
  run timeout 20 script -qec "$CTR tasks exec -t --exec-id e1 tty tty" /dev/null
  [[ "$output" == *pts* ]]
  [ "$(ls -l "/proc/$pid/fd" | grep -c ptmx)" -eq 1 ]
}

@test "containers with the same group share a shim, and the last one takes it along" {
  start pod1 --label io.containerd.runc.v2.group=pod
  start pod2 --label io.containerd.runc.v2.group=pod
  start other
  [ "$(socket_of pod1)" = "$(socket_of pod2)" ]
  [ "$(daemon_shims | wc -w)" -eq 2 ]
  socket=$(socket_of pod1 | sed s,unix://,,)
  "$CTR" tasks kill -s KILL pod1
  wait_for 10 is_stopped pod1
  "$CTR" tasks rm pod1 || true
  run timeout 20 "$CTR" tasks exec --exec-id e1 pod2 echo still
  [ "$output" = still ]
  [ "$(daemon_shims | wc -w)" -eq 2 ]
  "$CTR" tasks kill -s KILL pod2
  wait_for 10 is_stopped pod2
  "$CTR" tasks rm pod2 || true
  [ ! -e "$socket" ]
  wait_for 10 one_shim
}

@test "a group's containers run from a directory that is gone" {
  start first --label io.containerd.runc.v2.group=pod2
  start second --label io.containerd.runc.v2.group=pod2
  "$CTR" tasks kill -s KILL first
  wait_for 10 is_stopped first
  "$CTR" tasks rm first || true
  "$CTR" containers rm first
  start third --label io.containerd.runc.v2.group=pod2
  run timeout 20 "$CTR" tasks exec --exec-id e1 third echo third
  [ "$output" = third ]
}

@test "a killed shim is cleared away by the daemon" {
  start victim
  pid=$("$CTR" tasks ls | awk '$1 == "victim" {print $2}')
  kill -9 "$(daemon_shims)"
  wait_for 10 bash -c "! '$CTR' tasks ls -q | grep -qx victim"
  wait_for 10 bash -c "! kill -0 $pid"
  wait_for 10 bash -c "! grep -q $TASKS/victim /proc/self/mounts"
}

@test "a restarted daemon finds containers, and their exits" {
  start stays
  "$CTR" run -d --null-io "$IMAGE" leaves sh -c 'sleep 1; exit 21'
  daemon_kill9
  daemon_start
  is_running stays
  run timeout 20 "$CTR" tasks exec --exec-id e1 stays echo again
  [ "$output" = again ]
  wait_for 10 is_stopped leaves
  run "$CTR" tasks rm leaves
  [[ "$status" -eq 21 || "$output" == *21* ]]
}

@test "output goes to a file by URL" {
  "$CTR" run --log-uri "file://$D/logs/deep/out" "$IMAGE" filed sh -c 'echo out; echo err >&2'
  run sort "$D/logs/deep/out"
  [ "$output" = $'err\nout' ]
}

@test "output goes to a program by URL" {
  printf '#!/bin/sh\ntrap "" TERM\nexec >%s/logged\necho "$CONTAINER_ID $CONTAINER_NAMESPACE $1=$2"\nexec 5>&-\ncat <&3\n' "$D" >"$D/logger"
  chmod +x "$D/logger"
  "$CTR" run --rm --log-uri "binary://$D/logger?key=value" "$IMAGE" logged echo line
  wait_for 10 grep -q line "$D/logged"
  [ "$(head -1 "$D/logged")" = "logged default key=value" ]
}

@test "an out-of-memory kill is an event" {
  "$CTR" events >"$D/oom" &
  watcher=$!
  wait_for 10 bash -c "'$CTR' namespaces label default x=\$RANDOM; grep -q namespaces $D/oom"
  run "$CTR" run --rm --memory-limit 8388608 "$IMAGE" eats sh -c 'x=a; while true; do x=$x$x; done'
  [ "$status" -eq 137 ]
  wait_for 10 grep -q /tasks/oom "$D/oom"
  kill $watcher
}

@test "the runtime is the one the options name" {
  printf '#!/bin/sh\necho "$*" >>%s/calls\nexec runc "$@"\n' "$D" >"$D/myrunc"
  chmod +x "$D/myrunc"
  run "$CTR" run --rm --runc-binary "$D/myrunc" --runc-root "$D/myroot" "$IMAGE" named echo hello
  [ "$output" = hello ]
  grep -q -- "--root $D/myroot/default --log $TASKS/named/log.json --log-format json create --bundle $TASKS/named --pid-file $TASKS/named/init.pid" "$D/calls"
  grep -q -- " start named" "$D/calls"
  grep -q -- " delete named" "$D/calls"
}

@test "a runtime that is not there is named" {
  run "$CTR" run --rm --runc-binary no-such-runc "$IMAGE" norunc true
  [ "$status" -ne 0 ]
  [[ "$output" == *'"no-such-runc": executable file not found in $PATH'* ]]
}
