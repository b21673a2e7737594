#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What Debian's ctr asks for (debian_ctr.bats), over every pairing of daemon, shim and runtime: the
# same tests must pass whoever is behind them. The pairing of all ours with runc is that file's own.

suite() {
  local only=()
  [ "$(id -u)" = 0 ] || skip "needs root"
  [ -x /usr/bin/containerd ] && [ -x /usr/bin/containerd-shim-runc-v2 ] || skip "no containerd of Debian's"
  [ -z "${ONLY:-}" ] || only=(-f "$ONLY")
  run env -i PATH="${PATH//"$BATS_LIBEXEC:"/}" HOME=/root SHELL=/bin/sh TERM=xterm CTRD_PRIVATE="${CTRD_PRIVATE:-}" CTRD_SHARED_TMP="${CTRD_SHARED_TMP:-}" CTRD_BUILD="$CTRD_BUILD" \
    "$@" /usr/bin/bats --tap "${only[@]}" "$BATS_TEST_DIRNAME/debian_ctr.bats" 3>&-
  echo "$output" | grep -v '^ok '
  [ "$status" -eq 0 ]
  [ "$(echo "$output" | grep -c '^ok ')" -ge 10 ]
}

@test "our ctr" {
  suite CTR="$CTRD_BUILD/ctr" CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1
}

# What concerns tasks: the rest of that file does not know who runs them.
TASKS='run|exec|pause|tasks|events|kill|program|containers'

@test "our daemon, our shim, crun" {
  command -v crun >/dev/null || skip "no crun"
  ONLY=$TASKS suite CTRD_RUNTIME=crun
}

@test "our daemon, Debian's shim, runc" {
  ONLY=$TASKS suite CTRD_SHIM_DIR=/usr/bin
}

@test "Debian's daemon, our shim, runc" {
  ONLY=$TASKS suite CTRD_DAEMON=/usr/bin/containerd
}

@test "Debian's daemon, our shim, crun" {
  command -v crun >/dev/null || skip "no crun"
  ONLY=$TASKS suite CTRD_DAEMON=/usr/bin/containerd CTRD_RUNTIME=crun
}

@test "all of Debian's: the tests ask for nothing but what the original does" {
  suite CTRD_DAEMON=/usr/bin/containerd CTRD_SHIM_DIR=/usr/bin
}
