# SPDX-License-Identifier: Apache-2.0
# Shared by the bats suites: a private daemon under a directory of its own, and a small image.
# Waits are for events (a line, a file, an exit), with a deadline that only a failure reaches.

: "${CTRD_BUILD:=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/build}"
: "${CTRD_DAEMON:=$CTRD_BUILD/containerd}"
: "${CTRD_SHIM_DIR:=$CTRD_BUILD}"
# The client under test, never waiting for ever.
: "${CTR:=/usr/bin/ctr}"
IMAGE=docker.io/library/busybox:test

source "$(dirname "${BASH_SOURCE[0]}")/leftovers.bash"

# wait_for SECONDS COMMAND…: until the command succeeds; fails the test after the deadline. That
# is for a machine with time: a busy one gets CTRD_PATIENCE times as much.
wait_for() {
  local end=$(($(date +%s) + $1 * ${CTRD_PATIENCE:-3}))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt $end ] || {
      echo "timed out waiting for: $*" >&2
      return 1
    }
    read -r -t 0.02 <> <(:) || true
  done
}

# One directory per test file; short, for the sockets' sake.
daemon_setup() {
  leftovers_watch
  D=$(mktemp -d /tmp/ctrd.XXXXXX)
  SOCK=$D/c.sock
  export D SOCK
  export CONTAINERD_ADDRESS=$SOCK
  unset CONTAINERD_NAMESPACE
}

daemon_config() {
  cat >"$D/config.toml" <<EOF
version = 2
root = "$D/root"
state = "$D/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "$SOCK"
[ttrpc]
  address = "$SOCK.ttrpc"
# No collection but the first one and those a test asks for: it would take what a test has just
# made. The next tick after a deletion is months away with this share of the time; GC_SHARE=0.02
# is what it is elsewhere.
[plugins."io.containerd.gc.v1.scheduler"]
  mutation_threshold = 1000000
  deletion_threshold = 1000000
  pause_threshold = ${GC_SHARE:-1e-9}
  startup_delay = "${GC_STARTUP:-100ms}"
EOF
}

# With CTRD_RUNTIME=crun, that is what shims find as "runc". crun 1.8 refuses the hybrid layout of
# cgroups while a controller sits on version 2; in a mount namespace of its own, with hugetlb
# mounted as version 1, none does.
crun_daemon() {
  mkdir -p "$D/bin"
  ln -sf "$(command -v crun)" "$D/bin/runc"
  cat >"$D/bin/daemon" <<END
#!/bin/sh
exec unshare -m sh -c 'if [ -d /sys/fs/cgroup/unified ]; then
  mount -t tmpfs none /mnt && mkdir /mnt/h && mount -t cgroup -o hugetlb none /mnt/h 2>/dev/null
  mkdir -p /sys/fs/cgroup/hugetlb 2>/dev/null && mount --bind /mnt/h /sys/fs/cgroup/hugetlb
  umount /sys/fs/cgroup/unified 2>/dev/null
fi; PATH=$D/bin:\$PATH exec $CTRD_DAEMON "\$@"' sh "\$@"
END
  chmod 755 "$D/bin/daemon"
  echo "$D/bin/daemon"
}

daemon_start() {
  local daemon=$CTRD_DAEMON
  [ -e "$D/config.toml" ] || daemon_config
  [ "${CTRD_RUNTIME:-runc}" = runc ] || daemon=$(crun_daemon)
  PATH="$CTRD_SHIM_DIR:$PATH" "$daemon" --config "$D/config.toml" >>"$D/log" 2>&1 3>&- &
  DAEMON_PID=$!
  echo $DAEMON_PID >"$D/pid"
  wait_for 20 daemon_answers
}

daemon_answers() {
  kill -0 "$(cat "$D/pid")" || return 0 # died: the next call says so
  "$CTR" version
}

daemon_kill9() {
  kill -9 "$(cat "$D/pid")"
  wait "$(cat "$D/pid")" 2>/dev/null || true
}

daemon_stop() {
  local pid
  pid=$(cat "$D/pid" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null || return 0
  wait_for 20 daemon_is_gone "$pid"
}

daemon_is_gone() {
  ! kill -0 "$1" 2>/dev/null || [ "$(awk '/^State:/ {print $2}' "/proc/$1/status")" = Z ]
}

# Shims of this daemon, by its socket in their arguments.
daemon_shims() {
  local exe
  for exe in /proc/[0-9]*/exe; do
    case $(readlink "$exe" 2>/dev/null) in
      */containerd-shim-runc-v2* | */containerd-shim-pod-v1*) tr '\0' ' ' <"${exe%/exe}/cmdline" 2>/dev/null | grep -q -- "-address $SOCK" && basename "${exe%/exe}" ;;
    esac
  done
  return 0
}

no_shims() {
  [ -z "$(daemon_shims)" ]
}

# Ends all tasks, also one that a monitor was just starting again; true when none is left.
daemon_is_empty() {
  local ns c
  for ns in $(timeout 20 "$CTR" namespaces ls -q 2>/dev/null); do
    for c in $(timeout 20 "$CTR" -n "$ns" tasks ls -q 2>/dev/null); do
      timeout 20 "$CTR" -n "$ns" tasks rm -f "$c" >/dev/null 2>&1 || true
    done
  done
  no_shims
}

# Ends tasks, daemon and shims that this test started, and removes mounts and files.
daemon_teardown() {
  local pid ns
  [ -n "${D:-}" ] || return 0
  if [ "${BATS_TEST_COMPLETED:-1}" != 1 ] && [ -e "$D/log" ]; then
    echo "--- daemon log" >&2
    tail -30 "$D/log" >&2
  fi
  if kill -0 "$(cat "$D/pid" 2>/dev/null)" 2>/dev/null; then
    wait_for 10 daemon_is_empty || true
  fi
  daemon_stop || kill -9 "$(cat "$D/pid")" 2>/dev/null || true
  for pid in $(daemon_shims); do
    for child in $(pgrep -P "$pid"); do kill -9 "$child" 2>/dev/null || true; done
    kill -9 "$pid" 2>/dev/null || true
  done
  grep " $D/" /proc/self/mounts | cut -d' ' -f2 | sort -r | xargs -r -n1 umount -l 2>/dev/null || true
  rm -rf "$D"
  leftovers_check
}

# make_image FILE [NAME]: an OCI archive of Debian's busybox.
make_image() {
  local file=$1 name=${2:-$IMAGE} w
  w=$(mktemp -d "$D/img.XXXX")
  local root=$w/rootfs oci=$w/oci
  mkdir -p "$root/bin" "$root/etc" "$root/proc" "$root/tmp" "$root/sys" "$root/dev" "$oci/blobs/sha256"
  cp /bin/busybox "$root/bin/busybox"
  for a in sh cat echo ls mount ps sleep hostname id env true false tty stty uname head wc dd kill test grep touch; do
    ln -sf busybox "$root/bin/$a"
  done
  printf 'root:x:0:0:root:/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\nuser:x:1000:\n' >"$root/etc/group"
  tar -C "$root" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$w/layer.tar" .
  local diff layer lsize config csize manifest msize
  diff=$(sha256sum "$w/layer.tar" | cut -d' ' -f1)
  gzip -n "$w/layer.tar"
  layer=$(sha256sum "$w/layer.tar.gz" | cut -d' ' -f1)
  lsize=$(stat -c %s "$w/layer.tar.gz")
  mv "$w/layer.tar.gz" "$oci/blobs/sha256/$layer"
  printf '{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin"],"Cmd":["/bin/sh"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$diff" >"$w/config.json"
  config=$(sha256sum "$w/config.json" | cut -d' ' -f1)
  csize=$(stat -c %s "$w/config.json")
  mv "$w/config.json" "$oci/blobs/sha256/$config"
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%s","size":%s}]}' \
    "$config" "$csize" "$layer" "$lsize" >"$w/manifest.json"
  manifest=$(sha256sum "$w/manifest.json" | cut -d' ' -f1)
  msize=$(stat -c %s "$w/manifest.json")
  mv "$w/manifest.json" "$oci/blobs/sha256/$manifest"
  printf '{"imageLayoutVersion":"1.0.0"}' >"$oci/oci-layout"
  printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s,"platform":{"architecture":"amd64","os":"linux"},"annotations":{"io.containerd.image.name":"%s","org.opencontainers.image.ref.name":"test"}}]}' \
    "$manifest" "$msize" "$name" >"$oci/index.json"
  tar -C "$oci" -cf "$file" oci-layout index.json blobs
  rm -rf "$w"
}
