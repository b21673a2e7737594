#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A daemon that is root in a user namespace only: nothing on the machine belongs to it, so its
# snapshots, its unpacking and its shims have to do with what such a root may.

setup() {
  load ../support/daemon
  [ "$(id -u)" = 0 ] || skip "needs root, to map a range of users"
  [ "$(cat /proc/sys/user/max_user_namespaces)" -gt 0 ] || skip "no user namespaces here"
  daemon_setup
  daemon_config
  # What is no daemon's own goes where the range may read and write.
  chmod 755 "$D"
  mkdir "$D/bin" "$D/root" "$D/state"
  chown 100000:100000 "$D/root"
  cp "$CTRD_BUILD"/{containerd,ctr,containerd-shim-runc-v2,containerd-layer-helper} "$D/bin"
  cp -P "$CTRD_BUILD"/libctrd.so "$CTRD_BUILD"/libctrd.so.? "$CTRD_BUILD"/libctrd.so.?.?.? "$D/bin"
  make_image "$D/busybox.tar"
  chmod 644 "$D/busybox.tar" "$D/config.toml"
  users_begin
}

teardown() {
  [ -z "${USERS_PID:-}" ] || kill "$USERS_PID" 2>/dev/null || true
  daemon_teardown
}

# A process in a user namespace of its own, whose users 0 to 65535 are ours from 100000 on.
users_begin() {
  setpriv --reuid 100000 --regid 100000 --clear-groups unshare --user sleep 600 3>&- &
  USERS_PID=$!
  wait_for 10 users_are_apart
  echo "0 100000 65536" >"/proc/$USERS_PID/uid_map"
  echo "0 100000 65536" >"/proc/$USERS_PID/gid_map"
}

users_are_apart() {
  [ "$(readlink "/proc/$USERS_PID/exe")" = "$(readlink -f "$(command -v sleep)")" ]
}

# As root of that namespace, in a machine of its own that ends with the command: memory for
# what is transient, a network without anybody.
as_its_root() {
  nsenter --user --target "$USERS_PID" unshare --mount --pid --fork --kill-child --net --ipc --mount-proc \
    bash -ec "mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs $D/state
      cd /; export PATH=$D/bin:\$PATH D=$D CONTAINERD_ADDRESS=$D/state/c.sock
      sed 's#$SOCK#$D/state/c.sock#' $D/config.toml >/run/config.toml
      $(declare -f serve)
      $1"
}

# Runs in there: the daemon, until it answers.
serve() {
  containerd --config /run/config.toml >/run/log 2>&1 &
  for i in $(seq 500); do
    if ctr version >/run/version 2>&1; then return 0; fi
    read -r -t 0.02 <> <(:) || true
  done
  cat /run/log
  return 1
}

@test "a daemon without rights on the machine unpacks an image and runs a container" {
  run timeout --foreground -k 5 120 bash -c "$(declare -f as_its_root serve); USERS_PID=$USERS_PID D=$D SOCK=$SOCK
    as_its_root '
      serve
      ctr images import $D/busybox.tar >/run/import
      ctr plugins ls | grep -E \"overlayfs +linux\"
      ctr run --rm --net-host --cgroup \"\" --cpu-shares 0 $IMAGE r1 sh -c \
        \"cat /proc/self/uid_map; echo made >/file; cat /file; rm /bin/busybox; ls /bin | grep -c busybox; exit 7\" ||
        echo \"status \$?\"
      ctr run -d --null-io --net-host --cgroup \"\" --cpu-shares 0 $IMAGE r2 sleep 1000
      ctr snapshots mounts /run/m r2
      ctr tasks exec --exec-id e r2 echo within
      ctr tasks kill -s KILL r2
      ctr tasks rm r2 || true
      ctr containers rm r2
    ' 2>&1"
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output =~ overlayfs\ +linux[^\ ]*\ +ok ]]
  [[ $output =~ 0\ +100000\ +65536 ]]
  [[ $output == *$'\nmade\n0\nstatus 7'* ]]
  # The kernel has no such attributes on tmpfs.
  [ "$(grep -c userxattr <<<"$output")" -eq "$([ "$(stat -f -c %T "$D/root")" = tmpfs ] && echo 0 || echo 1)" ]
  [[ $output == *$'\nwithin'* ]]
}
