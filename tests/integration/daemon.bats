#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The daemon's own life: command line, configuration, directories and sockets, signals, end.

bats_require_minimum_version 1.5.0
setup() {
  load ../support/daemon
  daemon_setup
}

teardown() {
  load ../support/daemon
  daemon_teardown
}

mode_of() {
  stat -c '%a' "$1"
}

# A notification socket that writes what it gets to a file.
notify_listen() {
  python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
with open(sys.argv[2], "a", buffering=1) as f:
    f.write("listening\n")
    while True:
        f.write(s.recv(4096).decode() + "\n")
' "$D/notify" "$D/notified" 3>&- &
  NOTIFY_PID=$!
  wait_for 10 grep -q listening "$D/notified"
}

@test "--version names the program, the package and the version" {
  run "$CTRD_DAEMON" --version
  [ "$status" -eq 0 ]
  [[ "$output" == "containerd github.com/containerd/containerd/v2 2.3.4+ctrd."* ]]
  run "$CTRD_DAEMON" -v
  [ "$status" -eq 0 ]
}

@test "--help and help list commands and flags" {
  for word in --help -h help h; do
    run "$CTRD_DAEMON" $word
    [ "$status" -eq 0 ]
    [[ "$output" == *"--log-level value, -l value"* ]]
    [[ "$output" == *"config "* ]]
  done
}

@test "unknown commands and flags are refused as the original does" {
  run "$CTRD_DAEMON" bogus
  [ "$status" -eq 3 ]
  [ "$output" = "No help topic for 'bogus'" ]
  run "$CTRD_DAEMON" config bogus
  [ "$status" -eq 3 ]
  run "$CTRD_DAEMON" --bogus
  [ "$status" -eq 1 ]
  [[ "$output" == "Incorrect Usage: flag provided but not defined: -bogus"* ]]
  [[ "$output" == *"containerd: flag provided but not defined: -bogus" ]]
  run "$CTRD_DAEMON" --root
  [ "$status" -eq 1 ]
  [[ "$output" == *"containerd: flag needs an argument: -root" ]]
}

@test "config default prints a file that loads, and dump of it is the same" {
  "$CTRD_DAEMON" config default >"$D/default.toml"
  [ "$(head -1 "$D/default.toml")" = "version = 4" ]
  "$CTRD_DAEMON" --config "$D/default.toml" config dump >"$D/dump.toml" 2>"$D/err"
  cmp "$D/default.toml" "$D/dump.toml"
  [ ! -s "$D/err" ]
}

@test "config migrate turns an old file with imports into one of the current version" {
  mkdir "$D/conf.d"
  printf 'disabled_plugins = ["cri"]\nimports = ["conf.d/*.toml"]\n[grpc]\n  address = "/a"\n' >"$D/old.toml"
  printf 'oom_score = -5\n' >"$D/conf.d/x.toml"
  run --separate-stderr "$CTRD_DAEMON" -c "$D/old.toml" config migrate
  [ "$status" -eq 0 ]
  [[ "$output" == "version = 4"* ]]
  [[ "$output" == *"disabled_plugins = ['io.containerd.grpc.v1.cri']"* ]]
  [[ "$output" == *"oom_score = -5"* ]]
  [[ "$output" == *"address = '/a.ttrpc'"* ]]
  [[ "$stderr" == *"Configuration migrated from version 0, use "* ]]
}

@test "directories and sockets have their modes, also where an older version made them" {
  mkdir -m 0755 "$D/root" "$D/state"
  daemon_start
  [ "$(mode_of "$D/root")" = 700 ]
  [ "$(mode_of "$D/state")" = 711 ]
  [ "$(mode_of "$SOCK")" = 660 ]
  [ "$(mode_of "$SOCK.ttrpc")" = 660 ]
  for dir in "$D"/root/io.containerd.* "$D"/state/io.containerd.*; do
    [ -e "$dir" ] || continue
    case $(mode_of "$dir") in
      700 | 710 | 711) ;;
      *)
        echo "$dir: $(mode_of "$dir")"
        return 1
        ;;
    esac
  done
  run "$CTR" version
  [ "$status" -eq 0 ]
}

@test "the socket belongs to whom the configuration says" {
  daemon_config
  sed -i "s|^\[grpc\]|[grpc]\n  uid = 12345\n  gid = 54321|" "$D/config.toml"
  daemon_start
  [ "$(stat -c '%u:%g' "$SOCK")" = 12345:54321 ]
}

@test "TERM and INT end it with status 0 and take the sockets away" {
  for sig in TERM INT; do
    daemon_start
    kill -$sig "$DAEMON_PID"
    wait "$DAEMON_PID"
    [ ! -e "$SOCK" ]
    [ ! -e "$SOCK.ttrpc" ]
  done
}

@test "it ends while clients watch and wait" {
  daemon_start
  "$CTR" events >/dev/null 2>&1 3>&- &
  watcher=$!
  daemon_answers
  kill "$DAEMON_PID"
  wait "$DAEMON_PID"
  kill $watcher 2>/dev/null || true
}

@test "HUP and PIPE change nothing" {
  daemon_start
  kill -HUP "$DAEMON_PID"
  kill -PIPE "$DAEMON_PID"
  run "$CTR" version
  [ "$status" -eq 0 ]
}

@test "USR1 writes what it is doing to the log and a file" {
  TMPDIR=$D daemon_start
  kill -USR1 "$DAEMON_PID"
  wait_for 10 grep -q "state dump written to" "$D/log"
  grep -q "BEGIN state dump" "$D/log"
  grep -q "plugin io.containerd.grpc.v1.version: ok" "$D/containerd.$DAEMON_PID.stacks.log"
  [ "$(mode_of "$D/containerd.$DAEMON_PID.stacks.log")" = 600 ]
}

@test "the service manager hears READY and STOPPING" {
  notify_listen
  NOTIFY_SOCKET=$D/notify daemon_start
  grep -q '^READY=1$' "$D/notified"
  kill "$DAEMON_PID"
  wait "$DAEMON_PID"
  wait_for 10 grep -q '^STOPPING=1$' "$D/notified"
  kill $NOTIFY_PID
}

@test "log lines are JSON if the configuration says so" {
  daemon_config
  printf '[debug]\n  format = "json"\n  level = "debug"\n' >>"$D/config.toml"
  daemon_start
  kill "$DAEMON_PID"
  wait "$DAEMON_PID"
  python3 -c '
import json, sys
lines = [json.loads(l) for l in open(sys.argv[1])]
assert any(l["msg"] == "received signal" and l["level"] == "debug" for l in lines)
assert all(len(l["time"]) == len("2026-01-02T15:04:05.123456789Z") for l in lines)
' "$D/log"
}

@test "bad log settings are refused in the words of the original" {
  run timeout 10 "$CTRD_DAEMON" -c /dev/null -l bogus --root "$D/r" --state "$D/s" -a "$SOCK"
  [ "$status" -eq 1 ]
  [ "${lines[-1]}" = 'containerd: not a valid logrus Level: "bogus"' ]
  printf 'version = 4\n[debug]\nformat = "xml"\n' >"$D/x.toml"
  run timeout 10 "$CTRD_DAEMON" -c "$D/x.toml" --root "$D/r" --state "$D/s" -a "$SOCK"
  [ "$status" -eq 1 ]
  [ "${lines[-1]}" = "containerd: unknown log format: xml" ]
}

@test "a second daemon on the same socket does not start, and the first goes on" {
  daemon_start
  run timeout 10 "$CTRD_DAEMON" -c /dev/null --root "$D/r2" --state "$D/s2" -a "$SOCK"
  [ "$status" -eq 1 ]
  [[ "${lines[-1]}" == *"address already in use"* ]]
  run "$CTR" version
  [ "$status" -eq 0 ]
}

@test "a second daemon on the same root waits for the first, and can be stopped meanwhile" {
  daemon_start
  "$CTRD_DAEMON" -c /dev/null --root "$D/root" --state "$D/s2" -a "$D/second.sock" >"$D/log2" 2>&1 3>&- &
  second=$!
  wait_for 10 grep -q "waiting for another containerd to leave $D/root" "$D/log2"
  kill $second
  status=0
  wait $second || status=$?
  [ "$status" -eq 1 ]
  grep -q "containerd: context canceled" "$D/log2"
  "$CTRD_DAEMON" -c /dev/null --root "$D/root" --state "$D/s2" -a "$D/second.sock" >"$D/log2" 2>&1 3>&- &
  second=$!
  wait_for 10 grep -q "waiting for another containerd to leave $D/root" "$D/log2"
  daemon_kill9
  wait_for 10 "$CTR" -a "$D/second.sock" version
  kill $second
  wait $second
}

@test "--address moves both sockets" {
  "$CTRD_DAEMON" -c /dev/null --root "$D/r" --state "$D/s" -a "$D/other.sock" >"$D/log" 2>&1 3>&- &
  echo $! >"$D/pid"
  wait_for 10 "$CTR" -a "$D/other.sock" version
  [ -S "$D/other.sock.ttrpc" ]
}

@test "a socket path that is too long is an error, not a cut name" {
  long=$D/$(printf 'a%.0s' $(seq 120)).sock
  run timeout 10 "$CTRD_DAEMON" -c /dev/null --root "$D/r" --state "$D/s" -a "$long"
  [ "$status" -eq 1 ]
  [[ "${lines[-1]}" == "containerd: failed to get listener"*"file name too long" ]]
}

@test "a required plugin that is not there stops the start; a disabled one is left out" {
  daemon_config
  printf 'version = 4\nrequired_plugins = ["io.containerd.none.v1.none"]\n' >"$D/x.toml"
  run timeout 10 "$CTRD_DAEMON" -c "$D/x.toml" --root "$D/r" --state "$D/s" -a "$SOCK"
  [ "$status" -eq 1 ]
  [ "${lines[-1]}" = "containerd: required plugin [io.containerd.none.v1.none] not included" ]
  daemon_start
  run "$CTR" plugins ls
  [ "$status" -eq 0 ]
  [[ "$output" != *"io.containerd.internal.v1"*"opt"* ]]
}

@test "a wrong type in a plugin's table stops the start and names file, row and column" {
  printf "version = 4\n[plugins.'io.containerd.internal.v1.opt']\n  path = 7\n" >"$D/x.toml"
  run timeout 10 "$CTRD_DAEMON" -c "$D/x.toml" --root "$D/r" --state "$D/s" -a "$SOCK"
  [ "$status" -eq 1 ]
  [[ "${lines[-1]}" == "containerd: $D/x.toml:3:3: plugins.'io.containerd.internal.v1.opt'.path: "* ]]
}

@test "a plugin that fails is shown, and the daemon runs on" {
  touch "$D/file"
  printf "version = 4\nroot = '$D/root'\nstate = '$D/state'\n[plugins.'io.containerd.internal.v1.opt']\n  path = '$D/file'\n[plugins.'io.containerd.server.v1.grpc']\n  address = '$SOCK'\n[plugins.'io.containerd.server.v1.ttrpc']\n  address = ''\n" >"$D/config.toml"
  daemon_start
  run "$CTR" plugins ls -d id==opt
  [ "$status" -eq 0 ]
  [[ "$output" == *"not a directory"* ]]
  [ "$("$CTR" plugins ls | awk '$2 == "opt" {print $NF}')" = error ]
  [ "$("$CTR" plugins ls | awk '$2 == "ttrpc" {print $NF}')" = skip ]
  [ ! -e "$SOCK.ttrpc" ]
}

@test "the id of the root outlives a restart" {
  daemon_start
  first=$("$CTR" version | awk '/UUID/ {print $2}')
  [ ${#first} -eq 36 ]
  kill "$DAEMON_PID"
  wait "$DAEMON_PID"
  daemon_start
  [ "$("$CTR" version | awk '/UUID/ {print $2}')" = "$first" ]
}

@test "publish delivers an event from standard input to subscribers" {
  daemon_start
  "$CTR" -n moby events >"$D/events" 2>&1 3>&- &
  watcher=$!
  publish_pause() {
    printf '\x0a\x1ccontainerd.events.TaskPaused\x12\x03\x0a\x01x' |
      "$CTRD_DAEMON" -a "$SOCK" publish --topic /tasks/paused --namespace moby
    grep -q 'moby /tasks/paused {"container_id":"x"}' "$D/events"
  }
  wait_for 10 publish_pause
  kill $watcher
  run "$CTRD_DAEMON" -a "$SOCK" publish --topic "" --namespace moby </dev/null
  [ "$status" -eq 1 ]
  [ "$output" = "containerd: topic required to publish event: invalid argument" ]
}

@test "containers outlive a stop, and a start that fails late" {
  mkdir -p "$D/rootfs/bin"
  cp /bin/busybox "$D/rootfs/bin/"
  id=late-$$
  daemon_start
  "$CTR" run -d --rootfs "$D/rootfs" $id /bin/busybox sleep 1000 3>&-
  kill "$DAEMON_PID"
  wait "$DAEMON_PID"
  long=$D/$(printf 'a%.0s' $(seq 120)).sock
  run timeout 10 "$CTRD_DAEMON" -c "$D/config.toml" -a "$long"
  [ "$status" -eq 1 ]
  daemon_start
  [ "$("$CTR" tasks ls | awk -v id=$id '$1 == id {print $3}')" = RUNNING ]
  "$CTR" tasks rm -f $id
  "$CTR" containers rm $id
}

@test "the daemon moves into its cgroup; version 1: and makes it, at any depth" {
  local name=ctrd-$$/inner dirs=() d
  for d in $(awk '$3 == "cgroup" || $3 == "cgroup2" {print $2}' /proc/self/mounts); do
    [ -e "$d/cgroup.controllers" ] || dirs+=("$d/$name")
  done
  if [ ${#dirs[@]} -eq 0 ]; then # version 2 only: it must be there, under an absolute name
    dirs=("/sys/fs/cgroup/$name")
    name=/$name
    mkdir -p "${dirs[0]}" || skip "no cgroup can be made here"
  fi
  daemon_config
  printf '[cgroup]\n  path = "%s"\n' "$name" >>"$D/config.toml"
  daemon_start
  for d in "${dirs[@]}"; do
    grep -qx "$(cat "$D/pid")" "$d/cgroup.procs"
  done
  daemon_stop
  for d in "${dirs[@]}"; do
    wait_for 10 rmdir "$d"
    rmdir "${d%/inner}"
  done
}
