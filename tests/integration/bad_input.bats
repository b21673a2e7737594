#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Bytes no honest client sends, broken configuration, full disks: a clear error, the same daemon
# afterwards, and nothing left behind.

setup_file() {
  load ../support/daemon
  daemon_setup
  daemon_start
}

teardown_file() {
  load ../support/daemon
  daemon_teardown
}

setup() {
  load ../support/daemon
}

# After each attack the same process answers, and its memory and descriptors did not run away.
still_there() {
  [ -d "/proc/$(cat "$D/pid")" ]
  timeout 10 "$CTR" version >/dev/null
  [ "$(ls "/proc/$(cat "$D/pid")/fd" | wc -l)" -lt 100 ]
  [ "$(awk '/^VmRSS:/ {print $2}' "/proc/$(cat "$D/pid")/status")" -lt 200000 ]
}

attack() {
  timeout 60 python3 "$BATS_TEST_DIRNAME/../support/garbage.py" "$@"
}

@test "random bytes on the gRPC socket" { attack "$SOCK" random && still_there; }
@test "random bytes behind a good preface" { attack "$SOCK" preface-random && still_there; }
@test "a call cut off at any byte" { attack "$SOCK" truncated && still_there; }
@test "a frame that claims 16 MiB" { attack "$SOCK" huge-frame && still_there; }
@test "headers over the limit" { attack "$SOCK" huge-headers && still_there; }
@test "five hundred idle connections" { attack "$SOCK" many && still_there; }
@test "random bytes on the ttrpc socket" { attack "$SOCK.ttrpc" ttrpc-random && still_there; }
@test "a ttrpc frame that claims 4 GiB" { attack "$SOCK.ttrpc" ttrpc-huge && still_there; }
@test "a ttrpc call cut off at any byte" { attack "$SOCK.ttrpc" ttrpc-truncated && still_there; }

@test "a message that claims 4 GiB is refused by its length" {
  run attack "$SOCK" huge-message
  [ "$status" -eq 0 ]
  [ "$output" = answered ]
  still_there
}

@test "malformed paths and unknown services are answered, not dropped" {
  run attack "$SOCK" bad-path
  [ "$status" -eq 0 ]
  [[ "$output" != *False* ]]
  still_there
}

@test "a config with a wrong type names the key and the line" {
  printf 'version = 2\n[grpc]\n  address = 7\n' >"$D/bad.toml"
  run timeout 10 "$CTRD_DAEMON" --config "$D/bad.toml" --root "$D/r2" --state "$D/s2"
  [ "$status" -ne 0 ]
  [[ "$output" == *address* ]]
}

@test "a config that is no TOML names the line" {
  printf 'version = 2\n[grpc\n' >"$D/bad.toml"
  run timeout 10 "$CTRD_DAEMON" --config "$D/bad.toml" --root "$D/r2" --state "$D/s2"
  [ "$status" -ne 0 ]
  [[ "$output" == *"line 2"* || "$output" == *"(2, "* || "$output" == *":2:"* ]]
}

@test "a missing config file that was named is an error" {
  run timeout 10 "$CTRD_DAEMON" --config "$D/none.toml" --root "$D/r2" --state "$D/s2"
  [ "$status" -ne 0 ]
  [[ "$output" == *"none.toml"*"no such file or directory"* ]]
}

@test "root and state may not be the same" {
  run timeout 10 "$CTRD_DAEMON" --config /dev/null --root "$D/same" --state "$D/same" --address "$D/x.sock"
  [ "$status" -ne 0 ]
  [[ "$output" == *"root and state must be different paths"* ]]
}

@test "an image that is damaged, truncated or no archive is refused, and nothing stays" {
  make_image "$D/good.tar"
  head -c 300000 "$D/good.tar" >"$D/cut.tar"
  head -c 4096 /dev/urandom >"$D/noise.tar"
  for f in cut noise; do
    run timeout 20 "$CTR" images import "$D/$f.tar"
    [ "$status" -ne 0 ]
  done
  run "$CTR" images ls -q
  [ "$output" = "" ]
  still_there
}

@test "a full disk: a clear error, and room again is enough" {
  F=$D/full
  mkdir -p "$F"
  mount -t tmpfs -o size=3m tmpfs "$F"
  mkdir "$F/root"
  sed -e "s|root = .*|root = \"$F/root\"|" -e "s|state = .*|state = \"$D/state2\"|" -e "s|$SOCK|$D/f.sock|" "$D/config.toml" >"$D/f.toml"
  PATH="$CTRD_SHIM_DIR:$PATH" "$CTRD_DAEMON" --config "$D/f.toml" >"$D/f.log" 2>&1 3>&- &
  fpid=$!
  wait_for 10 "$CTR" -a "$D/f.sock" version
  make_image "$D/good.tar"
  dd if=/dev/zero of="$F/ballast" bs=64k 2>/dev/null || true
  run timeout 20 "$CTR" -a "$D/f.sock" images import "$D/good.tar"
  failed=$status said=$output
  run timeout 10 "$CTR" -a "$D/f.sock" images ls -q
  listed=$status left=$output
  rm "$F/ballast"
  mount -o remount,size=64m "$F"
  run timeout 20 "$CTR" -a "$D/f.sock" images import "$D/good.tar"
  again=$status
  kill $fpid
  wait $fpid || true
  umount "$F"
  echo "$said"
  [ "$failed" -ne 0 ]
  [[ "$said" == *"no space left on device"* ]]
  [ "$listed" -eq 0 ]
  [ "$left" = "" ]
  [ "$again" -eq 0 ]
}
