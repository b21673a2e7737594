#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Records what Debian's ctr, containerd and shim say to each other.

    record.py <folder>      as root; writes <folder>/messages.txt

Starts a private containerd with proxies on its gRPC socket, its ttrpc socket and each shim's
socket (proxy.py, shim.py), drives it with ctr and with calls.go for what ctr never asks, and
keeps a few small messages per method and direction. Needs containerd, runc, busybox-static,
skopeo, umoci, python3-hpack, golang-go and golang-github-containerd-containerd-dev.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import proxy

HERE = os.path.dirname(os.path.realpath(__file__))
KEEP = 3       # messages per service, method and direction
BIGGEST = 4096  # bytes of one

CONFIG = """version = 2
root = "{dir}/root"
state = "{dir}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{dir}/c.sock"
[ttrpc]
address = "{dir}/t.sock"
"""


def sh(script, env):
    print("+", script)
    subprocess.run(["sh", "-c", script], env=env, check=False, timeout=120)


def image(folder, env):
    sh(f"""set -e; cd {folder}; umoci init --layout oci; umoci new --image oci:latest
        umoci unpack --image oci:latest b
        mkdir -p b/rootfs/bin b/rootfs/proc b/rootfs/sys b/rootfs/dev b/rootfs/tmp
        cp /bin/busybox b/rootfs/bin/; for a in sh sleep echo cat true; do
        ln -sf busybox b/rootfs/bin/$a; done
        umoci repack --image oci:latest b
        umoci config --image oci:latest --config.env PATH=/bin --config.cmd sh \
            --config.label who=test
        skopeo copy -q oci:oci:latest oci-archive:{folder}/i.tar:latest""", env)


CTR = """
ctr version; ctr plugins ls; ctr namespaces create n1 a=b c=d; ctr namespaces label n1 a=x
ctr namespaces ls; ctr namespaces rm n1; ctr images import --base-name test/i --digests {d}/i.tar
ctr images import --no-unpack --base-name test/j {d}/i.tar
ctr images ls; ctr images ls name==test/i:latest; ctr images check
ctr images label test/i:latest k=v; ctr images tag test/i:latest test/k:1
ctr images export {d}/e.tar test/i:latest; ctr images mount test/i:latest {d}/m
ctr images unmount {d}/m; ctr images rm test/j:latest
ctr content ls; D=$(ctr content ls -q | head -1); ctr content get $D >/dev/null
ctr content label $D x=y; ctr content active; echo hello >{d}/f
ctr content ingest --expected-size 6 r1 <{d}/f; ctr content rm sha256:0
ctr content rm sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
P=$(ctr snapshots ls | awk '/Committed/ {{print $1; exit}}')
ctr snapshots ls; ctr snapshots info $P; ctr snapshots usage; ctr snapshots usage $P
ctr snapshots prepare s1 $P; ctr snapshots view v1 $P; ctr snapshots mounts {d}/m s1
ctr snapshots label s1 k=v; ctr snapshots commit s2 s1; ctr snapshots tree
ctr snapshots diff --keep $P v1 >/dev/null; ctr snapshots diff $P s2 >/dev/null
ctr snapshots rm v1; ctr snapshots rm s2; ctr snapshots rm nosuch
ctr leases create --id l1 --expires 1h k=v; ctr leases ls; ctr leases rm l1
ctr containers create --label a=b --env X=y test/i:latest c1 sleep 100
ctr containers ls; ctr containers info c1; ctr containers label c1 z=1; ctr containers rm c1
ctr containers create --cwd /tmp --memory-limit 50000000 --cpu-quota 50000 \
  --cpu-period 100000 test/i:latest c1 sleep 100
ctr tasks start -d c1; ctr tasks ls; ctr tasks ps c1; ctr tasks metrics c1
ctr tasks exec --exec-id e1 --cwd / c1 echo from exec; ctr tasks pause c1
ctr tasks ls; ctr tasks resume c1; ctr tasks exec -d --exec-id e2 c1 sleep 50
ctr tasks ps c1; ctr tasks kill --exec-id e2 -s TERM c1; ctr tasks kill -s KILL c1
ctr tasks ls; ctr tasks rm c1; ctr containers rm c1
ctr run --rm --mount type=bind,src=/tmp,dst=/mnt,options=rbind:ro test/i:latest r1 echo hi
script -qec "ctr run --rm -t --label l=m test/i:latest r2 sh -c 'exit 3'" /dev/null </dev/null
ctr run --rm --null-io test/i:latest r3 /nosuch
ctr run --rm --memory-limit 6000000 test/i:latest r4 \
  sh -c 'x=aaaaaaaaaaaaaaaa; while true; do x=$x$x$x$x; done'
ctr run -d test/i:latest r5 sleep 100; ctr tasks checkpoint r5; ctr tasks kill -a -s KILL r5
sleep 1; ctr tasks rm r5; ctr containers rm r5; ctr images rm --sync test/k:1
"""


# Messages of one method that differ in more than length: one of each event, of each outcome.
SORTS = {
    "containerd.services.events.v1.Events": re.compile(rb"containerd\.[a-z1.]+\.[A-Z]\w+"),
    "containerd.services.events.ttrpc.v1.Events": re.compile(rb"containerd\.[a-z1.]+\.[A-Z]\w+"),
    "ttrpc": re.compile(rb"^."),
}
UNSET_TIME = re.compile(b"\x08\x80\x92\xb8\xc3\x98\xfe\xff\xff\xff\x01")  # Go's year 1


def sort_of(service, data):
    match = SORTS.get(service, UNSET_TIME).search(bytes.fromhex(data.strip("-")))
    return match.group() if match else b""


def pick(lines):
    groups = {}
    for line in sorted(set(lines)):
        service, method, what, data = line.split(" ")
        if len(data) <= BIGGEST * 2:
            key = (service, method, what, sort_of(service, data))
            groups.setdefault(key, []).append(data)
    picked = []
    for key in sorted(groups):
        # the longest of different lengths first: they differ in what they hold
        by_length = {len(data): data for data in groups[key]}
        for length in sorted(by_length, reverse=True)[:1 if key[3] else KEEP]:
            picked.append(" ".join(key[:3]) + " " + by_length[length])
    return picked


def stop(process, folder):
    pids = f"{folder}/pids"
    if os.path.exists(pids):
        for pid in open(pids, encoding="ascii"):
            os.kill(int(pid), 15)
    process.terminate()
    process.wait()


def main(target):
    folder = tempfile.mkdtemp(prefix="rec.", dir="/tmp")
    log_path = f"{folder}/log"
    os.mkdir(f"{folder}/bin")
    os.mkdir(f"{folder}/m")
    os.symlink(f"{HERE}/shim.py", f"{folder}/bin/containerd-shim-runc-v2")
    env = dict(os.environ, PATH=f"{folder}/bin:/usr/bin:/usr/sbin:/bin:/sbin",
               CONTAINERD_ADDRESS=f"{folder}/g.sock", RECORD_LOG=log_path, RECORD_DIR=folder,
               RECORD_SHIM="/usr/bin/containerd-shim-runc-v2",
               RECORD_TTRPC=f"{folder}/tp.sock", HOME=folder, GO111MODULE="off",
               GOPATH="/usr/share/gocode", GOCACHE=f"{folder}/gocache")
    with open(f"{folder}/config.toml", "w", encoding="ascii") as out:
        out.write(CONFIG.format(dir=folder))
    image(folder, env)
    with open(f"{folder}/daemon.log", "w", encoding="ascii") as daemon_log:
        daemon = subprocess.Popen(["/usr/bin/containerd", "-c", f"{folder}/config.toml"],
                                  env=env, stderr=daemon_log)
    try:
        while not (os.path.exists(f"{folder}/c.sock") and os.path.exists(f"{folder}/t.sock")):
            time.sleep(0.05)
        log = proxy.Log(log_path)
        proxy.serve(f"{folder}/g.sock", f"{folder}/c.sock", proxy.GrpcTap, log)
        proxy.serve(f"{folder}/tp.sock", f"{folder}/t.sock", proxy.TtrpcTap, log)
        events = subprocess.Popen(["ctr", "events"], env=env, stdout=subprocess.DEVNULL)
        sh(CTR.format(d=folder), env)
        sh(f"cd {folder} && go build -o calls {HERE}/calls.go && ./calls {folder}/g.sock", env)
        events.terminate()
        events.wait()
    finally:
        stop(daemon, folder)
    with open(log_path, encoding="ascii") as lines:
        picked = pick([line.rstrip("\n") for line in lines])
    with open(f"{target}/messages.txt", "w", encoding="ascii") as out:
        out.write("# SPDX-License-Identifier: Apache-2.0\n"
                  "# Made by tests/compat/record/record.py from Debian's ctr, containerd and shim:"
                  " service method what hex\n")
        out.write("\n".join(picked) + "\n")
    if "KEEP" not in os.environ:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(picked)} messages")


if __name__ == "__main__":
    main(sys.argv[1])
