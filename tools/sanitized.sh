#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Daemon and shims of a build with sanitizers under load, and deaths among them: sanitized.sh BUILD.
# Fails when one of them reports something, or a test fails.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "$1")
logs=$(mktemp -d /var/tmp/ctrd-sanitized.XXXXXX)
trap 'rm -rf "$logs"' EXIT
export CTRD_BUILD=$build LOAD_LIVES=${LOAD_LIVES:-300} LOAD_THREADS=${LOAD_THREADS:-8} KILL_STEP=${KILL_STEP:-41}
export ASAN_OPTIONS="detect_leaks=1:exitcode=0:log_path=$logs/asan"
export UBSAN_OPTIONS="print_stacktrace=1:log_path=$logs/ubsan"
export TSAN_OPTIONS="second_deadlock_stack=1:exitcode=0:log_path=$logs/tsan:suppressions=$PWD/tools/tsan.supp"
status=0
timeout 600 tests/support/private.sh bats --tap -f 'under load' tests/integration/model.bats </dev/null || status=1
# Leaks are not looked for there: not possible in a process that is traced.
ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 timeout 600 tests/support/private.sh bats --tap \
  -f 'killed at any system call, nothing is lost' tests/integration/kill_calls.bats </dev/null || status=1
for report in "$logs"/*; do
  [ -e "$report" ] || continue
  status=1
  head -100 "$report"
done
exit $status
