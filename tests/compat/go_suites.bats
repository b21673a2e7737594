#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# containerd's own content and snapshotter suites, of 1.6 as golang-github-containerd-containerd-dev
# has them, judge our daemon through its socket (go/suites_test.go); and its packaged client does
# with it what its users do (go/client_test.go).

bats_require_minimum_version 1.5.0

SOURCES=/usr/share/gocode/src/github.com/containerd/containerd

setup() {
  load ../support/daemon
}

setup_file() {
  load ../support/daemon
  command -v go >/dev/null || skip "no Go compiler on this machine"
  [ -d $SOURCES/content/testsuite ] || skip "golang-github-containerd-containerd-dev is not installed"
  daemon_setup
  daemon_start
  export SUITES=$D/suites GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$D/go GOFLAGS= GOTOOLCHAIN=local
  (cd "$BATS_TEST_DIRNAME/go" && timeout -k 5 240 go test -vet=off -c -o "$SUITES" .)
}

teardown_file() {
  load ../support/daemon
  daemon_teardown
}

# judged COUNT TEST [argument…]: runs it, shows what it said, and fails when it failed or when fewer
# than COUNT of its tests ran.
judged() {
  local count=$1 test=$2
  shift 2
  (cd "$D" && TMPDIR=$D timeout -k 5 120 "$SUITES" -address "$SOCK" -test.v -test.timeout 100s -test.run "$test" "$@") \
    >"$D/said" 2>&1 || {
    cat "$D/said"
    return 1
  }
  grep -E '^ *--- ' "$D/said"
  [ "$(grep -c '^ *--- PASS' "$D/said")" -ge "$count" ]
}

@test "content suite, shared between namespaces" {
  judged 15 TestContent
}

@test "snapshotter suite, overlayfs" {
  judged 20 TestSnapshotters/overlayfs
}

@test "snapshotter suite, native" {
  judged 20 TestSnapshotters/native
}

@test "the Go client: tasks, leases, images, diffs, records" {
  make_image "$D/image.tar"
  judged 7 'TestTask|TestLease|TestImage|TestDiff|TestRecords' -image "$D/image.tar"
}

# A second daemon, whose content store is the first one's.
@test "content suite, isolated namespaces, behind a proxy" {
  cat >"$D/front.toml" <<CONF
version = 2
root = "$D/front-root"
state = "$D/front-state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.content.v1.content"]
[grpc]
  address = "$D/f.sock"
[ttrpc]
  address = "$D/f.sock.ttrpc"
[plugins."io.containerd.metadata.v1.bolt"]
  content_sharing_policy = "isolated"
[proxy_plugins.behind]
  type = "content"
  address = "$SOCK"
CONF
  "$CTRD_DAEMON" --config "$D/front.toml" >>"$D/front.log" 2>&1 3>&- &
  FRONT_PID=$!
  wait_for 20 "$CTR" -a "$D/f.sock" version
  SOCK=$D/f.sock judged 14 TestContent -isolated
}

teardown() {
  [ -z "${FRONT_PID:-}" ] || kill "$FRONT_PID" 2>/dev/null || true
  [ -z "${FRONT_PID:-}" ] || wait "$FRONT_PID" 2>/dev/null || true
}
