#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# /v1/metrics (reference 03 §4.8).

setup() {
  load ../support/daemon
  daemon_setup
  daemon_config
  PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  printf '[metrics]\n  address = "127.0.0.1:%s"\n' "$PORT" >>"$D/config.toml"
  daemon_start
}

teardown() {
  daemon_teardown
}

# raw TEXT: sends it, prints the answer, ends with the connection.
raw() {
  timeout 10 python3 - "$PORT" "$1" <<'PY'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(sys.argv[2].encode().decode("unicode_escape").encode("latin-1"))
out = b""
while True:
    b = s.recv(65536)
    if not b:
        break
    out += b
sys.stdout.write(out.decode())
PY
}

get() {
  raw "GET $1 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"
}

# The first collection comes soon after the start.
has_collected() {
  get /v1/metrics | grep -q containerd_gc_collections_total
}

@test "families have the original's names, and calls are counted" {
  "$CTR" namespaces ls
  "$CTR" namespaces ls
  "$CTR" namespaces create m
  wait_for 10 has_collected
  run get /v1/metrics
  [[ "$output" == "HTTP/1.1 200 OK"* ]]
  [[ "$output" == *"Content-Type: text/plain; version=0.0.4"* ]]
  [[ "$output" == *'# TYPE containerd_build_info_total counter'* ]]
  [[ "$output" == *'grpc_server_handled_total{grpc_code="OK",grpc_method="List",grpc_service="containerd.services.namespaces.v1.Namespaces",grpc_type="unary"} 2'* ]]
  # Methods that nobody called, and codes that none had, are there from the start.
  [[ "$output" == *'grpc_server_handled_total{grpc_code="NotFound",grpc_method="Create",grpc_service="containerd.services.tasks.v1.Tasks",grpc_type="unary"} 0'* ]]
  L='grpc_method="List",grpc_service="containerd.services.namespaces.v1.Namespaces",grpc_type="unary"} 2'
  [[ "$output" == *"grpc_server_started_total{$L"* && "$output" == *"grpc_server_msg_received_total{$L"* && "$output" == *"grpc_server_msg_sent_total{$L"* ]]
  [[ "$output" == *'ttrpc_server_started_total{ttrpc_method="Forward",'* ]]
  [[ "$output" != *handling_seconds* && "$output" == *process_resident_memory_bytes* && "$output" == *process_max_fds* && "$output" == *process_network_transmit_bytes_total* ]]
  [[ "$output" == *'# TYPE containerd_gc_gc_seconds histogram'* ]]
  [[ "$output" == *'containerd_gc_collections_total{status="success"} '* ]]
}

@test "grpc_histogram: how long calls took, too" {
  daemon_stop
  sed -i 's/^\[metrics\]/&\n  grpc_histogram = true/' "$D/config.toml"
  daemon_start
  "$CTR" namespaces ls
  run get /v1/metrics
  L='grpc_method="List",grpc_service="containerd.services.namespaces.v1.Namespaces",grpc_type="unary"'
  [[ "$output" == *'# TYPE grpc_server_handling_seconds histogram'* ]]
  [[ "$output" == *"grpc_server_handling_seconds_bucket{$L,le=\"+Inf\"} 1"* && "$output" == *"grpc_server_handling_seconds_count{$L} 1"* ]]
}

@test "other paths, methods and garbage are refused, and the daemon goes on" {
  [[ "$(get /)" == "HTTP/1.1 404 "* ]]
  [[ "$(get /v1/metrics/)" == "HTTP/1.1 404 "* ]]
  [[ "$(raw 'POST /v1/metrics HTTP/1.1\r\n\r\n')" == "HTTP/1.1 405 "* ]]
  [[ "$(raw 'GET / HTTP/3\r\n\r\n')" == "HTTP/1.1 505 "* ]]
  [[ "$(raw '\x00\r\n\r\n')" == "HTTP/1.1 400 "* ]]
  [[ "$(raw "$(head -c 9000 /dev/zero | tr '\0' a)")" == "HTTP/1.1 431 "* ]]
  [[ "$(get '/v1/metrics?a=b')" == "HTTP/1.1 200 "* ]]
  head=$(raw 'HEAD /v1/metrics HTTP/1.1\r\n\r\n')
  [[ "$head" == "HTTP/1.1 200 "* && "$head" != *containerd_* ]]
}

@test "forty at once, silent ones among them, all get their turn; a stop does not wait" {
  timeout 60 python3 - "$PORT" <<'PY'
import socket, sys
port = int(sys.argv[1])
conns = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
for c in conns[:10]:
    c.sendall(b"GET /v1/")
for c in conns[10:30]:
    c.sendall(b"GET /v1/metrics HTTP/1.1\r\n\r\n")
for c in conns[30:]:
    c.close()
for c in conns[10:30]:
    assert c.recv(12) == b"HTTP/1.1 200"
    c.close()
for c in conns[:10]:
    c.sendall(b"metrics HTTP/1.1\r\n\r\n")
    assert c.recv(12) == b"HTTP/1.1 200"
PY
  exec 7<>"/dev/tcp/127.0.0.1/$PORT"
  daemon_stop
  exec 7>&-
}

@test "the endpoint is a plugin" {
  run "$CTR" plugins ls
  [[ "$output" =~ io.containerd.server.v1\ +metrics\ .*ok ]]
}

@test "nobody asks: the daemon sleeps" {
  get /v1/metrics >/dev/null
  sleep 12
  before=$(awk '/^voluntary_ctxt/ {n += $2} END {print n}' /proc/"$(cat "$D/pid")"/task/*/status)
  sleep 5
  after=$(awk '/^voluntary_ctxt/ {n += $2} END {print n}' /proc/"$(cat "$D/pid")"/task/*/status)
  echo "$before $after"
  [ "$after" -le $((before + 1)) ]
}

@test "figures of a running task, and none once it is gone" {
  R=$D/rootfs
  mkdir -p "$R/bin" "$R/proc" "$R/dev" "$R/sys" "$R/run"
  cp /bin/busybox "$R/bin/sleep"
  "$CTR" -n other run -d --env PATH=/bin --rootfs "$R" c1 sleep 1000
  run get /v1/metrics
  [[ "$output" == *'container_pids_current{container_id="c1",namespace="other",runtime="io.containerd.runc.v2"} 1'* ]]
  [[ "$output" == *'container_memory_usage'*'_bytes{container_id="c1",namespace="other",runtime="io.containerd.runc.v2"} '* ]]
  # One per processor, where the kernel tells.
  [ ! -e /sys/fs/cgroup/cpuacct ] ||
    [[ "$output" == *'container_per_cpu_nanoseconds{container_id="c1",cpu="0",namespace="other",runtime="io.containerd.runc.v2"} '* ]]
  [ "$(grep -c '^# TYPE container_pids_current gauge' <<<"$output")" = 1 ]
  "$CTR" -n other tasks rm -f c1 || true
  wait_for 10 bash -c "[ -z \"\$('$CTR' -n other tasks ls -q)\" ]"
  [[ "$(get /v1/metrics)" != *container_pids* ]]
}

@test "no_prometheus: no figures of tasks" {
  daemon_stop
  printf '[plugins."io.containerd.monitor.v1.cgroups"]\n  no_prometheus = true\n' >>"$D/config.toml"
  daemon_start
  R=$D/rootfs
  mkdir -p "$R/bin" "$R/proc" "$R/dev" "$R/sys" "$R/run"
  cp /bin/busybox "$R/bin/sleep"
  "$CTR" run -d --env PATH=/bin --rootfs "$R" c1 sleep 1000
  run get /v1/metrics
  [[ "$output" == *containerd_build_info_total* && "$output" != *container_pids* ]]
}
