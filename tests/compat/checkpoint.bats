#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Checkpoints by Debian's ctr (reference 02 §3.9, §6.3, §6.4). CRIU runs on few machines, so the
# runtime is runc behind a script that answers "checkpoint" and "restore" itself: it writes its
# images, wants to see the same ones again, and runs the container.

bats_require_minimum_version 1.5.0

setup_file() {
  load ../support/daemon
  [ "$(id -u)" = 0 ] || skip "needs root"
  daemon_setup
  daemon_start
  make_image "$D/busybox.tar"
  "$CTR" images import "$D/busybox.tar"
  cat >"$D/runc-cp" <<'EOF'
#!/bin/sh
# Options, then the verb, then its own options.
all="$*"
for verb; do case $verb in checkpoint | restore) break ;; *) verb= ;; esac; done
value() { echo " $all" | sed -n "s/.* $1 \([^ ]*\).*/\1/p"; }
for id; do :; done
case $verb in
checkpoint)
  echo "$all" >>"$LOG"
  [ ! -e "$LOG.fail" ] || { echo "dump failed" >&2; exit 1; }
  mkdir -p "$(value --image-path)" && echo "memory of $id" >"$(value --image-path)/pages.img"
  case " $all" in *" --leave-running "*) ;; *) runc --root "$(value --root)" kill "$id" KILL ;; esac
  ;;
restore)
  echo "$all" >>"$LOG"
  cat "$(value --image-path)/pages.img" >>"$LOG"
  exec runc --root "$(value --root)" run --detach --bundle "$(value --bundle)" --pid-file "$(value --pid-file)" "$id"
  ;;
*) exec runc "$@" ;;
esac
EOF
  sed -i "s|^all=|LOG=$D/runtime.log\nall=|" "$D/runc-cp"
  chmod 755 "$D/runc-cp"
  export CONTAINERD_NAMESPACE=cp$$
  "$CTR" images import "$D/busybox.tar"
}

teardown_file() {
  load ../support/daemon
  daemon_teardown
}

setup() {
  load ../support/daemon
  rm -f "$D/runtime.log" "$D/runtime.log.fail"
}

start() {
  timeout 20 "$CTR" run -d --null-io --runc-binary "$D/runc-cp" "$IMAGE" "$1" sleep 1000
}

no_directories_left() {
  [ -z "$(find "$D/root" -name 'ctrd-checkpoint*')" ]
}

@test "into a directory: what the runtime is told, and the task lives on" {
  start c1
  timeout 20 "$CTR" tasks checkpoint --image-path "$D/images" --work-path "$D/work" c1
  grep -q "memory of c1" "$D/images/pages.img"
  grep -- "--image-path $D/images --work-path $D/work --leave-running" "$D/runtime.log" ||
    { cat "$D/runtime.log"; false; }
  [ "$("$CTR" tasks ls | awk '$1 == "c1" {print $3}')" = RUNNING ]
  timeout 20 "$CTR" tasks rm -f c1
  "$CTR" containers rm c1
}

@test "as content: an image of the pages and the spec" {
  start c2
  timeout 20 "$CTR" tasks checkpoint --exit c2 >"$D/name"
  local index tar
  index=$("$CTR" images ls | awk -v n="$(cat "$D/name")" '$1 == n {print $3}')
  "$CTR" content get "$index" >"$D/index"
  jq -e '[.manifests[].mediaType] | index("application/vnd.containerd.container.criu.checkpoint.criu.tar") and
    index("application/vnd.containerd.container.checkpoint.config.v1+proto")' "$D/index"
  tar=$(jq -r '.manifests[] | select(.mediaType | endswith("criu.tar")) | .digest' "$D/index")
  [ "$("$CTR" content get "$tar" | tar -xOf - pages.img)" = "memory of c2" ]
  wait_for 10 no_directories_left # they go with the bundle, after the answer
  wait_for 10 sh -c "'$CTR' tasks ls | grep -q 'c2.*STOPPED'"
  timeout 20 "$CTR" tasks rm c2 || true
  "$CTR" containers rm c2
}

@test "a container is restored from what was checkpointed" {
  start c3
  timeout 20 "$CTR" containers checkpoint --task --rw --image c3 example.com/cp:1
  timeout 20 "$CTR" tasks rm -f c3
  "$CTR" containers rm c3
  timeout 20 "$CTR" containers restore --rw --live c3 example.com/cp:1
  [ "$("$CTR" tasks ls | awk '$1 == "c3" {print $3}')" = RUNNING ]
  grep -q "memory of c3" "$D/runtime.log"
  timeout 20 "$CTR" tasks rm -f c3
  "$CTR" containers rm c3
  wait_for 10 no_directories_left # they go with the bundle, after the answer
}

@test "a runtime that cannot: its words, nothing left, the task unharmed" {
  start c4
  touch "$D/runtime.log.fail"
  run timeout 20 "$CTR" tasks checkpoint c4
  [ "$status" -eq 1 ]
  [[ "$output" == *"dump failed"* ]]
  wait_for 10 no_directories_left # they go with the bundle, after the answer
  [ "$("$CTR" tasks ls | awk '$1 == "c4" {print $3}')" = RUNNING ]
  timeout 20 "$CTR" tasks rm -f c4
  "$CTR" containers rm c4
}
