# SPDX-License-Identifier: Apache-2.0
# What a suite may leave behind: nothing. leftovers_watch at the start, leftovers_check at the
# end. Under private.sh everything counts; elsewhere, where others run too, only what names $D.

leftovers_watch() {
  LEFTOVERS=$(mktemp -d "${BATS_TEST_TMPDIR:-${BATS_FILE_TMPDIR:?}}/world.XXXX")
  export LEFTOVERS
  leftovers_world >"$LEFTOVERS/before"
}

# Fails, and says which, if there is more than there was. What ends by itself gets a moment.
leftovers_check() {
  [ -n "${LEFTOVERS:-}" ] || return 0
  wait_for 10 leftovers_none && return 0
  {
    echo "--- left behind:"
    cat "$LEFTOVERS/more"
  } >&2
  return 1
}

leftovers_none() {
  leftovers_world >"$LEFTOVERS/after"
  LC_ALL=C comm -13 "$LEFTOVERS/before" "$LEFTOVERS/after" >"$LEFTOVERS/more"
  [ ! -s "$LEFTOVERS/more" ]
}

leftovers_world() {
  {
    set +e # what find does not find is no error
    if [ -n "${CTRD_PRIVATE:-}" ]; then
      leftovers_processes
      awk '{print "mount " $2 " " $3}' /proc/self/mounts
      leftovers_groups
      leftovers_files
    elif [ -n "${D:-}" ]; then
      leftovers_processes | grep -F "$D"
      awk '{print "mount " $2 " " $3}' /proc/self/mounts | grep -F " $D/"
    fi
    leftovers_loops
  } | LC_ALL=C sort
}

# Programs under test, and whatever runs in a group of its own, as containers do.
leftovers_processes() {
  local dir exe
  for dir in /proc/[0-9]*; do
    exe=$(readlink "$dir/exe" 2>/dev/null) || continue
    case ${exe##*/} in
      containerd* | ctr | runc | crun | docker* | decode | ctrd-*) ;;
      *) grep -v '^0::/suite$' "$dir/cgroup" 2>/dev/null | grep -q -e '^[0-9]*:pids:/.' -e '^0::/.' || continue ;;
    esac
    grep -q '^State:	Z' "$dir/status" 2>/dev/null && continue
    echo "process ${dir#/proc/} $(tr '\0' ' ' <"$dir/cmdline" 2>/dev/null)"
  done
}

# These are the kernel's, so other suites' are seen, too: ours name $D.
leftovers_loops() {
  [ -n "${D:-}" ] || return 0
  cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -F "$D" | sed 's/^/loop device of /'
}

# The runtimes leave the group above a container's (its namespace); that one does not count.
leftovers_groups() {
  awk '$3 == "cgroup" || $3 == "cgroup2" {print $2}' /proc/self/mounts |
    while read -r m; do find "$m" -mindepth 2 -type d; done | sed 's/^/group /'
}

# Fixed directories, and the socket for NRI plugins, stay, as with the original; what is made per
# task or call does not. Not
# counted: files of a sanitizer whose process was killed, and fifos, which belong to the client (Go's ctr keeps those of tasks it did not see end).
leftovers_files() {
  # Debian's daemon leaves the socket of a shim that was killed.
  case $CTRD_DAEMON in
    "$CTRD_BUILD"/*) find /run -mindepth 1 ! -type d ! -path '/run/containerd/fifo/*' ! -path /run/nri/nri.sock 2>/dev/null ;;
    *) find /run -mindepth 1 ! -type d ! -path '/run/containerd/fifo/*' ! -path '/run/containerd/s/*' ! -path /run/nri/nri.sock 2>/dev/null ;;
  esac
  find /run/containerd/io.containerd.* -mindepth 1 -type d 2>/dev/null
  find /run/containerd/runc /run/runc /run/crun -mindepth 2 -type d 2>/dev/null
  [ -n "${CTRD_SHARED_TMP:-}" ] || find /tmp -mindepth 1 -maxdepth 1 ! -name 'bats-run-*' ! -name 'tsan.rodata.*' 2>/dev/null
}
