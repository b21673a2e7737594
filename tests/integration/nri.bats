#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The Node Resource Interface, with a plugin of ours (nri/nri_plugin.c says what its words mean).

bats_require_minimum_version 1.5.0
setup() {
  load ../support/daemon
  CTR=$CTRD_BUILD/ctr
  PLUGIN=$CTRD_BUILD/tests/integration/nri/nri_plugin
  CTRD_SHIM_DIR=$CTRD_BUILD/tests/integration/pod:$CTRD_BUILD
  daemon_setup
  mkdir "$D/plugins" "$D/conf"
  PLUGINS=()
  FLAGS=()
}

teardown() {
  local pid
  for pid in "${PLUGINS[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  daemon_teardown
}

# nri_daemon [LINE…]: more lines for the table of the plugin.
nri_daemon() {
  daemon_config
  {
    echo '[plugins."io.containerd.nri.v1.nri"]'
    echo "  socket_path = \"$D/n/nri.sock\""
    echo "  plugin_path = \"$D/plugins\""
    echo "  plugin_config_path = \"$D/conf\""
    echo '  namespaces = ["default", "other"]'
    printf '%s\n' "$@"
  } >>"$D/config.toml"
  daemon_start
}

image() {
  make_image "$D/busybox.tar"
  "$CTR" images import "$D/busybox.tar" >/dev/null
}

# connect IDX NAME WORD…: its events go to $D/NAME.
connect() {
  local idx=$1 name=$2
  shift 2
  "$PLUGIN" "$D/n/nri.sock" "$idx" "$name" "log=$D/$name" "$@" 3>&- &
  PLUGINS+=($!)
}

# The same, until it takes part.
join() {
  connect "$@"
  wait_for 10 in_order "$1-$2"
}

in_order() {
  grep -q "plugin \\\\\"$1\\\\\" connected and synchronized" "$D/log"
}

has() {
  grep -q -- "$2" "$D/$1"
}

# run_container ID COMMAND…; FLAGS are those of ctr run.
run_container() {
  "$CTR" run -d "${FLAGS[@]}" "$IMAGE" "$@"
}

config_of() {
  jq -c "$2" "$D/state/io.containerd.runtime.v2.task/default/$1/config.json"
}

end_container() {
  "$CTR" tasks kill -s KILL "$1"
  wait_for 10 is_stopped "$1"
  "$CTR" tasks rm "$1" >/dev/null 2>&1 || true
}

is_stopped() {
  "$CTR" tasks ls | grep -q "^$1 .*STOPPED"
}

events() {
  awk '{print $1}' "$D/$1" | grep -v -e registered -e closed | uniq
}

@test "the socket is for root alone, and it is in the list of plugins" {
  nri_daemon
  [ "$(stat -c %a "$D/n")" = 700 ]
  [ "$(stat -c %F:%a "$D/n/nri.sock")" = socket:755 ]
  "$CTR" plugins ls | grep -q '^io.containerd.nri.v1 *nri *- *ok'
}

@test "a plugin that connects sees a container's life and changes it" {
  nri_daemon
  image
  join 10 one env=B=two env=-A annotation=x=y "mount=$D/plugins:/mnt/p" shares=77 memory=67108864
  FLAGS=(--env A=1)
  run_container c1 sleep 1000
  [ "$(config_of c1 .process.env)" = '["PATH=/bin","B=two"]' ]
  [ "$(config_of c1 '.annotations.x')" = '"y"' ]
  [ "$(config_of c1 '.linux.resources.cpu.shares')" = 77 ]
  [ "$(config_of c1 '[.linux.resources.memory.limit, .linux.resources.memory.swap]')" = '[67108864,67108864]' ]
  "$CTR" tasks exec --exec-id e1 c1 sh -c 'test -d /mnt/p && ! touch /mnt/p/x' 2>/dev/null
  "$CTR" tasks exec --exec-id e2 c1 grep -q B=two /proc/1/environ
  end_container c1
  wait_for 10 has one RemovePodSandbox
  run events one
  [ "${lines[*]}" = "Configure Synchronized RunPodSandbox CreateContainer ValidateContainerAdjustment PostCreateContainer StartContainer PostStartContainer StopContainer StopPodSandbox RemoveContainer RemovePodSandbox" ]
  has one 'Configure containerd v0.12.0 registration=5000 request=2000'
  has one 'CreateContainer pod=c1 container=c1 state=0 exit=0 pid=no'
  has one 'PostCreateContainer pod=c1 container=c1 state=1 exit=0 pid=yes'
  has one 'PostStartContainer pod=c1 container=c1 state=3 exit=0 pid=yes'
  has one 'StopContainer pod=c1 container=c1 state=4 exit=137 pid=yes'
}

@test "a container that ends by itself is told of, and other namespaces are not" {
  nri_daemon
  image
  join 10 one
  "$CTR" namespaces create elsewhere
  "$CTR" -n elsewhere images import "$D/busybox.tar" >/dev/null
  "$CTR" -n elsewhere run --rm "$IMAGE" hidden true
  run_container c1 sh -c 'exit 3'
  wait_for 10 has one 'StopContainer pod=c1 container=c1 state=4 exit=3'
  wait_for 10 has one 'StopPodSandbox pod=c1'
  run ! has one RemoveContainer
  "$CTR" tasks rm c1 || true
  wait_for 10 has one 'RemoveContainer pod=c1'
  run ! has one hidden
}

@test "installed plugins are started, in order, with their configuration" {
  cp "$PLUGIN" "$D/plugins/20-second"
  cp "$PLUGIN" "$D/plugins/10-first"
  echo not a program >"$D/plugins/README"
  echo "log=$D/first env=A=first" >"$D/conf/10-first.conf"
  echo "log=$D/second env=B=second" >"$D/conf/second.conf"
  nri_daemon
  image
  run_container c1 sleep 1000 # waits for them
  [ "$(config_of c1 '.process.env[1:]')" = '["A=first","B=second"]' ]
  has first 'CreateContainer pod=c1'
  grep -q 'plugin .*pre-connected:10-first' "$D/log"
  local pids
  pids=$(pgrep -f "^$D/plugins/")
  [ "$(wc -w <<<"$pids")" -eq 2 ]
  [ "$(tr '\0' '\n' <"/proc/${pids%%$'\n'*}/environ" | sort | tr '\n' ' ')" = "NRI_PLUGIN_IDX=10 NRI_PLUGIN_NAME=first NRI_PLUGIN_SOCKET=3 " ]
  end_container c1
  daemon_stop
  run ! pgrep -f "^$D/plugins/"
}

@test "an installed plugin that never registers is ended, and the next one works" {
  printf '#!/bin/sh\nexec sleep 1000\n' >"$D/plugins/10-sleeper"
  chmod 755 "$D/plugins/10-sleeper"
  cp "$PLUGIN" "$D/plugins/20-good"
  echo "log=$D/good" >"$D/conf/good.conf"
  nri_daemon '  plugin_registration_timeout = "300ms"'
  wait_for 10 has good Synchronized
  grep -q 'plugin registration timed out' "$D/log"
  run ! pgrep -f "^$D/plugins/10-sleeper"
}

@test "after a restart of the daemon plugins are told what runs" {
  nri_daemon
  image
  run_container c1 sleep 1000
  run_container c2 true
  daemon_kill9
  daemon_start
  join 10 one
  has one 'Synchronize pod=c1 container=-'
  has one 'Synchronize pod=- container=c1 state=3 exit=0 pid=yes'
  run ! has one 'container=c2'
  end_container c1
  wait_for 10 has one 'StopContainer pod=c1 container=c1'
}

@test "a daemon that takes over starts plugins anew" {
  cp "$PLUGIN" "$D/plugins/10-first"
  echo "log=$D/first" >"$D/conf/first.conf"
  nri_daemon
  image
  run_container c1 sleep 1000
  kill -USR2 "$(cat "$D/pid")"
  wait_for 30 grep -q 'another daemon has taken over' "$D/log"
  sed -n 's/.*another daemon has taken over.* process=\([0-9]*\).*/\1/p' "$D/log" >"$D/pid"
  wait_for 10 has first 'Synchronize pod=- container=c1 state=3'
  end_container c1
  wait_for 10 has first 'RemovePodSandbox pod=c1'
  [ "$(pgrep -fc "^$D/plugins/")" -eq 1 ]
}

@test "a plugin may update and evict other containers" {
  nri_daemon
  image
  run_container c1 sleep 1000
  run_container c2 sleep 1000
  join 10 one others=c1:55 evict=c2 ask=c1:66
  run_container c3 sleep 1000
  wait_for 10 is_stopped c2
  local group
  group=$(cgroup_of c1 cpu)
  [ "$(cat "$group")" = "$(weight 55)" ]
  kill -USR1 "${PLUGINS[0]}"
  wait_for 10 has one 'updated: yes'
  [ "$(cat "$group")" = "$(weight 66)" ]
}

# The file with the CPU share of a container.
cgroup_of() {
  local pid path
  pid=$("$CTR" tasks ls | awk -v id="$1" '$1 == id {print $2}')
  path=$(grep -E '^[0-9]+:([a-z,]*,)?cpu(,[a-z,]*)?:' "/proc/$pid/cgroup" | cut -d: -f3)
  if [ -n "$path" ]; then
    echo "$(awk '$3 == "cgroup" && $4 ~ /(^|,)cpu(,|$)/ {print $2; exit}' /proc/self/mounts)$path/cpu.shares"
  else
    path=$(grep '^0::' "/proc/$pid/cgroup" | cut -d: -f3)
    echo "$(awk '$3 == "cgroup2" {print $2; exit}' /proc/self/mounts)$path/cpu.weight"
  fi
}

weight() {
  case $group in
    *.shares) echo "$1" ;;
    *) echo $((1 + (($1 - 2) * 9999) / 262142)) ;;
  esac
}

@test "plugins that set the same thing fail the creation, and nothing is left" {
  nri_daemon
  image
  join 10 one annotation=x=1
  join 20 two annotation=x=2
  run run_container c1 sleep 1000
  [ "$status" -ne 0 ]
  [[ "$output" == *'failed to get NRI adjustment for container: plugins "20-two" and "10-one" both tried to set Annotations x'* ]]
  [ -z "$("$CTR" tasks ls -q)" ]
  wait_for 10 has one 'RemovePodSandbox pod=c1'
  has two 'RemoveContainer pod=c1'
}

@test "a plugin that refuses fails the call with its words" {
  nri_daemon
  image
  join 10 one refuse=CreateContainer
  run run_container c1 sleep 1000
  [ "$status" -ne 0 ]
  [[ "$output" == *"the test does not like CreateContainer"* ]]
  kill "${PLUGINS[0]}"
  wait_for 10 grep -q 'connection to plugin .*10-one.* closed' "$D/log"
  join 10 two refuse=StartContainer
  run run_container c2 sleep 1000
  [ "$status" -ne 0 ]
  [[ "$output" == *"NRI StartContainer failed: the test does not like StartContainer"* ]]
}

@test "plugins that hang, die or answer garbage are dropped, and nobody else suffers" {
  nri_daemon '  plugin_request_timeout = "400ms"'
  image
  join 50 good env=G=1
  local word n=0
  for word in hang=CreateContainer die=CreateContainer garbage=CreateContainer hang=PostStartContainer die=StopContainer; do
    n=$((n + 1))
    join "1$n" "bad$n" "$word"
    run_container "c$n" sleep 1000
    [ "$(config_of "c$n" '.process.env[-1]')" = '"G=1"' ]
    end_container "c$n"
    wait_for 10 grep -q "connection to plugin .*1$n-bad$n.* closed" "$D/log"
    wait_for 10 has good "RemovePodSandbox pod=c$n"
  done
  grep -q 'closing plugin 11-bad1, failed to handle CreateContainer request: .*context deadline exceeded' "$D/log"
}

@test "what is no plugin is thrown out" {
  nri_daemon '  plugin_registration_timeout = "400ms"' '  plugin_request_timeout = "400ms"'
  connect 10 silent silent
  connect 10 noise noise
  connect 10 long long
  wait_for 10 has silent 'thrown out'
  wait_for 10 has noise 'thrown out'
  wait_for 10 has long 'thrown out'
  connect 1x badidx
  wait_for 10 has badidx 'registered: invalid plugin index: invalid plugin index "1x" (not \[0-9\]\[0-9\])'
  connect 10 'bad name'
  wait_for 10 has 'bad name' "registered: invalid plugin name: invalid plugin name \"bad name\": contains invalid character ' '"
  connect 10 events events=0x4000
  wait_for 10 grep -q 'failed to configure plugin\|invalid plugin events: 0x4000' "$D/log"
  connect 10 hangs hang=Configure
  connect 10 sync hang=Synchronize
  wait_for 10 has hangs closed
  wait_for 10 has sync closed
  join 10 good
}

@test "it gets the events that it wants" {
  nri_daemon
  image
  join 10 one events=0x410 # PostCreateContainer, RemoveContainer
  run_container c1 sleep 1000
  end_container c1
  wait_for 10 has one 'RemoveContainer pod=c1'
  run events one
  [ "${lines[*]}" = "Configure Synchronized PostCreateContainer RemoveContainer" ]
}

@test "a plugin of an old kind gets StateChange instead" {
  nri_daemon
  image
  join 10 one old=RunPodSandbox old=PostCreateContainer old=RemoveContainer
  run_container c1 sleep 1000
  end_container c1
  wait_for 10 has one StateChange-11
  has one 'StateChange-1 pod=c1'
  has one 'StateChange-5 pod=c1 container=c1'
  "$CTR" deprecations list 2>/dev/null | grep -q nri-plugin-interface
}

@test "validators, built in or not, may refuse what others want" {
  nri_daemon '[plugins."io.containerd.nri.v1.nri".default_validator]' '  enable = true' '  required_plugins = ["one"]'
  image
  run run_container c1 sleep 1000
  [ "$status" -ne 0 ]
  [[ "$output" == *'validator "00-default-validator" rejected container adjustment, reason: validation error: required plugin "one" not present'* ]]
  "$CTR" containers rm c1
  join 10 one
  run_container c1 sleep 1000
  join 20 two 'reject=not so'
  run run_container c2 sleep 1000
  [ "$status" -ne 0 ]
  [[ "$output" == *'validator "20-two" rejected container adjustment, reason: not so'* ]]
  kill "${PLUGINS[1]}"
  wait_for 10 grep -q 'connection to plugin .*20-two.* closed' "$D/log"
  # One that names the event is missed, one that gets all events is not.
  join 30 three events=0x2000 die=ValidateContainerAdjustment
  run run_container c3 sleep 1000
  [ "$status" -ne 0 ]
  [[ "$output" == *'validator plugin 30-three failed: '* ]]
  join 40 four die=ValidateContainerAdjustment
  run_container c4 sleep 1000
}

@test "sandboxes are pods" {
  nri_daemon
  image
  join 10 one
  echo '{"ociVersion":"1.1.0","hostname":"pod"}' >"$D/pod.json"
  "$CTR" sandboxes run --runtime io.containerd.pod.v1 "$D/pod.json" pod1
  has one 'RunPodSandbox pod=pod1 container=-'
  "$CTR" run -d --runtime io.containerd.pod.v1 --sandbox pod1 "$IMAGE" c1 sleep 1000
  has one 'CreateContainer pod=pod1 container=c1'
  run ! has one 'RunPodSandbox pod=c1'
  end_container c1
  timeout 20 "$CTR" sandboxes rm -f pod1
  wait_for 10 has one 'RemovePodSandbox pod=pod1'
  [ "$(grep -c 'StopPodSandbox pod=pod1' "$D/one")" -eq 1 ]
}

@test "it can be switched off" {
  nri_daemon '  disable = true'
  [ ! -e "$D/n" ]
  "$CTR" plugins ls | grep -q '^io.containerd.nri.v1 *nri *- *ok'
  daemon_stop
  nri_daemon '  disable_connections = true'
  [ ! -e "$D/n/nri.sock" ]
}

@test "without a namespace to show, and without CRI, there is no socket" {
  daemon_config
  printf '[plugins."io.containerd.nri.v1.nri"]\n  socket_path = "%s/n/nri.sock"\n' "$D" >>"$D/config.toml"
  daemon_start
  [ ! -e "$D/n" ]
  daemon_stop
  sed -i 's/"io.containerd.grpc.v1.cri", //' "$D/config.toml"
  daemon_start
  wait_for 5 test -S "$D/n/nri.sock"
}
