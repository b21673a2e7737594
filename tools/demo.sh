#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The whole path on one screen: a private daemon, an image, a container, an exec, what there is to
# see, what it costs; then everything is removed again. Usage: demo.sh BUILD
set -eu
build=$(realpath "$1")
tmp=$(mktemp -d /tmp/ctrd-demo.XXXXXX)
export CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1
export PATH="$build:$PATH" CONTAINERD_ADDRESS="$tmp/c.sock" CONTAINERD_NAMESPACE=demo
daemon=
events=
bold() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() {
  printf '\033[36m$ %s\033[0m\n' "$*"
  "$@"
}

cleanup() {
  status=$?
  set +e
  if [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null; then
    for c in $(ctr tasks ls -q 2>/dev/null); do
      ctr tasks kill -s KILL "$c" >/dev/null 2>&1
      ctr tasks rm -f "$c" >/dev/null 2>&1
    done
  fi
  [ -n "$events" ] && kill "$events" 2>/dev/null
  [ -n "$daemon" ] && kill "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null
  grep " $tmp" /proc/self/mounts | cut -d' ' -f2 | sort -r | xargs -r -n1 umount -l
  if [ $status -ne 0 ]; then
    echo "demo failed; the daemon's last words:"
    tail -20 "$tmp/log"
  fi
  rm -rf "$tmp"
  exit $status
}
trap cleanup EXIT

make_image() {
  # An OCI image layout of one layer: Debian's busybox and its links.
  local root="$tmp/rootfs" oci="$tmp/oci"
  mkdir -p "$root/bin" "$root/etc" "$root/proc" "$root/tmp" "$oci/blobs/sha256"
  cp /bin/busybox "$root/bin/busybox"
  for applet in sh cat echo ls mount ps sleep hostname id env true tty stty uname; do
    ln -sf busybox "$root/bin/$applet"
  done
  echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
  tar -C "$root" --sort=name --owner=0 --group=0 --numeric-owner -cf "$tmp/layer.tar" .
  local diff_id layer layer_size config config_size manifest manifest_size
  diff_id=$(sha256sum "$tmp/layer.tar" | cut -d' ' -f1)
  gzip -n "$tmp/layer.tar"
  layer=$(sha256sum "$tmp/layer.tar.gz" | cut -d' ' -f1)
  layer_size=$(stat -c %s "$tmp/layer.tar.gz")
  cp "$tmp/layer.tar.gz" "$oci/blobs/sha256/$layer"
  printf '{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin"],"Cmd":["/bin/sh"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$diff_id" >"$tmp/config.json"
  config=$(sha256sum "$tmp/config.json" | cut -d' ' -f1)
  config_size=$(stat -c %s "$tmp/config.json")
  cp "$tmp/config.json" "$oci/blobs/sha256/$config"
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%s","size":%s}]}' \
    "$config" "$config_size" "$layer" "$layer_size" >"$tmp/manifest.json"
  manifest=$(sha256sum "$tmp/manifest.json" | cut -d' ' -f1)
  manifest_size=$(stat -c %s "$tmp/manifest.json")
  cp "$tmp/manifest.json" "$oci/blobs/sha256/$manifest"
  printf '{"imageLayoutVersion":"1.0.0"}' >"$oci/oci-layout"
  printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s,"platform":{"architecture":"amd64","os":"linux"},"annotations":{"io.containerd.image.name":"docker.io/library/busybox:demo","org.opencontainers.image.ref.name":"demo"}}]}' \
    "$manifest" "$manifest_size" >"$oci/index.json"
  tar -C "$oci" -cf "$tmp/busybox.tar" oci-layout index.json blobs
}

[ "$(id -u)" = 0 ] || { echo "make demo needs root: it mounts and makes containers"; exit 1; }
image=docker.io/library/busybox:demo

bold "1. An image, from Debian's busybox-static"
make_image
ls -l "$tmp/busybox.tar" | awk '{print $5, "bytes:", $9}'

bold "2. The daemon"
mkdir -p "$tmp/cfg"
printf 'version = 3\nroot = "%s/root"\nstate = "%s/state"\n[grpc]\n  address = "%s"\n' "$tmp" "$tmp" "$CONTAINERD_ADDRESS" >"$tmp/cfg/config.toml"
start=$(date +%s%N)
containerd --config "$tmp/cfg/config.toml" >"$tmp/log" 2>&1 &
daemon=$!
for _ in $(seq 200); do
  ctr version >/dev/null 2>&1 && break
  kill -0 $daemon
  read -r -t 0.01 <> <(:) || true
done
echo "serving after $((($(date +%s%N) - start) / 1000000)) ms (with the first ctr)"
run ctr version
ctr events >"$tmp/events" 2>/dev/null &
events=$!

bold "3. Import, and what it made"
run ctr images import "$tmp/busybox.tar"
run ctr images ls
run ctr content ls
run ctr snapshots ls

bold "4. A container says hello, and shows its world"
run ctr run --rm $image hello sh -c '
  echo "hello from inside, as $(id)"
  echo "-- processes"; ps
  echo "-- mounts"; mount | head -8
  echo "-- cgroup"; cat /proc/self/cgroup | head -4'

bold "5. A detached one, and an exec with a terminal"
run ctr run -d --memory-limit 67108864 $image sleeper sleep 1000
run ctr tasks ls
if command -v script >/dev/null; then
  printf '\033[36m$ %s\033[0m\n' "ctr tasks exec -t --exec-id e1 sleeper sh -c 'tty; stty size; ps'"
  script -qec "ctr tasks exec -t --exec-id e1 sleeper sh -c 'tty; stty size; ps'" /dev/null </dev/null
fi
run ctr tasks pause sleeper
run ctr tasks ls
run ctr tasks resume sleeper
run ctr tasks metrics sleeper | head -12
run ctr snapshots tree
run ctr containers ls

bold "6. Plugins"
run ctr plugins ls

bold "7. What it costs"
pss() { awk '/^Pss:/ {print $2 " KiB"}' "/proc/$1/smaps_rollup"; }
threads() { ls "/proc/$1/task" | wc -l; }
echo "daemon: $(pss $daemon) PSS, $(threads $daemon) threads"
for pid in $(ctr tasks ls | awk 'NR > 1 {print $2}'); do
  shim=$(awk '/^PPid:/ {print $2}' "/proc/$pid/status")
  echo "shim:   $(pss "$shim") PSS, $(threads "$shim") thread"
done

bold "8. Stop, remove, and the events that passed"
run ctr tasks kill -s KILL sleeper
for _ in $(seq 300); do
  ctr tasks ls | grep -q RUNNING || break
  read -r -t 0.01 <> <(:) || true
done
run ctr tasks rm sleeper || true
run ctr containers rm sleeper
run ctr images rm --sync $image
cut -c1-150 "$tmp/events"
kill $events && wait $events 2>/dev/null || true
events=
kill $daemon
wait $daemon
daemon=
bold "Done; nothing is left."
