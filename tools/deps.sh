#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing to build and run (deps.sh build), and to test (deps.sh test), on Debian 12.
set -eu

build_packages="gcc g++ make meson ninja-build pkg-config protobuf-compiler protobuf-c-compiler
  libprotobuf-dev libprotobuf-c-dev libnghttp2-dev libuv1-dev liblmdb-dev libjansson-dev
  libpcre2-dev libseccomp-dev libssl-dev zlib1g-dev libzstd-dev libisal-dev libtomlplusplus-dev libyaml-dev
  python3 ca-certificates"
run_packages="runc busybox-static"
test_packages="e2fsprogs xfsprogs docker.io docker-registry iptables libcmocka-dev bats containerd crun skopeo umoci jq procps iproute2 util-linux
  clang-format-14 codespell mandoc git spin strace golang-go golang-github-containerd-containerd-dev"

want="$build_packages $run_packages"
[ "${1:-build}" = test ] && want="$want $test_packages"

missing=""
for p in $want; do
  dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0

echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# Nothing that a package starts by itself belongs on the machine: tests run private daemons.
policy=/usr/sbin/policy-rc.d
made_policy=no
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod 755 $policy
  made_policy=yes
fi
trap '[ $made_policy = no ] || rm -f $policy' EXIT
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/tmp/ctrd-deps.$$.log 2>&1 || {
  tail -20 /tmp/ctrd-deps.$$.log
  exit 1
}
rm -f /tmp/ctrd-deps.$$.log
