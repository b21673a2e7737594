#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Debian's unmodified ctr (containerd 1.6) against our daemon, shim and runc. Run with
# CTRD_DAEMON=/usr/bin/containerd CTRD_SHIM_DIR=/usr/bin to see what the original answers.

setup_file() {
  load ../support/daemon
  daemon_setup
  daemon_start
  make_image "$D/busybox.tar"
  "$CTR" images import "$D/busybox.tar"
}

teardown_file() {
  load ../support/daemon
  daemon_teardown
}

setup() {
  load ../support/daemon
}

teardown() {
  for c in $("$CTR" tasks ls -q 2>/dev/null); do
    "$CTR" tasks rm -f "$c" >/dev/null 2>&1 || true
  done
  for c in $("$CTR" containers ls -q 2>/dev/null); do
    "$CTR" containers rm "$c" >/dev/null 2>&1 || true
  done
}

@test "version: client and server answer" {
  run "$CTR" version
  [ "$status" -eq 0 ]
  [[ "$output" == *"Server:"* ]]
}

@test "plugins ls: what a client needs is ok" {
  run "$CTR" plugins ls
  [ "$status" -eq 0 ]
  for p in io.containerd.content.v1 io.containerd.metadata.v1 io.containerd.grpc.v1; do
    [[ "$output" == *"$p"* ]]
  done
  [ "$(echo "$output" | awk '$1 == "io.containerd.snapshotter.v1" && $2 == "overlayfs" {print $NF}')" = ok ]
}

@test "images import: the image is there with its digest" {
  run "$CTR" images ls
  [ "$status" -eq 0 ]
  [[ "$output" == *"$IMAGE"*"application/vnd.oci.image.manifest.v1+json"*"sha256:"*"linux/amd64"* ]]
  run "$CTR" images check "name==$IMAGE"
  [ "$status" -eq 0 ]
  [[ "$output" == *"complete (2/2)"* ]]
}

@test "images tag and rm" {
  run "$CTR" images tag "$IMAGE" docker.io/library/other:1
  [ "$status" -eq 0 ]
  [ "$output" = docker.io/library/other:1 ]
  run "$CTR" images tag "$IMAGE" docker.io/library/other:1
  [ "$status" -ne 0 ]
  [[ "$output" == *"already exists"* ]]
  run "$CTR" images rm docker.io/library/other:1
  [ "$output" = docker.io/library/other:1 ]
  run "$CTR" images rm docker.io/library/other:1
  [[ "$output" == *"not found"* ]]
}

@test "images label: set and clear" {
  run "$CTR" images label "$IMAGE" a=b
  [ "$status" -eq 0 ]
  run "$CTR" images ls "labels.a==b"
  [[ "$output" == *"$IMAGE"* ]]
  run "$CTR" images label "$IMAGE" a=
  run "$CTR" images ls -q "labels.a==b"
  [ "$output" = "" ]
}

@test "images export: what comes out can be imported again" {
  run "$CTR" images export "$D/out.tar" "$IMAGE"
  [ "$status" -eq 0 ]
  tar -tf "$D/out.tar" | grep -q index.json
  run "$CTR" -n elsewhere images import "$D/out.tar"
  [ "$status" -eq 0 ]
  [[ "$output" == *"$IMAGE"* ]]
  run "$CTR" -n elsewhere images rm --sync "$IMAGE"
  [ "$status" -eq 0 ]
}

@test "images mount and unmount" {
  mkdir -p "$D/mnt"
  run "$CTR" images mount "$IMAGE" "$D/mnt"
  [ "$status" -eq 0 ]
  [ -x "$D/mnt/bin/busybox" ]
  run "$CTR" images unmount --rm "$D/mnt"
  [ "$status" -eq 0 ]
}

@test "install: programs of an image, not over others" {
  mkdir -p "$D/programs"
  "$CTR" install --path "$D/programs" "$IMAGE"
  cmp "$D/programs/bin/busybox" /bin/busybox
  [ "$("$D/programs/bin/echo" installed)" = installed ]
  [ "$(ls "$D/programs")" = bin ]
  run "$CTR" install --path "$D/programs" "$IMAGE"
  [ "$status" -eq 1 ]
  [[ "$output" == *"cannot replace bin/"*" in $D/programs"* ]]
  "$CTR" install --replace --path "$D/programs" "$IMAGE"
}

@test "run: output and exit status come through" {
  run "$CTR" run --rm "$IMAGE" r1 sh -c 'echo out; echo err >&2; exit 7'
  [ "$status" -eq 7 ]
  [[ "$output" == *out* && "$output" == *err* ]]
  run "$CTR" containers ls -q
  [ "$output" = "" ]
}

@test "run: standard input reaches the container" {
  run timeout 20 bash -c "echo hello | '$CTR' run --rm '$IMAGE' r2 sh -c 'read x; echo \$x'"
  [ "$status" -eq 0 ]
  [ "$output" = hello ]
}

@test "run: 10 MB of output arrive whole" {
  # Debian's ctr reads no further once the task has ended: it is to end when all has arrived.
  mkfifo "$D/arrived"
  exec 7<>"$D/arrived"
  run timeout 60 bash -c "'$CTR' run --rm '$IMAGE' r3 sh -c 'dd if=/dev/zero bs=64k count=160; read x' 2>/dev/null <'$D/arrived' |
    { head -c 10485760 | wc -c && echo >&7; }"
  exec 7>&-
  [ "$status" -eq 0 ]
  [ "$output" -eq 10485760 ]
}

@test "run: env, cwd, hostname, memory limit and mounts" {
  mkdir -p "$D/share" && echo shared >"$D/share/f"
  run "$CTR" run --rm --env A=b --cwd /tmp --mount "type=bind,src=$D/share,dst=/share,options=rbind:ro" \
    "$IMAGE" r4 sh -c 'echo $A; pwd; cat /share/f; touch /share/x || echo read-only'
  [ "$status" -eq 0 ]
  [[ "$output" == *"b"*"/tmp"*"shared"*"read-only"* ]]
}

@test "run with a terminal" {
  run script -qec "'$CTR' run --rm -t '$IMAGE' r6 sh -c 'tty; exit 3'" /dev/null
  [[ "$output" == *"/dev/pts/0"* || "$output" == *"/dev/console"* ]]
  [ "$status" -eq 3 ]
}

@test "run -d, tasks ls, exec, kill, delete" {
  "$CTR" run -d "$IMAGE" d1 sleep 1000
  run "$CTR" tasks ls
  [[ "$output" == *"d1"*"RUNNING"* ]]
  run "$CTR" tasks exec --exec-id e1 d1 sh -c 'echo in exec; exit 5'
  [ "$status" -eq 5 ]
  [[ "$output" == *"in exec"* ]]
  run script -qec "'$CTR' tasks exec -t --exec-id e2 d1 tty" /dev/null
  [ "$status" -eq 0 ]
  [[ "$output" == *"/dev/pts/"* ]]
  run "$CTR" tasks ps d1
  [ "$status" -eq 0 ]
  [ "$(echo "$output" | wc -l)" -eq 2 ]
  run "$CTR" tasks kill -s KILL d1
  [ "$status" -eq 0 ]
  wait_for 10 bash -c "'$CTR' tasks ls | grep -q STOPPED"
  run "$CTR" tasks rm d1
  [ "$status" -eq 0 ] || [ "$status" -eq 137 ]
  run "$CTR" tasks ls -q
  [ "$output" = "" ]
}

@test "pause and resume" {
  "$CTR" run -d "$IMAGE" p1 sleep 1000
  run "$CTR" tasks pause p1
  [ "$status" -eq 0 ]
  run "$CTR" tasks ls
  [[ "$output" == *PAUSED* ]]
  run "$CTR" tasks resume p1
  [ "$status" -eq 0 ]
  run "$CTR" tasks ls
  [[ "$output" == *RUNNING* ]]
}

@test "tasks metrics" {
  "$CTR" run -d "$IMAGE" m1 sleep 1000
  run "$CTR" tasks metrics m1
  # Debian's shim cannot load the cgroups of a machine that mixes the versions as some do.
  [ "$CTRD_SHIM_DIR" = "$CTRD_BUILD" ] || ! grep -q "loading cgroup for" "$D/log" || skip "the old shim finds no cgroup"
  [ "$status" -eq 0 ]
  [[ "$output" == *"memory.usage"* ]]
  [[ "$output" == *"pids.current"* ]]
}

@test "containers: create, info, label, start, rm" {
  "$CTR" containers create "$IMAGE" c1 sleep 1000
  run "$CTR" containers ls
  [[ "$output" == *"c1"*"$IMAGE"*"io.containerd.runc.v2"* ]]
  run "$CTR" containers info c1
  [ "$(echo "$output" | jq -r .ID)" = c1 ]
  [ "$(echo "$output" | jq -r '.Spec.process.args[0]')" = sleep ]
  run "$CTR" containers label c1 x=y
  [ "$status" -eq 0 ]
  [[ "$("$CTR" containers info c1 | jq -r .Labels.x)" = y ]]
  run "$CTR" tasks start -d c1
  [ "$status" -eq 0 ]
  run "$CTR" containers rm c1
  [ "$status" -ne 0 ]
  "$CTR" tasks kill -s KILL c1
  wait_for 10 bash -c "'$CTR' tasks ls | grep -q STOPPED"
  "$CTR" tasks rm c1 || true
  run "$CTR" containers rm c1
  [ "$status" -eq 0 ]
  run "$CTR" containers info c1
  [ "$status" -ne 0 ]
  [[ "$output" == *'container "c1" in namespace "default": not found'* ]]
}

@test "a container that is there already is refused" {
  "$CTR" containers create "$IMAGE" c2 true
  run "$CTR" containers create "$IMAGE" c2 true
  [ "$status" -ne 0 ]
  [[ "$output" == *"already exists"* ]]
}

@test "run -d without any stdio" {
  "$CTR" run -d --null-io "$IMAGE" a1 sleep 1000
  run "$CTR" tasks ls
  [[ "$output" == *RUNNING* ]]
}

@test "content: ls, get, label, rm" {
  run "$CTR" content ls -q
  [ "$(echo "$output" | wc -l)" -eq 3 ]
  digest=$(echo "$output" | head -1)
  run bash -c "'$CTR' content get $digest | sha256sum"
  [ "sha256:${output%% *}" = "$digest" ]
  run "$CTR" content label "$digest" k=v
  [ "$status" -eq 0 ]
  run "$CTR" content ls "labels.k==v"
  [[ "$output" == *"$digest"* ]]
  run "$CTR" content get sha256:0000000000000000000000000000000000000000000000000000000000000000
  [ "$status" -ne 0 ]
  [[ "$output" == *"not found"* ]]
}

@test "content: ingest, and bad digests are refused" {
  printf hello >"$D/blob"
  d=sha256:$(sha256sum "$D/blob" | cut -d' ' -f1)
  run "$CTR" content ingest --expected-digest "$d" --expected-size 5 ref1 <"$D/blob"
  [ "$status" -eq 0 ]
  run "$CTR" content get "$d"
  [ "$output" = hello ]
  run bash -c "echo other | '$CTR' content ingest --expected-digest sha256:1111111111111111111111111111111111111111111111111111111111111111 ref2"
  [ "$status" -ne 0 ]
  [[ "$output" == *"unexpected commit digest"* ]]
  run "$CTR" content rm "$d"
  [ "$status" -eq 0 ]
}

@test "snapshots: ls, tree, mounts, info, prepare, commit, rm" {
  run "$CTR" snapshots ls
  [ "$status" -eq 0 ]
  base=$(echo "$output" | awk '$NF == "Committed" {print $1; exit}')
  [[ "$base" == sha256:* ]]
  run "$CTR" snapshots prepare s1 "$base"
  [ "$status" -eq 0 ]
  run "$CTR" snapshots mounts "$D/m" s1
  [[ "$output" == "mount -t overlay overlay $D/m -o "* ]]
  run "$CTR" snapshots tree
  [[ "$output" == *"$base"*"s1"* ]]
  run "$CTR" snapshots info s1
  [ "$(echo "$output" | jq -r .Kind)" = Active ]
  [ "$(echo "$output" | jq -r .Parent)" = "$base" ]
  run "$CTR" snapshots commit s2 s1
  [ "$status" -eq 0 ]
  run "$CTR" snapshots info s2
  [ "$(echo "$output" | jq -r .Kind)" = Committed ]
  run "$CTR" snapshots rm "$base"
  [ "$status" -ne 0 ]
  [[ "$output" == *"cannot remove snapshot with child: failed precondition"* ]]
  run "$CTR" snapshots rm s2
  [ "$status" -eq 0 ]
  run "$CTR" snapshots usage "$base"
  [[ "$output" == *"$base"* ]]
}

@test "snapshots diff makes a layer" {
  base=$("$CTR" snapshots ls | awk '$NF == "Committed" {print $1; exit}')
  "$CTR" snapshots prepare w1 "$base"
  eval "mkdir -p $D/w; $("$CTR" snapshots mounts "$D/w" w1)"
  echo new >"$D/w/new-file"
  rm "$D/w/etc/group"
  umount "$D/w"
  "$CTR" snapshots diff "$base" w1 >"$D/diff.tgz"
  run tar -tzf "$D/diff.tgz"
  [[ "$output" == *"new-file"* ]]
  [[ "$output" == *"etc/.wh.group"* ]]
  "$CTR" snapshots rm w1
}

@test "namespaces: create, ls, label, rm" {
  run "$CTR" namespaces create n1 a=b
  [ "$status" -eq 0 ]
  run "$CTR" namespaces ls
  [[ "$output" == *"n1"*"a=b"* ]]
  run "$CTR" namespaces label n1 c=d
  run "$CTR" namespaces ls
  [[ "$output" == *"c=d"* ]]
  run "$CTR" namespaces create n1
  [ "$status" -ne 0 ]
  [[ "$output" == *"already exists"* ]]
  run "$CTR" namespaces create 'bad/name'
  [ "$status" -ne 0 ]
  [[ "$output" == *"must match"* ]]
  run "$CTR" namespaces rm n1
  [ "$status" -eq 0 ]
  run "$CTR" namespaces rm default
  [ "$status" -ne 0 ]
  [[ "$output" == *"must be empty"* ]]
}

@test "leases: create, ls, rm" {
  run "$CTR" leases create --id l1 a=b
  [ "$status" -eq 0 ]
  [[ "$output" == l1* ]]
  run "$CTR" leases ls
  [[ "$output" == *l1* ]]
  run "$CTR" leases rm l1
  [ "$status" -eq 0 ]
  run "$CTR" leases rm l1
  [[ "$output" == *"not found"* ]]
}

@test "events: a run shows its topics in order" {
  "$CTR" events >"$D/ev" 2>&1 3>&- &
  ev=$!
  # The subscription is there once an event of ours is seen.
  seen() { "$CTR" namespaces label default t=$RANDOM && grep -q /namespaces/update "$D/ev"; }
  wait_for 10 seen
  "$CTR" run --rm "$IMAGE" ev1 true
  wait_for 10 grep -q "/containers/delete" "$D/ev"
  kill $ev
  topics=$(grep -o ' /[a-z]*/[a-z-]* ' "$D/ev" | tr -d ' ' | grep -E 'tasks|containers' | tr '\n' ' ')
  [[ "$topics" == *"/containers/create /tasks/create /tasks/start /tasks/exit /tasks/delete /containers/delete"* ]]
}

@test "a missing image and a missing runtime are named" {
  run "$CTR" run --rm docker.io/library/none:1 x1
  [ "$status" -ne 0 ]
  [[ "$output" == *"image \"docker.io/library/none:1\": not found"* ]]
  run "$CTR" run --rm --runtime io.containerd.nonesuch.v9 "$IMAGE" x2 true
  [ "$status" -ne 0 ]
  [[ "$output" == *"containerd-shim-nonesuch-v9"* ]]
  run "$CTR" containers ls -q
  [ "$output" = "x2" ] || [ "$output" = "" ]
}

@test "a program that is not there is an error, and leaves no task" {
  run "$CTR" run --rm "$IMAGE" x3 /no/such/program
  [ "$status" -ne 0 ]
  [[ "${output,,}" == *"no such file or directory"* ]] # crun says "No"
  run "$CTR" tasks ls -q
  [ "$output" = "" ]
}

@test "kill all and signals by name and number" {
  "$CTR" run -d "$IMAGE" k1 sh -c 'trap "exit 9" TERM; while :; do sleep 0.1; done'
  wait_for 5 bash -c "[ \$('$CTR' tasks ps k1 | wc -l) -gt 2 ]"
  run "$CTR" tasks kill k1
  [ "$status" -eq 0 ]
  wait_for 10 bash -c "'$CTR' tasks ls | grep -q STOPPED"
  run "$CTR" tasks rm k1
  [[ "$status" -eq 9 || "$status" -eq 0 ]]
}
