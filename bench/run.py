#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Drives our daemon and Debian's with one client, alternating, in one run, and prints ratios.

Usage: run.py BUILD [--rounds N] [--peer /usr/bin/containerd] [--only NAME,…] [--markdown FILE]
Absolute figures on shared machines are noisy: look at the ratios."""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from restart import Restart
from store import Store
from tasks import Tasks
from unpack import Unpack

CONFIG = '''version = 2
root = "{d}/root"
state = "{d}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{d}/c.sock"
[ttrpc]
  address = "{d}/c.sock.ttrpc"
'''


class Adopted:
    def __init__(self, pid):
        self.pid = pid

    def terminate(self):
        os.kill(self.pid, signal.SIGTERM)

    def wait(self, seconds):
        end = time.time() + seconds
        while os.path.exists(f'/proc/{self.pid}'):
            if time.time() > end:
                sys.exit(f'daemon {self.pid} does not end')
            time.sleep(0.01)


class Daemon:
    def __init__(self, name, exe, shim_dir, tmp, ctr):
        self.name, self.exe, self.ctr = name, exe, ctr
        self.dir = os.path.join(tmp, name)
        os.mkdir(self.dir)
        self.sock = f'{self.dir}/c.sock'
        self.config = f'{self.dir}/config.toml'
        with open(self.config, 'w') as f:
            f.write(CONFIG.format(d=self.dir))
        self.env = dict(os.environ, PATH=f'{shim_dir}:{os.environ["PATH"]}')
        self.proc = None

    def argv(self):
        return [self.exe, '--config', self.config]

    def start(self):
        self.proc = subprocess.Popen(self.argv(), env=self.env, stdout=open(f'{self.dir}/log', 'ab'),
                                     stderr=subprocess.STDOUT)
        end = time.time() + 20
        while subprocess.run([self.ctr, '-a', self.sock, 'version'], capture_output=True).returncode:
            if time.time() > end or self.proc.poll() is not None:
                sys.exit(f'{self.name} does not start: ' + open(f'{self.dir}/log').read()[-2000:])

    def adopt(self, pid):
        """Another process has taken over; it is no child of ours."""
        self.proc.wait(60)
        self.proc = Adopted(pid)

    def stop(self):
        if self.proc:
            self.proc.terminate()
            self.proc.wait(20)
            self.proc = None


def rollup(pid, field):
    with open(f'/proc/{pid}/smaps_rollup') as f:
        for line in f:
            if line.startswith(field):
                return int(line.split()[1])
    return 0


def pss(pid):
    return rollup(pid, 'Pss:')


def wakeups(pid):
    """Voluntary context switches of all threads: how often something made it run."""
    total = 0
    for tid in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{tid}/status') as f:
            for line in f:
                if line.startswith('voluntary_ctxt_switches'):
                    total += int(line.split()[1])
    return total


def shims_of(sock):
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            args = open(f'/proc/{pid}/cmdline').read().split('\0')
        except OSError:
            continue
        if 'containerd-shim' in args[0] and sock in args:
            found.append(int(pid))
    return found


def make_image(tmp):
    """An OCI archive of Debian's busybox, by the tests' own recipe."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../tests/support/daemon.bash')
    subprocess.run(['bash', '-c', f'BATS_TEST_DIRNAME=/ D={tmp}; . {script}; make_image {tmp}/img.tar'], check=True,
                   env=dict(os.environ, CTRD_BUILD='/'))
    return f'{tmp}/img.tar'


def make_spec(path, args, cgroup):
    caps = ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETUID', 'CAP_SETGID']
    spec = {
        'ociVersion': '1.0.2',
        'process': {'user': {'uid': 0, 'gid': 0}, 'args': args, 'env': ['PATH=/bin'], 'cwd': '/',
                    'capabilities': {k: caps for k in ('bounding', 'effective', 'permitted')},
                    'noNewPrivileges': True},
        'root': {'path': 'rootfs'},
        'mounts': [{'destination': '/proc', 'type': 'proc', 'source': 'proc', 'options': ['nosuid', 'noexec', 'nodev']},
                   {'destination': '/dev', 'type': 'tmpfs', 'source': 'tmpfs', 'options': ['nosuid', 'mode=755']}],
        'linux': {'cgroupsPath': cgroup,
                  'namespaces': [{'type': t} for t in ('pid', 'ipc', 'uts', 'mount', 'network')]},
    }
    with open(path, 'w') as f:
        json.dump(spec, f)
    return path


class Bench:
    make_spec = staticmethod(make_spec)

    def __init__(self, args):
        self.args = args
        self.client = os.path.join(args.build, 'bench', 'bench')
        self.tmp = tempfile.mkdtemp(prefix='cb', dir=args.disk)
        self.ours = Daemon('ours', os.path.join(args.build, 'containerd'), args.build, self.tmp, args.ctr)
        self.peer = Daemon('peer', args.peer, '/usr/bin', self.tmp, args.ctr)
        self.rows = []
        self.spec_file = make_spec(f'{self.tmp}/spec.json', ['/bin/true'], '/bench/c')
        self.tmpfs = tempfile.mkdtemp(prefix='cb', dir='/dev/shm')
        self.fast = [Daemon(d.name, d.exe, '/usr/bin', self.tmpfs, args.ctr) for d in (self.ours, self.peer)]
        self.store = Store(self, (self.ours, self.peer), self.fast)
        self.restarts = Restart(self, self.ours, shims_of)
        self.tasks = Tasks(self, make_spec, pss, wakeups, shims_of)
        self.layers = Unpack(self, lambda d, tmp: Daemon(d.name, d.exe, '/usr/bin', tmp, args.ctr))

    def run(self, *argv, env=None):
        out = subprocess.run([self.client, *map(str, argv)], capture_output=True, text=True, env=env)
        if out.returncode:
            raise RuntimeError(f'bench {argv[0]}: {out.stderr}')
        return [float(x) for x in out.stdout.split()]

    def row(self, name, ours, peer, unit, limit):
        ratio = ours / peer if peer else float('nan')
        self.rows.append((name, ours, peer, unit, ratio, limit))
        print(f'{name:44} {ours:10.2f} {peer:10.2f} {unit:5} {ratio:7.2f}   {limit}', flush=True)

    def alternate(self, what, daemons=None):
        """what(daemon) -> number, in turns; medians of both."""
        ours, peer = daemons or (self.ours, self.peer)
        got = {d.name: [] for d in (ours, peer)}
        for i in range(self.args.rounds):
            for d in ((ours, peer), (peer, ours))[i % 2]:
                got[d.name].append(what(d))
        return statistics.median(got['ours']), statistics.median(got['peer'])

    def boot(self):
        one = lambda d: self.run('boot', d.sock, *d.argv(), env=d.env)[0] / 1e3
        one(self.ours), one(self.peer)
        self.row('boot to serving', *self.alternate(one), 'ms', '<= 4 ms')

    def serve(self):
        image = make_image(self.tmp)
        for d in (self.ours, self.peer):
            d.start()
            subprocess.run([d.ctr, '-a', d.sock, '-n', 'bench', 'images', 'import', image], check=True,
                           capture_output=True)
            out = subprocess.run([d.ctr, '-a', d.sock, '-n', 'bench', 'snapshots', 'ls'], check=True,
                                 capture_output=True, text=True).stdout
            d.parent = [l.split()[0] for l in out.splitlines()[1:] if l.split()[-1] == 'Committed'][0]

    def version(self):
        self.row('Version round trip, p50', *self.alternate(lambda d: self.run('version', d.sock, 2000)[0]), 'us',
                 'ratio <= 0.5')

    def idle(self):
        # The one place that lets time pass on purpose: idleness is what is measured.
        seconds = self.args.idle_seconds
        time.sleep(12)
        before = {d.name: wakeups(d.proc.pid) for d in (self.ours, self.peer)}
        time.sleep(seconds)
        after = {d.name: wakeups(d.proc.pid) for d in (self.ours, self.peer)}
        self.row('daemon idle PSS', pss(self.ours.proc.pid) / 1024, pss(self.peer.proc.pid) / 1024, 'MiB', '<= 4 MiB')
        self.row('  as if it shared nothing', *(rollup(d.proc.pid, 'Rss:') / 1024 for d in (self.ours, self.peer)), 'MiB', '')
        self.row('daemon idle wake-ups', *(max(0, after[n] - before[n]) / seconds for n in ('ours', 'peer')), '1/s', '0')

    def lifecycle(self):
        spec = make_spec(f'{self.tmp}/true.json', ['/bin/true'], '/bench/c')
        bundle = f'{self.tmp}/bundle'
        os.makedirs(f'{bundle}/rootfs')
        subprocess.run(['cp', '-a', f'{self.tmp}/rootfs/.', f'{bundle}/rootfs'], check=False, capture_output=True)
        os.makedirs(f'{bundle}/rootfs/bin', exist_ok=True)
        for d in ('proc', 'dev'):
            os.makedirs(f'{bundle}/rootfs/{d}', exist_ok=True)
        shutil.copy('/bin/busybox', f'{bundle}/rootfs/bin/busybox')
        os.symlink('busybox', f'{bundle}/rootfs/bin/true')
        shutil.copy(spec, f'{bundle}/config.json')
        bare, both = [], {'ours': [], 'peer': []}
        for i in range(self.args.rounds):
            bare.append(self.run('bare', self.args.runtime, bundle, 10)[0] / 1e3)
            for d in ((self.ours, self.peer), (self.peer, self.ours))[i % 2]:
                both[d.name].append(self.run('lifecycle', d.sock, d.parent, spec, 10)[0] / 1e3)
        base = statistics.median(bare)
        ours, peer = (statistics.median(both[n]) for n in ('ours', 'peer'))
        self.row('runtime alone: create, start, delete', base, base, 'ms', '')
        self.row('task create to delete of /bin/true', ours, peer, 'ms', '')
        self.row('  above the bare runtime', ours - base, peer - base, 'ms', '<= 8 ms')

    def shims(self):
        spec = make_spec(f'{self.tmp}/sleep.json', ['/bin/sleep', '10000'], '')
        spec_data = json.load(open(spec))
        del spec_data['linux']['cgroupsPath']
        json.dump(spec_data, open(spec, 'w'))
        got = {}
        for d in (self.ours, self.peer):
            ids = [f'{d.name}-{os.getpid()}-{i}' for i in range(20)]
            for i in ids:
                self.run('start', d.sock, d.parent, spec, i)
            os.sync()  # fresh binaries count as private until they are written
            time.sleep(3)  # until they are at rest
            pids = shims_of(d.sock)
            threads = max(len(os.listdir(f'/proc/{p}/task')) for p in pids)
            got[d.name] = (statistics.median(pss(p) for p in pids), threads, len(pids))
            for i in ids:
                self.run('stop', d.sock, i)
        self.row('shim PSS, 20 idle containers', got['ours'][0], got['peer'][0], 'KiB', '<= 300 KiB')
        self.row('shim threads', got['ours'][1], got['peer'][1], '', '1')

    def serve_tmpfs(self):
        for d in self.fast:
            d.start()

    def main(self):
        print(f'{"":44} {"ours":>10} {"Debian":>10} {"":5} {"ratio":>7}   limit')
        steps = [('boot', self.boot), ('serve', self.serve), ('version', self.version), ('lifecycle', self.lifecycle),
                 ('shims', self.shims), ('restart', self.restarts.restart), ('idle', self.idle), ('exec', self.tasks.execs), ('parallel', self.tasks.parallel),
                 ('output', self.tasks.output), ('group', self.tasks.group), ('idle200', self.tasks.idle), ('tmpfs', self.serve_tmpfs),
                 ('containers', self.store.containers), ('content', self.store.content),
                 ('snapshots', self.store.snapshots), ('images', self.store.images), ('gc', self.store.gc), ('unpack', self.layers.unpack)]
        only = self.args.only.split(',') if self.args.only else None
        try:
            for name, step in steps:
                if only is None or name in only or (name == 'serve' and set(only) - {'boot', 'tmpfs', 'images', 'gc', 'unpack'}) \
                        or (name == 'tmpfs' and set(only) & {'content', 'images', 'gc'}):
                    step()
        finally:
            for d in (self.ours, self.peer, *self.fast):
                for pid in shims_of(d.sock):
                    os.kill(pid, signal.SIGKILL)
                d.stop()
            with open('/proc/self/mounts') as f:
                for m in reversed([l.split()[1] for l in f if l.split()[1].startswith((self.tmp, self.tmpfs))]):
                    subprocess.run(['umount', '-l', m])
            shutil.rmtree(self.tmp, ignore_errors=True)
            shutil.rmtree(self.tmpfs, ignore_errors=True)
        if self.args.markdown:
            self.write_markdown()

    def write_markdown(self):
        with open(self.args.markdown, 'w') as f:
            f.write('| | ours | Debian 1.6 | unit | ratio | limit |\n|---|---|---|---|---|---|\n')
            for name, ours, peer, unit, ratio, limit in self.rows:
                f.write(f'| {name.strip()} | {ours:.2f} | {peer:.2f} | {unit} | {ratio:.2f} | {limit} |\n')


parser = argparse.ArgumentParser()
parser.add_argument('build')
parser.add_argument('--rounds', type=int, default=5)
parser.add_argument('--disk', default='/var/tmp', help='directory on a disk, for state and unpacking')
parser.add_argument('--idle-seconds', type=int, default=10)
parser.add_argument('--peer', default='/usr/bin/containerd')
parser.add_argument('--ctr', default='/usr/bin/ctr')
parser.add_argument('--runtime', default='/usr/sbin/runc')
parser.add_argument('--only', default='')
parser.add_argument('--markdown', default='')
Bench(parser.parse_args()).main()
