#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The debug socket (reference 03 §4.8).

setup() {
  load ../support/daemon
  daemon_setup
  daemon_config
  printf '[debug]\n  address = "%s"\n' "$D/debug.sock" >>"$D/config.toml"
  daemon_start
}

teardown() {
  daemon_teardown
}

get() {
  timeout 10 python3 - "$D/debug.sock" "$1" <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(f"GET {sys.argv[2]} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
out = b""
while True:
    b = s.recv(65536)
    if not b:
        break
    out += b
sys.stdout.write(out.decode())
PY
}

@test "/debug/vars is JSON" {
  [ "$(stat -c %a "$D/debug.sock")" = 660 ]
  get /debug/vars | sed '1,/^\r$/d' | python3 -c '
import json, sys
v = json.load(sys.stdin)
assert v["pid"] == int(sys.argv[1]), v
assert v["cmdline"][1] == "--config", v
assert v["open_calls"] == 0 and v["data_jobs"] >= 1, v
' "$(cat "$D/pid")"
}

@test "the state names pools, open calls, plugins and threads" {
  "$CTR" events >/dev/null 2>&1 3>&- &
  events=$!
  wait_for 10 has_open_call
  run get /debug/state
  kill $events
  [[ "$output" == "HTTP/1.1 200 "* ]]
  [[ "$output" == *"jobs for call workers"*"plugin io.containerd.metadata.v1.bolt: ok"*"thread "*"VmRSS"* ]]
  [[ "$(get /debug/pprof/goroutine)" == *"thread "* ]]
  [[ "$(get /debug)" == "HTTP/1.1 404 "* ]]
}

has_open_call() {
  get /debug/state | grep -q '^calls: 1'
}

@test "the socket goes with the daemon" {
  daemon_stop
  [ ! -e "$D/debug.sock" ]
}
