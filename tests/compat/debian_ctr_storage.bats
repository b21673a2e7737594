#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What else Debian's ctr (1.6) has for content, images and snapshots: every command of those that
# debian_ctr.bats leaves out, with a registry on loopback. "CTRD_DAEMON=/usr/bin/containerd CTRD_SHIM_DIR=/usr/bin bats …" shows what
# the original answers.

bats_require_minimum_version 1.5.0

setup_file() {
  load ../support/daemon
  command -v docker-registry >/dev/null || skip "no docker-registry"
  daemon_setup
  daemon_start
  make_image "$D/busybox.tar"
  "$CTR" images import "$D/busybox.tar"
  registry_start
}

teardown_file() {
  load ../support/daemon
  [ -n "${D:-}" ] || return 0
  kill "$(cat "$D/registry.pid")" && wait_for 10 daemon_is_gone "$(cat "$D/registry.pid")"
  daemon_teardown
}

setup() {
  load ../support/daemon
  command -v docker-registry >/dev/null || skip "no docker-registry"
  REMOTE=127.0.0.1:5799/test/busybox:1
}

registry_start() {
  cat >"$D/registry.yml" <<EOF
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $D/registry}, delete: {enabled: true}}
http: {addr: "127.0.0.1:5799"}
EOF
  docker-registry serve "$D/registry.yml" >"$D/registry.log" 2>&1 3>&- &
  echo $! >"$D/registry.pid"
  wait_for 20 bash -c 'exec 4<>/dev/tcp/127.0.0.1/5799'
}

manifest_of() {
  "$CTR" images ls "name==$1" | awk 'NR == 2 {print $3}'
}

@test "images push, then pull into another namespace: the same image, and it runs" {
  timeout 60 "$CTR" images push --plain-http "$REMOTE" "$IMAGE"
  timeout 60 "$CTR" -n pulled images pull --plain-http "$REMOTE"
  [ "$("$CTR" -n pulled images ls -q)" = "$REMOTE" ]
  run timeout 30 "$CTR" -n pulled run --rm "$REMOTE" p1 echo pulled
  [ "$output" = pulled ]
}

@test "images pull again, and of what is not there" {
  timeout 60 "$CTR" -n pulled images pull --plain-http "$REMOTE"
  run timeout 60 "$CTR" images pull --plain-http 127.0.0.1:5799/test/none:1
  [ "$status" -eq 1 ]
  [[ "$output" == *"127.0.0.1:5799/test/none:1: not found"* ]]
}

@test "content fetch, fetch-object, push-object" {
  timeout 60 "$CTR" -n fetched content fetch --plain-http "$REMOTE"
  [ "$("$CTR" -n fetched content ls -q | sort)" = "$("$CTR" -n pulled content ls -q | sort)" ]
  local m
  m=$(manifest_of "$IMAGE")
  "$CTR" -n fetched content get "$m" >"$D/manifest"
  timeout 60 "$CTR" content fetch-object --plain-http "$REMOTE" "$m" >"$D/object"
  grep -q "$(jq -r .config.digest "$D/manifest")" "$D/object"
}

@test "content edit makes a new blob" {
  local m new
  m=$(manifest_of "$IMAGE")
  printf '#!/bin/sh\nsed s/schemaVersion/SchemaVersion/ "$1" >"$1.new" && cat "$1.new" >"$1" && rm "$1.new"\n' >"$D/editor"
  chmod 755 "$D/editor"
  new=$("$CTR" content edit --editor "$D/editor" "$m")
  [ "$new" != "$m" ]
  "$CTR" content get "$new" | grep -q SchemaVersion
  "$CTR" content rm "$new"
}

@test "images check and convert" {
  run "$CTR" images check
  [[ "$output" == *"$IMAGE"*"complete"* ]]
  timeout 60 "$CTR" images convert --uncompress --oci "$IMAGE" converted:1
  "$CTR" content get "$(manifest_of converted:1)" | jq -e '.layers[0].mediaType == "application/vnd.oci.image.layer.v1.tar"'
  run timeout 30 "$CTR" run --rm converted:1 c1 echo converted
  [ "$output" = converted ]
  "$CTR" images rm converted:1
}

# Snapshots that nothing refers to are not labelled here: a collection may take them at once.
@test "snapshots: unpack, view, label, usage, diff" {
  local top
  timeout 60 "$CTR" -n unpacked content fetch --plain-http "$REMOTE"
  timeout 60 "$CTR" -n unpacked snapshots unpack "$(manifest_of "$IMAGE")"
  top=$("$CTR" -n unpacked snapshots ls | awk '$NF == "Committed" {print $1}')
  "$CTR" -n unpacked snapshots view v1 "$top"
  "$CTR" -n unpacked snapshots label "$top" a=b
  "$CTR" -n unpacked snapshots info "$top" | jq -e '.Labels.a == "b"'
  run "$CTR" -n unpacked snapshots usage "$top"
  [[ "$output" == *"$top"* ]]
  run "$CTR" -n unpacked snapshots usage -b "$top"
  [ "$(awk 'NR == 2 {print $2}' <<<"$output")" -gt 1000000 ]
  "$CTR" -n unpacked snapshots diff "$top" | tar -tz | grep -q bin/busybox
}

@test "leases: a label, an expiry, and what they keep" {
  "$CTR" leases create --id l1 --expires 1h a=b
  run "$CTR" leases ls
  [[ "$output" == *l1*"a=b"* ]]
  "$CTR" leases rm --sync l1
  [ "$("$CTR" leases ls -q)" = "" ]
}

@test "content prune references: what no lease holds may go" {
  run timeout 60 "$CTR" content prune references
  [ "$status" -eq 0 ]
}

@test "an upload that is going on is shown, and can be taken up" {
  head -c 50000 /dev/zero >"$D/half"
  run timeout 60 "$CTR" content ingest --expected-size 100000 going-on <"$D/half"
  [ "$status" -eq 1 ]
  run "$CTR" content active
  [[ "$output" == *going-on*50kB* ]]
  head -c 100000 /dev/zero >"$D/whole"
  timeout 60 "$CTR" content ingest --expected-size 100000 going-on <"$D/whole"
  [ "$("$CTR" content active | wc -l)" -eq 1 ]
}
