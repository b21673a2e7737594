#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs every libFuzzer target for SECONDS, from its seeds. New inputs go to build-fuzz/found/; a
# crash leaves its input there, ends the run with status 1, and is named.
# Usage: fuzz.sh [SECONDS [TARGET…]]
set -u
cd "$(dirname "$0")/.." || exit 1
seconds=${1:-60}
shift || true

command -v clang-14 >/dev/null && ls /usr/lib/llvm-14/lib/clang/*/lib/linux/*fuzzer*x86_64* >/dev/null 2>&1 || {
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends clang-14 libclang-rt-14-dev >/dev/null || exit 1
}
tools/deps.sh test
if [ ! -e build-fuzz/build.ninja ]; then
  CC=clang-14 CXX=clang++-14 meson setup build-fuzz -Dfuzz=true -Dtests=true -Dwerror=false \
    -Db_sanitize=address,undefined -Db_lundef=false >/dev/null || exit 1
fi
targets=${*:-$(ninja -C build-fuzz -t targets all | sed -n 's|^\(tests/fuzz/fuzz_[a-z0-9_]*\):.*|\1|p' | xargs -n1 basename | sort -u)}
bad=0
for t in $targets; do
  ninja -C build-fuzz "tests/fuzz/$t" >/tmp/fuzz-build.$$ 2>&1 || { tail -20 /tmp/fuzz-build.$$; exit 1; }
  mkdir -p "build-fuzz/found/$t"
  echo "== $t, ${seconds}s"
  "build-fuzz/tests/fuzz/$t" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 \
    -artifact_prefix="build-fuzz/found/$t-" "build-fuzz/found/$t" "tests/fuzz/corpus/${t#fuzz_}" >"build-fuzz/found/$t.log" 2>&1 || {
    echo "FAIL $t (build-fuzz/found/$t.log)"
    grep -aE 'ERROR|SUMMARY|Test unit written' "build-fuzz/found/$t.log" | head -5
    bad=1
  }
  grep -aE 'number_of_executed_units|peak_rss' "build-fuzz/found/$t.log" | tr '\n' ' '
  echo
done
rm -f /tmp/fuzz-build.$$
exit $bad
