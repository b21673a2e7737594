#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The restart monitor (reference 02 §8.2), by labels of containers.

setup() {
  load ../support/daemon
  daemon_setup
  daemon_config
  printf '[plugins."io.containerd.internal.v1.restart"]\n  interval = "3s"\n' >>"$D/config.toml"
  daemon_start
  make_rootfs
}

# A directory to run in: no part of the image path is needed here.
make_rootfs() {
  ROOTFS=$D/rootfs
  mkdir -p "$ROOTFS/bin" "$ROOTFS/proc" "$ROOTFS/dev" "$ROOTFS/sys" "$ROOTFS/run" "$ROOTFS/etc"
  cp /bin/busybox "$ROOTFS/bin/busybox"
  for a in sh sleep true false echo; do
    ln -sf busybox "$ROOTFS/bin/$a"
  done
}

teardown() {
  # or it starts again what the teardown ends
  for c in $("$CTR" containers ls -q); do
    "$CTR" containers label "$c" containerd.io/restart.status= containerd.io/restart.policy= || true
  done
  daemon_teardown
}

# labelled NAME POLICY ARG…
labelled() {
  local name=$1 policy=$2
  shift 2
  "$CTR" run -d --label containerd.io/restart.status=running \
    --label "containerd.io/restart.policy=$policy" $MORE --env PATH=/bin --rootfs "$ROOTFS" "$name" "$@"
}

pid_of() {
  "$CTR" tasks ls | awk -v n="$1" '$1 == n && $3 == "RUNNING" {print $2}'
}

runs_anew() { # NAME OLD-PID
  local now
  now=$(pid_of "$1")
  [ -n "$now" ] && [ "$now" != "$2" ]
}

label_of() {
  "$CTR" containers info "$1" | grep -o "\"containerd.io/restart.$2\": \"[^\"]*\"" | cut -d'"' -f4
}

has_count() {
  [ "$(label_of "$1" count)" = "$2" ]
}

@test "always: a killed task runs again, and the count says how often" {
  labelled a always sleep 1000
  wait_for 5 pid_of a
  for n in 1 2; do
    pid=$(pid_of a)
    "$CTR" tasks kill -s KILL a
    wait_for 6 runs_anew a "$pid"
    has_count a $n
  done
}

@test "on-failure: not after exit 0, and no more often than it says" {
  labelled good on-failure true
  labelled bad on-failure:1 false
  labelled witness always sleep 1000
  wait_for 10 has_count bad 1
  # two more looks: the witness is started in a later one
  for n in 1 2; do
    pid=$(pid_of witness)
    "$CTR" tasks kill -s KILL witness
    wait_for 8 runs_anew witness "$pid"
  done
  has_count bad 1
  has_count good ""
}

@test "no, an unknown policy, and unless-stopped that was stopped: stay as they are" {
  labelled none no true
  labelled odd often true
  MORE="--label containerd.io/restart.explicitly-stopped=true" labelled ended unless-stopped true
  labelled witness unless-stopped sleep 1000
  for n in 1 2; do
    pid=$(pid_of witness)
    "$CTR" tasks kill -s KILL witness
    wait_for 8 runs_anew witness "$pid"
  done
  for c in none odd ended; do
    has_count $c ""
    [ -z "$(pid_of $c)" ]
  done
  grep -q 'restart policy .*often.* not supported' "$D/log"
}

@test "desired stopped: the task is ended and deleted" {
  labelled s always sleep 1000
  "$CTR" containers label s containerd.io/restart.status=stopped
  wait_for 8 bash -c "! '$CTR' tasks ls -q | grep -q s"
}

@test "a paused task is left alone, a deleted one comes back" {
  labelled p always sleep 1000
  pid=$(pid_of p)
  "$CTR" tasks pause p
  labelled d always sleep 1000
  "$CTR" tasks rm -f d || true
  wait_for 8 runs_anew d none
  [ "$("$CTR" tasks ls | awk '$1 == "p" {print $2 $3}')" = "${pid}PAUSED" ]
  "$CTR" tasks resume p
}

@test "the log URI is where the new task writes" {
  MORE="--label containerd.io/restart.loguri=file://$D/out.log" labelled l always sh -c 'echo hello; sleep 1000'
  pid=$(pid_of l)
  "$CTR" tasks kill -s KILL l
  wait_for 6 runs_anew l "$pid"
  wait_for 5 grep -q hello "$D/out.log"
}

@test "a crash loop is held back to one start per interval" {
  labelled c always false
  wait_for 15 has_count c 2
  start=$(date +%s%N)
  wait_for 15 has_count c 4
  [ $((($(date +%s%N) - start) / 1000000)) -ge 4500 ]
}

@test "kill -9 of the daemon: what runs is not restarted, what ended meanwhile is" {
  labelled k always sleep 1000
  labelled e always sleep 1000
  pid=$(pid_of k)
  daemon_kill9
  kill -9 "$(pgrep -P "$(daemon_shims | tail -1)" | head -1)"
  daemon_start
  wait_for 10 bash -c "[ \$('$CTR' tasks ls | grep -c RUNNING) = 2 ]"
  wait_for 10 bash -c "'$CTR' containers info e | grep -q restart.count || '$CTR' containers info k | grep -q restart.count"
  counts=$("$CTR" containers info e; "$CTR" containers info k)
  [ "$(grep -c restart.count <<<"$counts")" = 1 ]
}

@test "labels of an image are not trusted (CVE-2026-53488)" {
  [ -x "$CTRD_BUILD/ctr" ] || skip "needs our ctr"
  make_image "$D/busybox.tar"
  mkdir -p "$D/x/oci"
  tar -C "$D/x/oci" -xf "$D/busybox.tar"
  python3 - "$D/x/oci" <<'PY'
import hashlib, json, os, sys
d = sys.argv[1]
def load(digest): return json.load(open(f"{d}/blobs/sha256/{digest}"))
def save(o):
    b = json.dumps(o).encode(); h = hashlib.sha256(b).hexdigest()
    open(f"{d}/blobs/sha256/{h}", "wb").write(b); return "sha256:" + h, len(b)
i = json.load(open(f"{d}/index.json"))
m = load(i["manifests"][0]["digest"][7:])
c = load(m["config"]["digest"][7:])
c["config"]["Labels"] = {"containerd.io/restart.status": "running", "containerd.io/restart.loguri": "binary:///bin/touch?" + d + "/pwned", "kept": "yes"}
m["config"]["digest"], m["config"]["size"] = save(c)
i["manifests"][0]["digest"], i["manifests"][0]["size"] = save(m)
i["manifests"][0]["annotations"]["io.containerd.image.name"] = "docker.io/library/evil:test"
json.dump(i, open(f"{d}/index.json", "w"))
PY
  tar -C "$D/x/oci" -cf "$D/evil.tar" .
  "$CTRD_BUILD/ctr" images import "$D/evil.tar" ||
    skip "no Diff service yet"
  "$CTRD_BUILD/ctr" run -d docker.io/library/evil:test evil true
  labelled witness always sleep 1000
  for n in 1 2; do
    pid=$(pid_of witness)
    "$CTR" tasks kill -s KILL witness
    wait_for 8 runs_anew witness "$pid"
  done
  run "$CTR" containers info evil
  [[ "$output" == *kept* ]]
  [[ "$output" != *restart.* ]]
  [ ! -e "$D/x/oci/pwned" ]
}

# rss_of PID: KiB mapped and present, as if nobody else used what it shares: an upper bound of PSS.
rss_of() {
  awk '/^Rss:/ {print $2}' "/proc/$1/smaps_rollup"
}

@test "nobody uses the labels: the daemon sleeps, it and the shim hold little" {
  "$CTR" run -d --env PATH=/bin --rootfs "$ROOTFS" plain sleep 1000
  # the look that the new record made due, and the end of idle workers
  sleep 15
  before=$(awk '/^voluntary_ctxt/ {n += $2} END {print n}' /proc/"$(cat "$D/pid")"/task/*/status)
  sleep 8
  after=$(awk '/^voluntary_ctxt/ {n += $2} END {print n}' /proc/"$(cat "$D/pid")"/task/*/status)
  echo "$before $after"
  [ "$after" -le $((before + 1)) ]
  ! grep -qE '__[at]san_init' "$CTRD_DAEMON" || skip "sanitizers have memory of their own"
  daemon=$(rss_of "$(cat "$D/pid")") shim=$(rss_of "$(daemon_shims)")
  echo "daemon $daemon KiB, shim $shim KiB"
  # 1,300 and 950 when this was written; without process_rest(): 4,000 and 2,100
  [ "$daemon" -le 2048 ]
  [ "$shim" -le 1400 ]
}
