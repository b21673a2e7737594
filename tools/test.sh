#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the suites and ends with "N passed, N failed, N skipped". Usage: test.sh BUILD [suite…]
# Suites: lint unit conformance fault fuzz headers (meson), integration compat (bats).
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
shift
suites=${*:-lint unit conformance fault fuzz headers integration compat}
pass=0 fail=0 skip=0
tally() { pass=$((pass + $1)) fail=$((fail + $2)) skip=$((skip + $3)); }

run_meson() {
  local log="$build/meson-logs/testlog-$1.json"
  meson test -C "$build" --no-rebuild --suite "$1" --print-errorlogs --logbase "testlog-$1" -q 2>&1 |
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

run_bats() {
  local files=(tests/"$1"/*.bats)
  [ -e "${files[0]}" ] || return 0
  local out status
  out=$(mktemp)
  CTRD_BUILD="$(realpath "$build")" tests/support/private.sh bats --tap "${files[@]}" </dev/null 2>&1 | tee "$out"
  status=${PIPESTATUS[0]}
  local s f o
  s=$(grep -c '^ok .*# skip' "$out")
  o=$(grep -c '^ok ' "$out")
  f=$(grep -c '^not ok ' "$out")
  [ "$status" -ne 0 ] && [ "$f" -eq 0 ] && f=1
  rm -f "$out"
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
