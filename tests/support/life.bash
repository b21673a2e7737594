# SPDX-License-Identifier: Apache-2.0
# For suites about thousands of lives of containers: a daemon in memory (what is tried is not the
# disk, and thousands of fsyncs would be all of the time), with an image in namespace "life".

life_setup() {
  [ "$(id -u)" = 0 ] || skip "needs root"
  [ -n "${CTRD_PRIVATE:-}" ] || skip "needs a machine of its own: run by tests/support/private.sh"
  daemon_setup
  mkdir "$D/root"
  mount -t tmpfs tmpfs "$D/root"
  GC_SHARE=0.02 daemon_config # what nobody deletes is to be collected
  daemon_start
  make_image "$D/busybox.tar"
  "$CTR" -n life images import "$D/busybox.tar"
  PARENT=$("$CTR" -n life snapshots ls | awk '$NF == "Committed" {print $1}')
}

# A runtime that takes no time, so that it is daemon and shim that are worked.
QUICK_RUNTIME=$CTRD_BUILD/tests/integration/life/ctrd-quick-runtime
