#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the suites and ends with "N passed, N failed, N skipped". Usage: test.sh BUILD [suite…]
# Suites: lint unit conformance fault fuzz headers (meson), integration compat (bats).
set -u
exec </dev/null # no suite reads; closed, its number would be given to something else
cd "$(dirname "$0")/.." || exit 1
build=$1
shift
suites=${*:-lint unit conformance fault fuzz headers integration compat}
pass=0 fail=0 skip=0
jobs=${CTRD_TEST_JOBS:-2}
# No test may hang: the one that does fails by its name, its file by private.sh's deadline.
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-180}
tally() { pass=$((pass + $1)) fail=$((fail + $2)) skip=$((skip + $3)); }

run_meson() {
  local log="$build/meson-logs/testlog-$1.json"
  meson test -C "$build" --no-rebuild -t 10 --suite "$1" --print-errorlogs --logbase "testlog-$1" -q 2>&1 |
    grep -v '^$' || true
  [ -e "$log" ] || return 0
  # shellcheck disable=SC2046
  tally $(python3 - "$log" <<'PY'
import json, sys
n = {'OK': 0, 'FAIL': 0, 'SKIP': 0}
for line in open(sys.argv[1]):
    r = json.loads(line)['result']
    n[r if r in n else ('OK' if r == 'EXPECTEDFAIL' else 'FAIL')] += 1
print(n['OK'], n['FAIL'], n['SKIP'])
PY
)
}

# Every file in surroundings of its own (private.sh) and with a deadline, a few side by side;
# what one prints comes out in one piece when it has ended.
run_bats() {
  local files=(tests/"$1"/*.bats) out file running=0
  [ -e "${files[0]}" ] || return 0
  out=$(mktemp -d)
  for file in "${files[@]}"; do
    if [ $running -ge "$jobs" ]; then
      wait -n
      running=$((running - 1))
    fi
    bats_file "$file" "$out/$(basename "$file")" &
    running=$((running + 1))
  done
  wait
  for file in "${files[@]}"; do
    tally_bats "$out/$(basename "$file")"
  done
  rm -rf "$out"
}

bats_file() {
  local status=0 start=$SECONDS
  CTRD_BUILD="$(realpath "$build")" tests/support/private.sh bats --tap "$1" </dev/null >"$2.tap" 2>&1 || status=$?
  echo $status >"$2.status"
  {
    flock 9
    echo "-- $1, $((SECONDS - start)) s"
    cat "$2.tap"
  } 9>"$(dirname "$2")/lock"
}

tally_bats() {
  local s f o status
  status=$(cat "$1.status")
  s=$(grep -c '^ok .*# skip' "$1.tap")
  o=$(grep -c '^ok ' "$1.tap")
  f=$(grep -c '^not ok ' "$1.tap")
  if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
    echo "$(basename "$1") ended with status $status"
    f=1
  fi
  tally $((o - s)) "$f" "$s"
}

for suite in $suites; do
  echo "== $suite"
  case $suite in
    lint) if tools/lint.sh; then tally 1 0 0; else tally 0 1 0; fi ;;
    integration | compat) run_bats "$suite" ;;
    *) run_meson "$suite" ;;
  esac
done
if [ $skip -gt 0 ]; then
  echo "$pass passed, $fail failed, $skip skipped"
else
  echo "$pass passed, $fail failed"
fi
[ $fail -eq 0 ] && [ $pass -gt 0 ]
