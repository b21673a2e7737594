# SPDX-License-Identifier: Apache-2.0
"""Rows of unpacking: a large image by both daemons, and what it costs that layers are durable."""
import os
import shutil
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class Unpack:
    """A step of run.py's Bench. Each run has a daemon and a directory of its own."""

    def __init__(self, bench, make_daemon):
        self.b = bench
        self.make_daemon = make_daemon

    def image(self):
        self.dir = os.path.join(self.b.tmp, 'layers')
        os.mkdir(self.dir)
        subprocess.run(['python3', os.path.join(HERE, 'layers.py'), self.dir], check=True, stdout=subprocess.DEVNULL)
        with open(f'{self.dir}/manifest') as f:
            self.manifest = f.read()

    def daemon(self, like, base):
        """Seconds that "ctr snapshots unpack" takes."""
        root = tempfile.mkdtemp(prefix='cbu', dir=base)
        d = self.make_daemon(like, root)
        ctr = lambda *a: subprocess.run([d.ctr, '-a', d.sock, *a], check=True, stdout=subprocess.DEVNULL, timeout=120)
        try:
            d.start()
            ctr('images', 'import', '--no-unpack', f'{self.dir}/image.tar')
            os.sync()
            start = time.time()
            ctr('snapshots', 'unpack', self.manifest)
            return time.time() - start
        finally:
            d.stop()
            shutil.rmtree(root)
            os.sync()

    def differ(self, mode):
        """Seconds that our differ alone takes for both layers."""
        root = tempfile.mkdtemp(prefix='cbu', dir=self.b.args.disk)
        build = os.path.abspath(self.b.args.build)
        env = dict(os.environ, CTRD_LAYER_HELPER=f'{build}/containerd-layer-helper')
        argv = [f'{build}/bench/unpack_bench', mode, root]
        argv += [f'{self.dir}/layer-{i}.tar.gz' for i in (1, 2)]
        try:
            out = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120, env=env).stdout
            return float(out.split()[-1]) / 1e3
        finally:
            shutil.rmtree(root)
            os.sync()

    def durability(self):
        got = {'durable': [], 'plain': []}
        for i in range(max(5, self.b.args.rounds * 2)):
            for mode in (('durable', 'plain'), ('plain', 'durable'))[i % 2]:
                got[mode].append(self.differ(mode))
        return [statistics.median(got[m]) for m in ('durable', 'plain')]

    def unpack(self):
        self.image()
        for where, base, limit in (('tmpfs', '/dev/shm', 'ratio <= 0.33'), ('disk', self.b.args.disk, '')):
            self.b.row(f'unpack 730 MB, 22,000 files on {where}',
                       *self.b.alternate(lambda d: self.daemon(d, base)), 's', limit)
        self.b.row('  ours on disk, durable and not', *self.durability(), 's', 'ratio <= 1.1')
