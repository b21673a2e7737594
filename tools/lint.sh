#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Everything a machine can check about the sources. "lint.sh quick" leaves out format and spelling.
cd "$(dirname "$0")/.." || exit 1
bad=0

check() {
  local name=$1
  shift
  if out=$("$@" 2>&1); then
    echo "ok    $name"
  else
    echo "FAIL  $name"
    printf '%s\n' "$out" | head -50
    bad=1
  fi
}

check layers python3 tools/check_layers.py
check calls python3 tools/check_calls.py
check names python3 tools/check_names.py
check exports python3 tools/check_exports.py build
check bats python3 tools/check_bats.py
check docs python3 tools/check_docs.py
[ -e tools/check_man.py ] && check man python3 tools/check_man.py
if [ "${1:-}" != quick ]; then
  if command -v clang-format-14 >/dev/null; then
    check format bash -c "git ls-files '*.c' '*.h' | xargs clang-format-14 --dry-run -Werror"
  else
    echo "skip  format (no clang-format-14)"
  fi
  command -v codespell >/dev/null && check spelling codespell -q 3 -L inout,readby,ro,fo,ans,tage,flate,te README.md ARCHITECTURE.md CONTRIBUTING.md docs src
  command -v mandoc >/dev/null && ls man/*.[1-8] >/dev/null 2>&1 && check mandoc mandoc -T lint -W error man/*.[1-8]
fi
exit $bad
