#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# dockerd 20.10, unmodified, with --containerd at our socket: what its users do every day.

bats_require_minimum_version 1.5.0

setup_file() {
  load ../support/daemon
  [ -x /usr/sbin/dockerd ] || skip "no dockerd on this machine"
  daemon_setup
  daemon_start
  ip link add name "dk$$" type bridge 2>/dev/null && ip addr add 10.213.7.1/24 dev "dk$$" && ip link set "dk$$" up &&
    echo "dk$$" >"$D/bridge"
  export DOCKER_HOST=unix://$D/d.sock
  dockerd_start
  mkdir -p "$D/rf/bin" "$D/rf/etc"
  cp /bin/busybox "$D/rf/bin"
  for a in sh echo sleep ps tty cat true false top id ls mount hostname touch head seq wc kill stty ip env test; do
    ln -s busybox "$D/rf/bin/$a"
  done
  echo 'root:x:0:0:root:/:/bin/sh' >"$D/rf/etc/passwd"
  tar -C "$D/rf" -c . | docker import - bb
}

teardown_file() {
  load ../support/daemon
  [ -n "${D:-}" ] || return 0
  docker ps -aq | xargs -r timeout 60 /usr/bin/docker rm -f >/dev/null 2>&1 || true
  docker swarm leave --force >/dev/null 2>&1 || true
  dockerd_stop
  [ -e "$D/bridge" ] && ip link del "$(cat "$D/bridge")"
  CTR=/usr/bin/ctr daemon_teardown
}

# dockerd_start [FLAG…]
dockerd_start() {
  /usr/sbin/dockerd --containerd "$SOCK" --data-root "$D/dk" --exec-root "$D/de" -H "unix://$D/d.sock" -p "$D/dk.pid" \
    --iptables=false --ip6tables=false --bridge="$(cat "$D/bridge" 2>/dev/null || echo none)" --live-restore=${LIVE:-false} \
    --storage-driver=overlay2 --default-runtime=runc "$@" >>"$D/dk.log" 2>&1 3>&- &
  wait_for 30 docker version
}

dockerd_stop() {
  local pid
  pid=$(cat "$D/dk.pid" 2>/dev/null) || return 0
  kill "$pid" && wait_for 40 daemon_is_gone "$pid"
}

docker() { timeout 60 /usr/bin/docker "$@"; }

setup() {
  load ../support/daemon
  [ -x /usr/sbin/dockerd ] || skip "no dockerd on this machine"
  export DOCKER_HOST=unix://$D/d.sock
}

teardown() {
  docker ps -aq | xargs -r timeout 60 /usr/bin/docker rm -f >/dev/null 2>&1 || true
}

@test "run: output, errors and exit status" {
  run docker run --rm bb sh -c 'echo out; echo err >&2; exit 3'
  [ "$status" -eq 3 ]
  [[ "$output" == *out* && "$output" == *err* ]]
  [ -z "$(docker ps -aq)" ]
}

@test "run -i passes standard input to its end" {
  run bash -c "printf 'a\nb\n' | timeout 60 docker run --rm -i bb cat"
  [ "$status" -eq 0 ]
  [ "$output" = "$(printf 'a\nb')" ]
}

@test "run -it has a terminal of the caller's size" {
  run script -qec "stty rows 33 cols 77; timeout --foreground -k 5 60 docker run --rm -it bb sh -c 'tty; until [ \"\$(stty size)\" = \"33 77\" ]; do sleep 0.1; done; stty size; exit 5'" /dev/null
  [ "$status" -eq 5 ]
  [[ "$output" == *"/dev/pts/0"* ]]
  [[ "$output" == *"33 77"* ]]
}

@test "exec, with and without a terminal" {
  docker run -d --name c1 bb sleep 1000
  run docker exec c1 sh -c 'echo in exec; exit 4'
  [ "$status" -eq 4 ]
  [ "$output" = "in exec" ]
  run script -qec "timeout --foreground -k 5 60 docker exec -it c1 sh -c 'tty; exit 6'" /dev/null
  [ "$status" -eq 6 ]
  [[ "$output" == *"/dev/pts/"* ]]
  run bash -c "echo piped | timeout 60 docker exec -i c1 cat"
  [ "$output" = piped ]
  run docker exec c1 /no/such
  [ "$status" -eq 126 ]
  [[ "$output" == *"no such file or directory"* ]]
}

@test "logs -f follows to the end" {
  docker run -d --name l1 bb sh -c 'for i in $(seq 20); do echo line $i; done; sleep 0.2; echo last'
  run docker logs -f l1
  [ "$(echo "$output" | wc -l)" -eq 21 ]
  [[ "$output" == *last ]]
}

@test "attach gets output and exit status" {
  docker run -di --name a1 bb sh -c 'read x; sleep 0.5; echo got $x; exit 8'
  run bash -c "(echo word; sleep 2) | timeout 60 docker attach a1"
  [ "$status" -eq 8 ]
  [[ "$output" == *"got word"* ]]
}

@test "kill by signal; stop with a timeout" {
  docker run -d --name k1 bb sh -c 'trap "exit 9" USR1; while :; do sleep 0.1; done'
  docker kill -s USR1 k1
  run docker wait k1
  [ "$output" = 9 ]
  docker run -d --name k2 bb sleep 1000
  docker stop -t 1 k2
  [ "$(docker inspect -f '{{.State.ExitCode}}' k2)" = 137 ]
}

@test "pause, unpause, top, stats, update" {
  docker run -d --name p1 bb sleep 1000
  docker pause p1
  [ "$(docker inspect -f '{{.State.Status}}' p1)" = paused ]
  docker unpause p1
  [ "$(docker inspect -f '{{.State.Status}}' p1)" = running ]
  run docker top p1
  [[ "$output" == *"sleep 1000"* ]]
  run docker stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' p1
  [[ "$output" == *"iB / "*" 1" ]]
  docker update --memory 64m --memory-swap 64m p1
  run docker stats --no-stream --format '{{.MemUsage}}' p1
  [[ "$output" == *"64MiB"* ]]
}

@test "restart policies" {
  docker run -d --name r1 --restart on-failure:2 bb false
  wait_for 20 bash -c "[ \$(docker inspect -f '{{.RestartCount}}-{{.State.Status}}' r1) = 2-exited ]"
  docker run -d --name r2 --restart always bb sh -c 'sleep 0.1'
  wait_for 20 bash -c "[ \$(docker inspect -f '{{.RestartCount}}' r2) -ge 2 ]"
}

@test "an out-of-memory kill is reported" {
  docker run --name o1 -m 16m --memory-swap 16m bb sh -c 'x=a; while :; do x=$x$x; done' || true
  [ "$(docker inspect -f '{{.State.OOMKilled}}-{{.State.ExitCode}}' o1)" = true-137 ]
}

@test "--pid and --ipc of another container, host network" {
  docker run -d --name n1 --ipc shareable bb sleep 1000
  run docker run --rm --pid container:n1 --ipc container:n1 bb ps

  [[ "$output" == *"sleep 1000"* ]]
  run docker run --rm --network host bb hostname
  [ "$output" = "$(hostname)" ]
}

@test "--init: a small process 1 that passes signals on" {
  docker run -d --init --name i1 bb sh -c 'trap "exit 12" TERM; while :; do sleep 0.1; done'
  run docker exec i1 ps
  [[ "${lines[1]}" == *" 1 "*docker-init* ]]
  docker stop -t 10 i1
  [ "$(docker inspect -f '{{.State.ExitCode}}' i1)" = 12 ]
}

@test "a bridge network gives an address" {
  [ -e "$D/bridge" ] || skip "no bridge devices on this machine"
  run docker run --rm bb ip addr show eth0
  [[ "$output" == *"inet 10.213.7."* ]]
}

@test "volumes, binds and tmpfs" {
  docker run --rm -v vol1:/v bb sh -c 'echo kept >/v/f'
  run docker run --rm -v vol1:/v:ro bb sh -c 'cat /v/f; touch /v/g 2>/dev/null || echo ro'
  [[ "$output" == kept*ro ]]
  mkdir -p "$D/bind" && echo host >"$D/bind/f"
  run docker run --rm -v "$D/bind:/b" --tmpfs /t bb sh -c 'cat /b/f; mount | head -60 | cat' 
  [[ "$output" == host*" /t type tmpfs"* ]]
  docker volume rm vol1
}

@test "build and commit" {
  mkdir -p "$D/ctx"
  printf 'FROM bb\nRUN echo built > /made\nCMD ["cat", "/made"]\n' >"$D/ctx/Dockerfile"
  DOCKER_BUILDKIT=0 docker build -t made "$D/ctx"
  run docker run --rm made
  [ "$output" = built ]
  docker run --name m1 bb sh -c 'echo more >/more'
  docker commit m1 more
  run docker run --rm more cat /more
  [ "$output" = more ]
}

@test "system events tell create, start, die, destroy" {
  since=$(date +%s)
  docker run --rm --name ev1 bb true
  wait_for 10 bash -c "[ -z \"\$(docker ps -aq -f name=ev1)\" ]"
  run docker events --since "$since" --until "$(($(date +%s) + 1))" --filter container=ev1 --format '{{.Action}}'
  [[ "$(echo "$output" | tr '\n' ' ')" == *"create "*"start "*"die "*"destroy"* ]]
}

@test "a container without its program is refused, and can be removed" {
  run -127 docker run --name x1 bb /no/such
  [[ "$output" == *"no such file or directory"* ]]
  docker rm x1
}

@test "ten containers at once" {
  local i pids=()
  for i in $(seq 10); do
    docker run -d --name "t$i" bb sleep 1000 3>&- &
    pids+=($!)
  done
  wait "${pids[@]}"
  [ "$(docker ps -q | wc -l)" -eq 10 ]
  docker ps -aq | xargs timeout 60 /usr/bin/docker rm -f
  wait_for 20 bash -c "[ -z \"\$('$CTR' -n moby containers ls -q)\" ]"
}

@test "containers live on while our daemon restarts under dockerd" {
  docker run -d --name lr1 bb sh -c 'trap "exit 11" TERM; while :; do sleep 0.1; done'
  pid=$(docker inspect -f '{{.State.Pid}}' lr1)
  daemon_kill9
  daemon_start
  kill -0 "$pid"
  wait_for 30 docker exec lr1 true
  docker stop -t 10 lr1
  [ "$(docker inspect -f '{{.State.ExitCode}}' lr1)" = 11 ]
}

@test "a hot restart of our daemon is nothing to dockerd" {
  docker run -d --name hot1 bb sh -c 'trap "exit 11" TERM; while :; do sleep 0.1; done'
  mkfifo "$D/hot"
  timeout 60 docker events >"$D/hot-events" 2>&1 3>&- &
  events=$!
  timeout 60 docker run --rm -i bb sh -c 'echo ready; read x; echo "got $x"; exit 6' <"$D/hot" >"$D/hot-out" 2>&1 3>&- &
  run=$!
  exec 7>"$D/hot"
  wait_for 30 grep -q ready "$D/hot-out"
  for i in 1 2 3; do
    old=$(cat "$D/pid")
    kill -USR2 "$old"
    wait_for 30 daemon_is_gone "$old"
    grep -o 'process=[0-9]*' "$D/log" | tail -1 | cut -d= -f2 >"$D/pid"
    docker exec hot1 true
    docker run --rm bb sh -c "exit 0"
  done
  echo it >&7
  exec 7>&-
  status=0
  wait $run || status=$?
  [ "$status" -eq 6 ]
  grep -q "got it" "$D/hot-out"
  docker stop -t 10 hot1
  [ "$(docker inspect -f '{{.State.ExitCode}}' hot1)" = 11 ]
  wait_for 20 grep -q "container die.*name=hot1" "$D/hot-events"
  kill $events
}

@test "live-restore: containers live on while dockerd restarts" {
  dockerd_stop
  LIVE=true dockerd_start
  docker run -d --name lr2 bb sleep 1000
  pid=$(docker inspect -f '{{.State.Pid}}' lr2)
  dockerd_stop
  kill -0 "$pid"
  LIVE=true dockerd_start
  [ "$(docker inspect -f '{{.State.Status}}-{{.State.Pid}}' lr2)" = "running-$pid" ]
  run docker exec lr2 echo alive
  [ "$output" = alive ]
  docker rm -f lr2
  dockerd_stop
  dockerd_start
}

@test "a swarm of one runs a replicated service, and replaces what dies" {
  docker swarm init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1 --data-path-addr 127.0.0.1
  docker service create --detach --name sv --replicas 2 --network host --restart-delay 0s bb sleep 1000
  wait_for 30 service_runs 2
  docker rm -f "$(docker ps -q -f label=com.docker.swarm.service.name=sv | head -1)"
  wait_for 30 service_runs 2
  docker service scale --detach sv=3
  wait_for 30 service_runs 3
  docker service rm sv
  wait_for 30 service_runs 0
  docker swarm leave --force
}

service_runs() {
  [ "$(docker ps -q -f label=com.docker.swarm.service.name=sv | wc -l)" -eq "$1" ]
}

@test "user namespaces: root inside is nobody outside" {
  local f uid
  chmod 711 "$D"
  for f in passwd group; do cp "/etc/$f" "$D/$f"; done
  echo 'remap:x:100000:100000::/:/bin/false' >>"$D/passwd"
  echo 'remap:x:100000:' >>"$D/group"
  echo 'remap:100000:65536' | tee "$D/subuid" >"$D/subgid"
  for f in passwd group subuid subgid; do
    [ -e "/etc/$f" ] || touch "/etc/$f"
    mount --bind "$D/$f" "/etc/$f"
  done
  dockerd_stop
  dockerd_start --userns-remap=remap
  tar -C "$D/rf" -c . | docker import - bb
  docker run -d --name u1 bb sleep 1000
  run docker exec u1 cat /proc/self/uid_map
  [ "$(echo $output)" = "0 100000 65536" ]
  uid=$(stat -c %u "/proc/$(docker inspect -f '{{.State.Pid}}' u1)")
  [ "$uid" -eq 100000 ]
  run docker run --rm --userns host bb cat /proc/self/uid_map
  [ "$(echo $output)" = "0 0 4294967295" ]
  docker rm -f u1
  dockerd_stop
  dockerd_start
  for f in passwd group subuid subgid; do umount "/etc/$f"; done
}

@test "what dockerd leaves behind: nothing" {
  docker ps -aq | xargs -r timeout 60 /usr/bin/docker rm -f
  wait_for 20 no_shims
  [ "$("$CTR" -n moby tasks ls -q | wc -l)" -eq 0 ]
  [ -z "$(ls "$D/state/io.containerd.runtime.v2.task/moby" 2>/dev/null)" ]
}
