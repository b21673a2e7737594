#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every public header alone, as C99, C17 and C++, without a word from the compiler.
# Usage: check.sh INCLUDE-DIRECTORY
set -eu
bad=0
try() {
  echo "#include <ctrd/$1>" | "$2" "-std=$3" -x "$4" -I "$include" -pedantic -Wall -Wextra -Werror -fsyntax-only - || {
    echo "ctrd/$1 as $3"
    bad=1
  }
}
include=$1
for path in "$include"/ctrd/*.h "$include"/ctrd/sys/*.h; do
  [ -e "$path" ] || continue
  header=${path#"$include"/ctrd/}
  try "$header" "${CC:-cc}" c99 c
  try "$header" "${CC:-cc}" c17 c
  try "$header" "${CXX:-c++}" c++11 c++
done
exit $bad
