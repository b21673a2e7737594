#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Our ctr and libctrd against Debian's containerd 1.6, side by side with Debian's ctr: where the
# reference (2.3) and 1.6 agree, both must print the same and end with the same status.

bats_require_minimum_version 1.5.0

use_debian() {
  CTRD_DAEMON=/usr/bin/containerd CTRD_SHIM_DIR=/usr/bin
  load ../support/daemon
  OURS=$CTRD_BUILD/ctr THEIRS=/usr/bin/ctr
}

setup_file() {
  [ -x /usr/bin/containerd ] && [ -x /usr/bin/ctr ] || skip "no containerd of Debian's"
  [ "$(id -u)" = 0 ] || skip "needs root"
  use_debian
  daemon_setup
  daemon_start
  make_image "$D/busybox.tar"
  # Runtimes keep their state by namespace and id, whatever the daemon.
  export CONTAINERD_NAMESPACE=ctr$$
  "$OURS" images import "$D/busybox.tar"
  # What nothing refers to any more is collected now, not between two lists of a test.
  "$OURS" leases create --id collect
  "$OURS" leases rm --sync collect
}

teardown_file() {
  use_debian
  daemon_teardown
}

setup() {
  use_debian
}

teardown() {
  local c
  for c in $("$THEIRS" tasks ls -q 2>/dev/null); do
    "$THEIRS" tasks rm -f "$c" >/dev/null 2>&1 || true
  done
  for c in $("$THEIRS" containers ls -q 2>/dev/null); do
    "$THEIRS" containers rm "$c" >/dev/null 2>&1 || true
  done
}

# same ARGUMENT…: stdout, stderr (without times) and status of both are equal.
same() {
  local ours=0 theirs=0
  "$OURS" "$@" >"$D/out.ours" 2>"$D/err.ours" </dev/null || ours=$?
  "$THEIRS" "$@" >"$D/out.theirs" 2>"$D/err.theirs" </dev/null || theirs=$?
  sed -i 's/^time="[^"]*"/time=T/' "$D/err.ours" "$D/err.theirs"
  diff -u "$D/out.theirs" "$D/out.ours"
  diff -u "$D/err.theirs" "$D/err.ours"
  [ "$ours" -eq "$theirs" ] || {
    echo "$*: status $ours, Debian's $theirs"
    return 1
  }
}

@test "images export: the same archive but for the index's media type, which 1.6 left out" {
  "$OURS" images tag "$IMAGE" docker.io/library/second:1
  "$OURS" images export "$D/export.ours.tar" "$IMAGE" docker.io/library/second:1
  "$THEIRS" images export "$D/export.theirs.tar" "$IMAGE" docker.io/library/second:1
  "$OURS" images rm docker.io/library/second:1
  mkdir "$D/export.ours" "$D/export.theirs"
  tar -C "$D/export.ours" -xf "$D/export.ours.tar"
  tar -C "$D/export.theirs" -xf "$D/export.theirs.tar"
  sed -i 's/"mediaType":"application.vnd.oci.image.index.v1+json",//' "$D/export.ours/index.json"
  diff -r "$D/export.ours" "$D/export.theirs"
  diff <(tar -tvf "$D/export.ours.tar" | grep -v index.json) <(tar -tvf "$D/export.theirs.tar" | grep -v index.json)
  "$OURS" images export - "$IMAGE" | tar -t | grep -q '^oci-layout$'
  "$OURS" images export --skip-manifest-json - "$IMAGE" | tar -t >"$D/names"
  [ -s "$D/names" ]
  run -1 grep -q manifest.json "$D/names"
  same images export "$D/x.tar"
  same images export "$D/x.tar" none
}

@test "content ingest goes on where an earlier try stopped" {
  for c in "$OURS" "$THEIRS"; do
    ref=resumed-$(basename "$(dirname "$c")")
    printf '%s' "0123456-$ref-rest" >"$D/whole"
    size=$(stat -c %s "$D/whole")
    run ! "$c" content ingest --expected-size "$size" "$ref" < <(head -c 7 "$D/whole")
    "$OURS" content active | grep -q "$ref"
    "$c" content ingest --expected-size "$size" "$ref" <"$D/whole"
    ! "$OURS" content active | grep -q "$ref" || return 1
    "$OURS" content get "sha256:$(sha256sum <"$D/whole" | cut -d' ' -f1)" | cmp - "$D/whole"
  done
}

@test "images mount and unmount print the same and leave nothing" {
  mkdir -p "$D/mnt"
  for args in "" --rw; do
    same images mount $args "$IMAGE" "$D/mnt"
    [ -x "$D/mnt/bin/busybox" ]
    same images unmount "$D/mnt"
    ! mountpoint -q "$D/mnt" || return 1
    "$OURS" leases ls -q | grep -qx "$D/mnt"
    same images unmount --rm "$D/mnt"
    [ -z "$("$OURS" leases ls -q | grep -x "$D/mnt")" ]
    [ -z "$("$OURS" snapshots ls | grep "$D/mnt")" ]
  done
  same images mount
  same images mount "$IMAGE"
  same images unmount
  same images mount none "$D/mnt"
  [ -z "$("$OURS" leases ls -q | grep -x "$D/mnt")" ]
}

@test "lists are the same, byte for byte" {
  "$OURS" namespaces create listed a=b
  "$OURS" leases create --id l1 x=y
  "$OURS" containers create "$IMAGE" c1 sleep 1000
  "$OURS" snapshots prepare s1
  same images ls
  same images ls -q
  same images ls "name==$IMAGE"
  same images check
  same content ls -q
  same snapshots ls
  same snapshots tree
  same snapshots usage
  same snapshots mounts /mnt s1
  same snapshots info s1
  same containers ls
  same containers ls -q
  same containers ls id==none
  same namespaces ls
  same namespaces ls -q
  same leases ls
  same leases ls -q
  same plugins ls
  same plugins ls -q
  same tasks ls
  "$OURS" snapshots rm s1
  "$OURS" leases rm l1
  "$OURS" namespaces rm listed
}

@test "tasks and processes are listed the same" {
  "$OURS" run -d "$IMAGE" t1 sleep 1000
  "$OURS" tasks exec -d --exec-id e1 t1 sleep 1000
  same tasks ls
  same tasks ls -q
  "$OURS" tasks pause t1
  same tasks ls
  "$OURS" tasks resume t1
  run "$OURS" tasks ps t1
  [[ "${lines[2]}" == *'exec_id:"e1"' ]]
}

@test "errors and their statuses are the same" {
  local none=sha256:0000000000000000000000000000000000000000000000000000000000000000
  same nosuch
  same images nosuch
  same run
  same run "$IMAGE"
  same run none x
  same run --rm -d "$IMAGE" x
  same run --with-ns x "$IMAGE" x2
  same run --cap-add CHOWN "$IMAGE" x3
  same containers create
  same containers info none
  same containers rm none
  same containers rm
  same tasks start none
  same tasks kill none
  same tasks kill -s foo none
  same tasks kill
  same tasks attach none
  same tasks rm none
  same tasks pause none
  same images rm none
  same images tag none x
  same images label
  same content get "$none"
  same content get sha256:00
  same content get x
  same content rm "$none"
  same content ingest
  same snapshots info none
  same snapshots rm none
  same snapshots mounts / none
  same snapshots --snapshotter none ls
  same namespaces create
  same -n "a b" images ls
  same leases rm none
}

@test "a record is printed the same" {
  "$OURS" containers create --label a=b --env X=1 --memory-limit 1000000 "$IMAGE" c2 sleep 1000
  "$OURS" containers info c2 | jq 'del(.SandboxID, .Extensions)' >"$D/ours"
  "$THEIRS" containers info c2 | jq 'del(.Extensions)' >"$D/theirs"
  diff -u "$D/theirs" "$D/ours"
  same containers info --spec c2
}

@test "the spec of a container differs from Debian's only where 2.3 differs from 1.6" {
  "$OURS" containers create --env A=b --cwd /tmp "$IMAGE" o1 sleep 5
  "$THEIRS" containers create --env A=b --cwd /tmp "$IMAGE" d1 sleep 5
  "$OURS" containers info --spec o1 | jq 'del(.ociVersion, .linux.cgroupsPath, .linux.maskedPaths)' >"$D/ours"
  "$THEIRS" containers info --spec d1 | jq 'del(.ociVersion, .linux.cgroupsPath, .linux.maskedPaths)' >"$D/theirs"
  diff -u "$D/theirs" "$D/ours"
}

@test "a docker archive becomes the same image" {
  local w=$D/docker layer config
  mkdir -p "$w/root" "$w/l1"
  echo x >"$w/root/file"
  tar -C "$w/root" --mtime=@0 -cf "$w/l1/layer.tar" .
  layer=$(sha256sum "$w/l1/layer.tar" | cut -d' ' -f1)
  printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$layer" >"$w/config"
  config=$(sha256sum "$w/config" | cut -d' ' -f1)
  mv "$w/config" "$w/$config.json"
  mkdir "$w/l2"
  ln -s ../l1/layer.tar "$w/l2/layer.tar"
  printf '[{"Config":"%s.json","RepoTags":["made:by-docker","other"],"Layers":["l2/layer.tar"]}]' "$config" >"$w/manifest.json"
  tar -C "$w" -cf "$D/docker.tar" "$config.json" l1 l2 manifest.json
  "$OURS" -n ours images import "$D/docker.tar"
  "$THEIRS" -n theirs images import "$D/docker.tar"
  diff <("$THEIRS" -n theirs images ls) <("$OURS" -n ours images ls)
  [ "$("$OURS" -n ours images ls -q)" = "$(printf 'docker.io/library/made:by-docker\ndocker.io/library/other:latest')" ]
}

@test "names given on import follow the same rules" {
  "$OURS" -n n1 images import --no-unpack --base-name host/x --digests "$D/busybox.tar"
  "$THEIRS" -n n2 images import --no-unpack --base-name host/x --digests "$D/busybox.tar"
  diff <("$THEIRS" -n n2 images ls -q) <("$OURS" -n n1 images ls -q)
}

@test "what is no archive, or a broken one, is refused" {
  echo nonsense >"$D/bad.tar"
  run "$OURS" images import "$D/bad.tar"
  [ "$status" -eq 1 ]
  mkdir -p "$D/e"
  echo 1 >"$D/e/file"
  tar -C "$D/e" -cf "$D/empty.tar" file
  run "$OURS" images import "$D/empty.tar"
  [ "$output" = "ctr: unrecognized image format" ]
  echo '{"imageLayoutVersion":"2.0.0"}' >"$D/e/oci-layout"
  tar -C "$D/e" -cf "$D/version.tar" oci-layout
  run "$OURS" images import "$D/version.tar"
  [ "$output" = "ctr: unsupported OCI version 2.0.0" ]
  echo '{"imageLayoutVersion":"1.0.0"}' >"$D/e/oci-layout"
  tar -C "$D/e" -cf "$D/noindex.tar" oci-layout
  run "$OURS" images import "$D/noindex.tar"
  [ "$output" = "ctr: missing index.json in OCI layout 1.0.0" ]
  echo '[{"Config":"../../etc/passwd","Layers":["../x"]}]' >"$D/e/manifest.json"
  tar -C "$D/e" -cf "$D/outside.tar" manifest.json
  run "$OURS" images import "$D/outside.tar"
  [ "$output" = 'ctr: image config "../../etc/passwd" not found' ]
  run "$OURS" images import
  [ "$output" = "ctr: open : no such file or directory" ]
}

@test "run: streams, status, --rm" {
  run --separate-stderr "$OURS" run --rm "$IMAGE" r1 sh -c 'echo out; echo err >&2; exit 7'
  [ "$status" -eq 7 ]
  [ "$output" = out ]
  [ "$stderr" = err ]
  [ "$("$OURS" containers ls -q)" = "" ]
  [ "$(echo hello | "$OURS" run --rm "$IMAGE" r2 cat)" = hello ]
  [ "$("$OURS" run --rm "$IMAGE" r3 dd if=/dev/zero bs=1M count=20 2>/dev/null | wc -c)" -eq $((20 * 1024 * 1024)) ]
  [ "$(head -c 3000000 /dev/zero | "$OURS" run --rm "$IMAGE" r4 wc -c)" -eq 3000000 ]
  run "$OURS" run --rm --null-io "$IMAGE" r5 echo lost
  [ "$status" -eq 0 ]
  [ "$output" = "" ]
}

@test "run: input that ends before the task is there ends for it, too" {
  local i
  for i in 1 2 3 4 5; do
    [ "$(echo short | timeout 30 "$OURS" run --rm "$IMAGE" "in$i" cat)" = short ]
  done
  "$OURS" run -d "$IMAGE" in6 sleep 1000
  [ "$(echo short | timeout 30 "$OURS" tasks exec --exec-id e1 in6 cat)" = short ]
}

@test "run: nothing stays behind, ten times over" {
  local i before
  before=$(ls /run/containerd/fifo 2>/dev/null | wc -l)
  for i in 1 2 3 4 5 6 7 8 9 10; do
    run "$OURS" run --rm "$IMAGE" "rr$i" sh -c "exit $i"
    [ "$status" -eq "$i" ]
  done
  [ "$("$OURS" containers ls -q)" = "" ]
  [ "$("$OURS" leases ls -q)" = "" ]
  [ "$("$OURS" snapshots ls | grep -c Active)" -eq 0 ]
  [ "$(ls /run/containerd/fifo 2>/dev/null | wc -l)" -le "$before" ]
}

@test "run: what the flags ask for" {
  run "$OURS" run --rm --user user "$IMAGE" f1 id
  [ "$output" = "uid=1000(user) gid=1000(user) groups=1000(user)" ]
  run "$OURS" run --rm --user 99999999999 "$IMAGE" f2 id
  [ "$output" = 'ctr: invalid USER value "99999999999": uid out of range' ]
  run "$OURS" run --rm --user nobody "$IMAGE" f3 id
  [ "$output" = "ctr: no users found" ]
  run "$OURS" run --rm --cwd /tmp --env A=b "$IMAGE" f4 sh -c 'pwd; echo $A'
  [ "$output" = "$(printf '/tmp\nb')" ]
  run "$OURS" run --rm --net-host "$IMAGE" f5 sh -c 'cat /etc/hosts; echo $HOSTNAME'
  [ "$output" = "$(cat /etc/hosts; hostname)" ]
  run "$OURS" run --rm --mount "type=bind,src=$D,dst=/host,options=rbind:ro" "$IMAGE" f6 sh -c 'ls /host/busybox.tar; touch /host/x'
  [[ "$output" == */host/busybox.tar* && "$output" == *"Read-only file system"* ]] # two streams, in any order
  run "$OURS" run --rm --read-only "$IMAGE" f7 touch /x
  [[ "$output" == *"Read-only file system"* ]]
  run "$OURS" run --rm --privileged "$IMAGE" f8 grep CapEff /proc/self/status
  [ "$output" = "$(grep CapEff /proc/self/status)" ]
  run "$OURS" run --rm --hostname box "$IMAGE" f9 hostname
  [ "$output" = box ]
  "$OURS" run -d --pid-file "$D/pidfile" --label a=b --label c "$IMAGE" f10 sleep 1000
  [ "$(cat "$D/pidfile")" = "$("$OURS" tasks ls | awk '$1 == "f10" {print $2}')" ]
  run "$OURS" containers label f10
  [[ "$output" == a=b,c=true,* ]]
  run "$OURS" run --rm --snapshotter native "$IMAGE" f11 echo native
  [ "$output" = native ]
}

# profile CTR FLAG…: the default seccomp profile, one line for each call of each rule.
profile() {
  local ctr=$1
  shift
  "$ctr" containers create --seccomp "$@" "$IMAGE" profiled
  "$ctr" containers info --spec profiled | jq -r '.linux.seccomp |
    .defaultAction, .architectures[], (.syscalls[] | . as $r | .names[] |
      "\(.) \($r.action) \($r.errnoRet // "") \($r.args // [] | tojson)")' | sort
  "$ctr" containers rm profiled
}

@test "run --seccomp: the profile differs from Debian's only where 2.3 differs from 1.6" {
  profile "$OURS" >"$D/ours"
  profile "$THEIRS" >"$D/theirs"
  grep -q '^clone3 SCMP_ACT_ERRNO 38 ' "$D/ours"
  # io_uring is out, sockets of two families too.
  cat >"$D/want" <<'EOF'
+cachestat SCMP_ACT_ALLOW  []
+fchmodat2 SCMP_ACT_ALLOW  []
+futex_requeue SCMP_ACT_ALLOW  []
+futex_wait SCMP_ACT_ALLOW  []
+futex_wake SCMP_ACT_ALLOW  []
+getxattrat SCMP_ACT_ALLOW  []
-io_uring_enter SCMP_ACT_ALLOW  []
-io_uring_register SCMP_ACT_ALLOW  []
-io_uring_setup SCMP_ACT_ALLOW  []
+listmount SCMP_ACT_ALLOW  []
+listxattrat SCMP_ACT_ALLOW  []
+lsm_get_self_attr SCMP_ACT_ALLOW  []
+lsm_list_modules SCMP_ACT_ALLOW  []
+lsm_set_self_attr SCMP_ACT_ALLOW  []
+map_shadow_stack SCMP_ACT_ALLOW  []
+mseal SCMP_ACT_ALLOW  []
+name_to_handle_at SCMP_ACT_ALLOW  []
+process_vm_readv SCMP_ACT_ALLOW  []
+process_vm_writev SCMP_ACT_ALLOW  []
+removexattrat SCMP_ACT_ALLOW  []
+setxattrat SCMP_ACT_ALLOW  []
-socket SCMP_ACT_ALLOW  []
+socket SCMP_ACT_ALLOW  [{"index":0,"value":38,"op":"SCMP_CMP_LT"}]
+socket SCMP_ACT_ALLOW  [{"index":0,"value":39,"op":"SCMP_CMP_EQ"}]
+socket SCMP_ACT_ALLOW  [{"index":0,"value":40,"op":"SCMP_CMP_GT"}]
+statmount SCMP_ACT_ALLOW  []
+uretprobe SCMP_ACT_ALLOW  []
EOF
  diff -u "$D/want" <(diff -U0 "$D/theirs" "$D/ours" | sed 1,2d | grep '^[+-]')
  # What capabilities add: but for the above, only these.
  local all
  all=$(awk -v q='--cap-add CAP_' '{print q $1}' <<<"DAC_READ_SEARCH
SYS_ADMIN
SYS_BOOT
SYS_MODULE
SYS_PACCT
SYS_PTRACE
SYS_RAWIO
SYS_TIME
SYS_TTY_CONFIG
SYS_NICE
SYSLOG
BPF
PERFMON")
  profile "$OURS" $all | diff "$D/ours" - >"$D/added.ours" || true
  profile "$THEIRS" $all | diff "$D/theirs" - >"$D/added.theirs" || true
  sed -i '/^[<>]/!d' "$D/added.ours" "$D/added.theirs"
  grep -q '^< clone3 ' "$D/added.ours"
  printf '%s\n' '-> name_to_handle_at SCMP_ACT_ALLOW  []' \
    '+> set_mempolicy_home_node SCMP_ACT_ALLOW  []' >"$D/want"
  diff -u "$D/want" <(diff -U0 "$D/added.theirs" "$D/added.ours" | sed 1,2d | grep '^[+-]')
}

@test "run --uidmap --gidmap: root inside is somebody else outside" {
  chmod 711 "$D"
  local how
  for how in --rm --remap-labels; do
    run "$OURS" run --rm "$how" --uidmap 0:100000:65536 --gidmap 0:200000:65536 "$IMAGE" mapped \
      sh -c 'cat /proc/self/gid_map; ls -ln / | grep bin; touch /bin/x && echo written'
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" =~ 0\ +200000\ +65536.*\ 0\ +0\ .*\ bin.*written ]]
  done
  run ! "$OURS" run --rm --uidmap 0:100000 --gidmap 0:1:1 "$IMAGE" mapped true
  [[ "$output" == *'the format `container-id:host-id:size`'* ]]
  run ! "$OURS" run --rm --uidmap 5:100000:5 --gidmap 0:1:1 "$IMAGE" mapped true
  [[ "$output" == *"owner 0:0 of "*" is in no mapping"* ]]
  [ -z "$("$OURS" snapshots ls | grep -e mapped -e -remap)" ]
}

@test "run --apparmor-default-profile: an error where the kernel has no AppArmor" {
  [ ! -e /sys/kernel/security/apparmor/profiles ] || skip "this kernel has it"
  run ! "$OURS" run --rm --apparmor-default-profile p1 "$IMAGE" armored true
  [[ "$output" == *"open /sys/kernel/security/apparmor/profiles: no such file or directory"* ]]
  run ! "$OURS" run --rm --apparmor-default-profile p1 --apparmor-profile p2 "$IMAGE" armored true
  [[ "$output" == *"apparmor-profile conflicts with apparmor-default-profile"* ]]
}

@test "run --seccomp: programs run, and calls that are not for containers fail" {
  same run --rm --seccomp "$IMAGE" s1 sh -c 'id; ls /; echo x >/tmp/x; cat /tmp/x; sleep 0 & wait'
  same run --rm --seccomp "$IMAGE" s2 grep Seccomp: /proc/self/status
  grep -q '2$' "$D/out.ours"
  same run --rm "$IMAGE" s3 grep Seccomp: /proc/self/status
  grep -q '0$' "$D/out.ours"
  # It is the profile that refuses, nothing else.
  "$OURS" run --rm "$IMAGE" s4 busybox unshare -U true
  same run --rm --seccomp "$IMAGE" s5 busybox unshare -U true
  [ "$(cat "$D/err.ours")" = "unshare: unshare(0x10000000): Operation not permitted" ]
  same run --rm --seccomp --cap-add CAP_SYS_ADMIN "$IMAGE" s6 busybox unshare -u true
  [ ! -s "$D/err.ours" ]
}

@test "run --seccomp: sockets of the kernel's crypto and of virtual machines are refused" {
  # Debian's own programs; with -e perl wants a /dev/null, which this root has not.
  run "$OURS" run --rm --seccomp --mount type=bind,src=/,dst=/host,options=bind:ro "$IMAGE" s7 \
    busybox chroot /host /usr/bin/perl - <<'EOF'
for (2, 38, 39, 40, 41) {
  $! = 0;
  socket(S, $_, 1, 0);
  print "$_ ", $! == 1 ? "no" : "yes", "\n";
}
EOF
  echo "$output"
  [ "$status" -eq 0 ]
  [ "$output" = "$(printf '%s\n' '2 yes' '38 no' '39 yes' '40 no' '41 yes')" ]
}

@test "run: devices by the Container Device Interface" {
  [ -n "${CTRD_PRIVATE:-}" ] || skip "would write to this machine's /var/run/cdi"
  mkdir -p /var/run/cdi
  cat >/var/run/cdi/card.yaml <<'EOF'
cdiVersion: "0.6.0"
kind: example.com/card
devices:
- name: zero
  containerEdits:
    env: [CARD=yes]
    deviceNodes: [{path: /dev/card0, hostPath: /dev/zero, permissions: r}]
EOF
  run "$OURS" run --rm --device example.com/card=zero "$IMAGE" cd1 sh -c 'head -c 1 /dev/card0 | wc -c; echo $CARD'
  [ "$(echo $output)" = "1 yes" ]
  run "$OURS" run --rm --device example.com/card=one "$IMAGE" cd2 true
  [ "$output" = "ctr: CDI device injection failed: unresolvable CDI devices example.com/card=one" ]
  rm -r /var/run/cdi
}

@test "run: signals are passed on" {
  "$OURS" run --rm "$IMAGE" s1 sh -c 'trap "echo got it; exit 9" TERM; echo ready; while :; do sleep 1; done' >"$D/s1" 3>&- &
  local pid=$!
  wait_for 20 grep -q ready "$D/s1"
  kill -TERM $pid
  status=0
  wait $pid || status=$?
  [ "$status" -eq 9 ]
  grep -q "got it" "$D/s1"
}

@test "run: a terminal is one, and its size follows ours" {
  run script -qec "stty rows 33 cols 77; '$OURS' run --rm -t '$IMAGE' tt1 sh -c 'until stty size | grep -q \"33 77\"; do sleep 0.1; done 2>/dev/null; stty size; tty; exit 3'" /dev/null
  [ "$status" -eq 3 ]
  [[ "$output" == *"33 77"* ]]
  [[ "$output" == *"/dev/pts/0"* || "$output" == *"/dev/console"* ]]
  run "$OURS" run --rm -t "$IMAGE" tt2 true
  [ "$output" = "ctr: provided file is not a console" ]
  run "$OURS" run --rm -t --null-io "$IMAGE" tt3 true
  [ "$status" -eq 1 ]
}

@test "containers create, tasks start, attach" {
  "$OURS" containers create "$IMAGE" a1 sh -c 'echo started; read x; echo "got $x"; exit 4'
  run "$OURS" tasks start a1 < <(echo word)
  [ "$status" -eq 4 ]
  [ "$output" = "$(printf 'started\ngot word')" ]
  "$OURS" containers create "$IMAGE" a2 sh -c 'read x; echo "got $x"; exit 5'
  "$OURS" tasks start -d a2
  run "$OURS" tasks attach a2 < <(echo attached)
  [ "$status" -eq 5 ]
  [ "$output" = "got attached" ]
  [ "$("$OURS" tasks ls -q)" = "" ]
}

@test "exec: streams, status, user, directory" {
  "$OURS" run -d "$IMAGE" x1 sleep 1000
  run "$OURS" tasks exec --exec-id e1 x1 sh -c 'echo in; exit 6'
  [ "$status" -eq 6 ]
  [ "$output" = in ]
  [ "$(echo piped | "$OURS" tasks exec --exec-id e2 x1 cat)" = piped ]
  run "$OURS" tasks exec --exec-id e3 --user user --cwd /tmp x1 sh -c 'id -u; pwd'
  [ "$output" = "$(printf '1000\n/tmp')" ]
  run "$OURS" tasks exec x1 true
  [ "$status" -eq 1 ]
  [[ "$output" == *'Required flag "exec-id" not set'* ]]
  run "$OURS" tasks exec --exec-id e4 x1 /no/such
  [ "$status" -eq 1 ]
  run "$OURS" tasks exec --exec-id e4 x1 true
  [ "$status" -eq 0 ]
}

@test "kill, rm: states are respected" {
  "$OURS" run -d "$IMAGE" k1 sh -c 'trap "exit 3" USR1; while :; do sleep 1; done'
  same tasks rm k1
  same containers rm k1
  "$OURS" tasks kill -s KILL k1
  wait_for 20 sh -c "'$OURS' tasks ls | grep -q STOPPED"
  run "$OURS" tasks rm k1
  [ "$status" -eq 0 ]
  [[ "$output" == *"task k1 exit with non-zero exit code 137"* ]]
  "$OURS" containers rm k1
  "$OURS" run -d "$IMAGE" k2 sleep 1000
  run "$OURS" tasks rm -f k2
  [ "$status" -eq 0 ]
}

@test "events: topics, order and payload" {
  "$OURS" events >"$D/events" 2>&1 3>&- &
  local pid=$!
  # Subscribed when the first event of ours arrives.
  wait_for 20 sh -c "'$OURS' namespaces label \$CONTAINERD_NAMESPACE tick=\$(date +%N); grep -q /namespaces/update '$D/events'"
  "$OURS" run --rm "$IMAGE" ev1 true
  wait_for 20 grep -q /containers/delete "$D/events"
  kill $pid
  run awk '$6 ~ "^/" && $0 ~ "ev1" {print $6}' "$D/events"
  [ "$(echo $output)" = "/snapshot/prepare /containers/create /tasks/create /tasks/start /tasks/exit /tasks/delete /snapshot/remove /containers/delete" ]
  grep '/tasks/exit' "$D/events" | head -1 | sed 's/^[^{]*//' | jq -e '.container_id == "ev1" and .exited_at.seconds > 0'
}

@test "content: ingest, labels, get, rm" {
  printf 'some bytes' >"$D/blob"
  local digest
  digest=sha256:$(sha256sum "$D/blob" | cut -d' ' -f1)
  "$OURS" content ingest --expected-digest "$digest" --expected-size 10 ref1 <"$D/blob"
  cmp <("$OURS" content get "$digest") "$D/blob"
  run "$OURS" content label "$digest" containerd.io/gc.root=x a=b
  [ "$output" = a=b,containerd.io/gc.root=x ]
  run "$OURS" content label "$digest" a=
  [ "$output" = containerd.io/gc.root=x ]
  run "$OURS" content rm "$digest"
  [ "$output" = "$digest" ]
  run "$OURS" content ingest --expected-size 3 ref2 <"$D/blob"
  [ "$status" -eq 1 ]
  run "$OURS" content active
  [[ "$output" == *ref2* ]]
}

@test "a daemon that is not there is told" {
  run "$OURS" -a "$D/none.sock" images ls
  [ "$status" -eq 1 ]
  [ "$output" = "ctr: cannot access socket $D/none.sock: stat $D/none.sock: no such file or directory" ]
  echo >"$D/file"
  run "$OURS" -a "$D/file" --connect-timeout 1s images ls
  [ "$status" -eq 1 ]
  [[ "$output" == "ctr: failed to dial \"$D/file\":"* ]]
}

@test "--timeout bounds the whole command" {
  "$OURS" run -d "$IMAGE" w1 sleep 1000
  run timeout 20 "$OURS" --timeout 1s tasks attach w1
  [ "$status" -eq 1 ]
  [[ "$output" == *"deadline exceeded"* ]]
}
