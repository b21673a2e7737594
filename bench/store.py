# SPDX-License-Identifier: Apache-2.0
"""Rows of the storage plane: the same calls to both daemons, on disk and on tmpfs."""
import os
import subprocess


def pss_kib(pid):
    with open(f'/proc/{pid}/smaps_rollup') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('Pss:'))


class Store:
    """Steps of run.py's Bench over its two daemons and a second pair on tmpfs."""

    def __init__(self, bench, daemons, tmpfs_daemons):
        self.b = bench
        self.disk = daemons
        self.tmpfs = tmpfs_daemons
        self.n = 0

    def env(self, ns, **more):
        return dict(os.environ, BENCH_NS=ns, **more)

    def spec(self):
        return self.b.spec_file

    def first(self, d, *argv, ns='bench', **more):
        return self.b.run(argv[0], d.sock, *argv[1:], env=self.env(ns, **more))

    def pair(self, daemons, what):
        return self.b.alternate(what, daemons)

    def containers(self):
        def creates(d):
            self.n += 1
            return self.first(d, 'containers', 16, 1600, f'c{self.n}', self.spec())[0]

        self.b.row('container creates, 16 clients', *self.pair(self.disk, creates), '1/s', 'ratio >= 6')
        for d in self.disk:
            self.first(d, 'containers', 16, 1500, 'l', self.spec(), ns='lists')
        gets = lambda d: self.first(d, 'gets', 3000, 'l', 1500, ns='lists')[0]
        self.b.row('container get, p50', *self.pair(self.disk, gets), 'us', 'ratio <= 0.5')
        lists = lambda d: self.first(d, 'list', 30, 1500, ns='lists')[0] / 1e3
        self.b.row('list of 1,500 containers, p50', *self.pair(self.disk, lists), 'ms', 'ratio <= 0.2')

    def content(self):
        blobs = lambda d: self.first(d, 'blobs', 16, 1600, 4096)[0]
        self.b.row('4 KiB blobs, 16 clients', *self.pair(self.disk, blobs), '1/s', 'ratio >= 4')
        large = lambda d: self.first(d, 'blob', 512, 1)[0]
        self.b.row('512 MiB blob on tmpfs', *self.pair(self.tmpfs, large), 'MiB/s', 'ratio >= 2')
        disk = self.disk_speed()
        ours, peer = self.pair(self.disk, large)
        self.b.row('512 MiB blob on disk', ours, peer, 'MiB/s', f'the disk: {disk:.0f}')

    def disk_speed(self):
        """MiB/s of plain writing and one sync."""
        path = f'{self.b.tmp}/plain'
        got = []
        for _ in range(3):
            out = subprocess.run(['dd', 'if=/dev/zero', f'of={path}', 'bs=1M', 'count=512', 'conv=fsync'],
                                 capture_output=True, text=True, check=True, env=dict(os.environ, LC_ALL='C'))
            got.append(512 / float(out.stderr.split(' s, ')[0].split()[-1]))
            os.unlink(path)
        return sorted(got)[1]

    def snapshots(self):
        prepares = lambda d: self.first(d, 'prepares', d.parent, 300)[0]
        self.b.row('snapshot prepare, p50', *self.pair(self.disk, prepares), 'us', 'ratio <= 0.5')
        churn = lambda d: self.first(d, 'churn', d.parent, 16, 800)[0]
        self.b.row('prepare + remove, 16 clients', *self.pair(self.disk, churn), '1/s', 'ratio >= 3')

    def images(self):
        rates = [self.first(d, 'images', 16, 100000, ns='images')[0] for d in self.tmpfs]
        self.b.row('image creates on tmpfs, 16 clients', *rates, '1/s', '')
        lookup = lambda d: self.first(d, 'lookup', 200 if d.name == 'ours' else 10, 100000, ns='images')[0] / 1e3
        self.b.row('name== among 100,000 images, p50', *self.pair(self.tmpfs, lookup), 'ms', '<= 1 ms')
        self.b.row('memory with 100,000 images, PSS', *(pss_kib(d.proc.pid) / 1024 for d in self.tmpfs), 'MiB',
                   '<= 40 MiB')

    def gc(self):
        """Over the images of the row above and 20,000 blobs that a lease lets go."""
        got = []
        for d in self.tmpfs:
            self.first(d, 'lease', 'gc', ns='images')
            self.first(d, 'blobs', 16, 20000, 64, ns='images', BENCH_LEASE='gc')
            got.append(self.first(d, 'gc', 'gc', 10, 100000, ns='images'))
        ours, peer = got
        self.b.row('read during a collection, p99', ours[0] / 1e3, peer[0] / 1e3, 'ms', '<= 5 ms')
        self.b.row('write during a collection, p99', ours[1] / 1e3, peer[1] / 1e3, 'ms', '<= 5 ms')
        self.b.row('collection over 100,000 objects', ours[2], peer[2], 'ms', '')
