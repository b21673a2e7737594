#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The model of the shim's events (tests/model/exits.pml, docs/design/023-exit-model.md): its rules hold,
# each of them is needed, and what the shim says is what the model may say.

bats_require_minimum_version 1.5.0

: "${LOAD_LIVES:=150}"
: "${LOAD_THREADS:=6}"
: "${LOAD_SEED:=$RANDOM}"

setup() {
  load ../support/daemon
  command -v spin >/dev/null || skip "needs spin"
  MODEL=$BATS_TEST_DIRNAME/../model/exits.pml
  cd "$BATS_TEST_TMPDIR"
}

# verifier NAME SPIN-OPTION…
verifier() {
  local name=$1
  shift
  mkdir "$name"
  (cd "$name" && spin "$@" -a "$MODEL" >/dev/null && cc -O1 -w -DSAFETY -o pan pan.c)
}

errors_of() {
  timeout 120 "$1/pan" -m100000 2>&1 | sed -n 's/.*errors: \([0-9]*\).*/\1/p'
}

@test "the rules hold in the model" {
  verifier right
  [ "$(errors_of right)" = 0 ]
}

@test "without any one of the shim's precautions they do not" {
  for n in 1 2 3 4 5 6; do
    verifier "wrong$n" -DMUTANT=$n
    [ "$(errors_of "wrong$n")" = 1 ]
  done
}

# The verifier's error is that it got to the end of the trace. 2: it gave no answer.
model_may_say() {
  local errors
  errors=$(TRACE=$1 errors_of replay)
  case $errors in 1) return 0 ;; 0) return 1 ;; *) return 2 ;; esac
}

@test "what must not be said is not in the model" {
  verifier replay -DTRACE -DEXECS=3
  model_may_say "0create 0start 1exec-added 1exec-started 1exit 0exit 0delete"
  run -1 model_may_say "0create 0start 1exec-added 1exec-started 0exit 1exit 0delete"
  run -1 model_may_say "0create 0exit 0start 0delete"
  run -1 model_may_say "0create 0start 0exit 0exit 0delete"
  run -1 model_may_say "0create 0start 0delete 0exit"
  run -1 model_may_say "0create 0start 1exec-added 1exit 0exit 0delete"
}

# load RUNTIME: many containers at once, each one's events to the file "traces".
load_traces() {
  local parent
  make_image "$D/busybox.tar"
  "$CTR" -n life images import "$D/busybox.tar"
  parent=$("$CTR" -n life snapshots ls | awk '$NF == "Committed" {print $1}')
  echo "seed $LOAD_SEED"
  timeout 120 "$CTRD_BUILD/tests/integration/life/load" "$SOCK" "$parent" "$1" "$2" "$LOAD_THREADS" "$LOAD_SEED" traces
}

replay_traces() {
  local trace n=0
  verifier replay -DTRACE -DEXECS=3
  while read -r trace; do
    model_may_say "$trace" || {
      echo "not in the model: $trace"
      return 1
    }
    n=$((n + 1))
  done < <(sort -u traces)
  echo "$n different traces"
  [ $n -gt 10 ]
}

@test "what the shim says under load is in the model" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  daemon_setup
  daemon_start
  load_traces "$CTRD_BUILD/tests/integration/life/ctrd-quick-runtime" "$LOAD_LIVES"
  replay_traces
  daemon_teardown
}

@test "what the shim says with runc is in the model" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  daemon_setup
  daemon_start
  load_traces runc 60
  replay_traces
  daemon_teardown
}

teardown() {
  [ -z "${D:-}" ] || [ ! -e "$D" ] || daemon_teardown
}
