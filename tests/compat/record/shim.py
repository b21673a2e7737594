#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for the shim binary: starts the real one and puts recording proxies on both of its
connections. Its surroundings come from record.py: RECORD_LOG, RECORD_DIR, RECORD_SHIM,
RECORD_TTRPC (a proxy in front of the daemon's ttrpc socket)."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import proxy  # noqa: E402

SHIM = os.environ["RECORD_SHIM"]


def run(extra=None):
    data = sys.stdin.buffer.read()
    done = subprocess.run([SHIM] + sys.argv[1:], input=data, stdout=subprocess.PIPE,
                          env=dict(os.environ, **(extra or {})), check=False)
    return data, done


def start(log):
    data, done = run({"TTRPC_ADDRESS": os.environ["RECORD_TTRPC"]})
    if done.returncode != 0:
        sys.stdout.buffer.write(done.stdout)
        sys.exit(done.returncode)
    if data:
        log.add("google.protobuf", "Any", "message", data)
    address = done.stdout.decode().strip()
    listen = f"{os.environ['RECORD_DIR']}/s{os.getpid()}"
    if os.fork() == 0:
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        proxy.serve(listen, address.removeprefix("unix://"), proxy.TtrpcTap, log)
        with open(f"{os.environ['RECORD_DIR']}/pids", "a", encoding="ascii") as out:
            out.write(f"{os.getpid()}\n")
        while True:
            time.sleep(60)
    while not os.path.exists(listen):
        time.sleep(0.01)
    sys.stdout.write(f"unix://{listen}")


def main():
    log = proxy.Log(os.environ["RECORD_LOG"])
    if sys.argv[-1] == "start":
        start(log)
        return
    if sys.argv[-1] == "delete":
        _, done = run()
        log.add("containerd.task.v2", "DeleteResponse", "message", done.stdout)
        sys.stdout.buffer.write(done.stdout)
        sys.exit(done.returncode)
    os.execv(SHIM, [SHIM] + sys.argv[1:])


main()
