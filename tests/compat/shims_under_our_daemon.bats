#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Our daemon over shims: ours, and Debian's unmodified one of containerd 1.6, by the same rules.

setup() {
  load ../support/daemon
  load ../support/rootfs
  [ "$(id -u)" = 0 ] || skip "needs root"
  [ -x /usr/bin/containerd-shim-runc-v2 ] || skip "no Debian shim on this machine"
  daemon_setup
  daemon_start
  make_rootfs "$D/rootfs"
  SHIMS="$CTRD_SHIM_DIR/containerd-shim-runc-v2 /usr/bin/containerd-shim-runc-v2"
}

teardown() {
  daemon_teardown
}

@test "a task runs, executes, pauses, is killed and leaves nothing" {
  for RUNTIME in $SHIMS; do
    start_task t1 'trap "exit 7" TERM; while :; do sleep 0.1; done'
    has_status t1 RUNNING
    run timeout 20 "$CTR" tasks exec --exec-id e1 t1 /bin/sh -c 'echo in; exit 5'
    [ "$status" -eq 5 ]
    [ "$output" = in ]
    "$CTR" tasks pause t1
    has_status t1 PAUSED
    "$CTR" tasks resume t1
    has_status t1 RUNNING
    [ "$("$CTR" tasks ps t1 | tail -n +2 | wc -l)" -ge 1 ]
    # The old shim's library gives up on some mixtures of cgroup versions, and says so.
    grep -q "loading cgroup for" "$D/log" || "$CTR" tasks metrics t1 | grep -q '^t1 '
    "$CTR" tasks kill t1
    wait_for 10 has_status t1 STOPPED
    run "$CTR" tasks rm t1
    [[ "$output" == *"exit code 7"* ]]
    "$CTR" containers rm t1
    wait_for 10 nothing_left t1
  done
}

@test "output, exit status and --rm" {
  for RUNTIME in $SHIMS; do
    run timeout 20 "$CTR" run --rm --runtime "$RUNTIME" --rootfs "$D/rootfs" t2 /bin/sh -c 'echo out; echo err >&2; exit 3'
    [ "$status" -eq 3 ]
    [[ "$output" == *out* && "$output" == *err* ]]
    wait_for 10 nothing_left t2
  done
}

@test "a terminal, with its size" {
  for RUNTIME in $SHIMS; do
    run script -qec "stty rows 31 cols 72; timeout --foreground -k 5 20 '$CTR' run --rm -t --runtime '$RUNTIME' --rootfs '$D/rootfs' t3 /bin/sh -c 'until [ \"\$(stty size)\" = \"31 72\" ]; do sleep 0.1; done; stty size'" /dev/null
    [[ "$output" == *"31 72"* ]]
  done
}

@test "events come in order and once" {
  for RUNTIME in $SHIMS; do
    "$CTR" events >"$D/events" 3>&- &
    listener=$!
    wait_for 10 bash -c "'$CTR' namespaces create probe >/dev/null; '$CTR' namespaces rm probe >/dev/null; grep -q probe '$D/events'"
    timeout 20 "$CTR" run --rm --runtime "$RUNTIME" --rootfs "$D/rootfs" t4 /bin/true
    wait_for 10 grep -q /containers/delete "$D/events"
    kill $listener
    [ "$(grep -o '/tasks/[a-z-]*' "$D/events" | tr '\n' ' ')" = "/tasks/create /tasks/start /tasks/exit /tasks/delete " ]
  done
}

@test "a program that does not exist: the words of the runtime, and nothing left" {
  for RUNTIME in $SHIMS; do
    run timeout 20 "$CTR" run --rm --runtime "$RUNTIME" --rootfs "$D/rootfs" t5 /bin/nothing
    [ "$status" -ne 0 ]
    [[ "$output" == *"failed to create shim task: OCI runtime create failed: "*"no such file or directory"* ]]
    "$CTR" containers rm t5 2>/dev/null || true
    wait_for 10 nothing_left t5
  done
}

@test "a runtime that does not exist is named" {
  run timeout 20 "$CTR" run --rm --runtime io.containerd.none.v9 --rootfs "$D/rootfs" t6 /bin/true
  [[ "$output" == *'failed to resolve runtime path: runtime "io.containerd.none.v9" binary not installed "containerd-shim-none-v9": file does not exist'* ]]
  run timeout 20 "$CTR" run --rm --runc-binary no-runc --rootfs "$D/rootfs" t7 /bin/true
  [[ "$output" == *'"no-runc"'* ]]
}

@test "a shim that is killed: exit and delete are told, the container is ended, nothing is left" {
  for RUNTIME in $SHIMS; do
    start_task t8 'while :; do sleep 1; done'
    pid=$("$CTR" tasks ls | awk '$1 == "t8" {print $2}')
    "$CTR" events >"$D/events" 3>&- &
    listener=$!
    wait_for 10 bash -c "'$CTR' namespaces create probe >/dev/null; '$CTR' namespaces rm probe >/dev/null; grep -q probe '$D/events'"
    kill -9 $(daemon_shims)
    wait_for 10 grep -q /tasks/delete "$D/events"
    kill $listener
    grep -q '/tasks/exit.*"exit_status":137' "$D/events"
    wait_for 10 daemon_is_gone "$pid"
    "$CTR" containers rm t8
    wait_for 10 nothing_left t8
  done
}

@test "kill -9 of the daemon: tasks go on, exits are not lost" {
  for RUNTIME in $SHIMS; do
    mkfifo "$D/go"
    start_task t9 'while :; do sleep 1; done'
    timeout 20 "$CTR" run -d --runtime "$RUNTIME" --rootfs "$D/rootfs" --mount "type=bind,src=$D/go,dst=/tmp,options=rbind" ta \
      /bin/sh -c 'read x </tmp; exit 42' 2>/dev/null || start_task ta 'exit 42'
    pid=$("$CTR" tasks ls | awk '$1 == "ta" {print $2}')
    daemon_kill9
    [ -p "$D/go" ] && timeout 2 bash -c "echo >'$D/go'" || true
    wait_for 10 bash -c "! kill -0 $pid"
    daemon_start
    has_status t9 RUNNING
    has_status ta STOPPED
    run timeout 20 "$CTR" tasks exec --exec-id e1 t9 /bin/echo again
    [ "$output" = again ]
    run "$CTR" tasks rm ta
    [[ "$output" == *"exit code 42"* ]]
    "$CTR" containers rm ta
    remove_task t9
    wait_for 10 nothing_left t
    rm "$D/go"
  done
}

@test "frozen shims hold up neither the start of a daemon nor other tasks" {
  for RUNTIME in $SHIMS; do
    for i in 1 2 3 4 5; do start_task "f$i" 'while :; do sleep 1; done'; done
    frozen=$(for p in $(daemon_shims); do tr '\0' ' ' <"/proc/$p/cmdline" | grep -q -- '-id f[12] ' && echo "$p" || true; done)
    daemon_kill9
    # Not before: a stopped process whose parent dies gets a HUP from the kernel.
    kill -STOP $frozen
    before=$(date +%s%N)
    daemon_start
    run timeout 20 "$CTR" tasks exec --exec-id e1 f3 /bin/echo quick
    [ "$output" = quick ]
    [ $((($(date +%s%N) - before) / 1000000)) -lt 1500 ]
    # List waits for those who are silent no longer than it must.
    [ "$("$CTR" tasks ls -q | wc -l)" -eq 3 ]
    kill -CONT $frozen
    wait_for 10 bash -c "[ \$('$CTR' tasks ls -q | wc -l) -eq 5 ]"
    for i in 1 2 3 4 5; do remove_task "f$i"; done
    wait_for 10 nothing_left f
  done
}

@test "the daemon holds no fifo or connection of a task that is gone" {
  for RUNTIME in $SHIMS; do
    timeout 20 "$CTR" run --rm --runtime "$RUNTIME" --rootfs "$D/rootfs" g0 /bin/true
    count() { ls -l "/proc/$(cat "$D/pid")/fd" | grep -c 'FIFO\|pipe\|socket\|/log$'; }
    before=$(count)
    for i in 1 2 3 4 5; do
      timeout 20 "$CTR" run --rm --runtime "$RUNTIME" --rootfs "$D/rootfs" "g$i" /bin/true
    done
    wait_for 10 bash -c "[ \$(ls -l /proc/$(cat "$D/pid")/fd | grep -c 'FIFO\|pipe\|socket\|/log\$') -le $before ]"
  done
}

@test "what a shim logs is in the daemon's log, also after a restart" {
  RUNTIME=/usr/bin/containerd-shim-runc-v2
  start_task h1 'while :; do sleep 1; done'
  daemon_kill9
  daemon_start
  echo "a line of h1" >"$D/state/io.containerd.runtime.v2.task/default/h1/log"
  wait_for 10 grep -q "a line of h1" "$D/log"
  remove_task h1
}
