# SPDX-License-Identifier: Apache-2.0
"""Rows of the execution plane: execs, lives side by side, output, many idle containers."""
import json
import os
import statistics
import time

NS = 'bench'
RUNC_ROOT = f'/run/containerd/runc/{NS}'


class Tasks:
    def __init__(self, bench, make_spec, pss, wakeups, shims_of):
        self.bench, self.make_spec, self.pss, self.wakeups, self.shims_of = bench, make_spec, pss, wakeups, shims_of

    def spec(self, name, args, annotations=None):
        """One whose cgroup is the runtime's choice, so that any number may run."""
        path = self.make_spec(f'{self.bench.tmp}/{name}.json', args, '')
        with open(path) as f:
            spec = json.load(f)
        del spec['linux']['cgroupsPath']
        spec['annotations'] = annotations or {}
        with open(path, 'w') as f:
            json.dump(spec, f)
        return path

    def start(self, d, spec, count):
        ids = [f'{d.name}-t{os.getpid()}-{i}' for i in range(count)]
        for i in ids:
            self.bench.run('start', d.sock, d.parent, spec, i)
        return ids

    def stop(self, d, ids):
        for i in ids:
            self.bench.run('stop', d.sock, i)

    def execs(self):
        b = self.bench
        spec = self.spec('exec', ['/bin/sleep', '10000'])
        ids = {d.name: self.start(d, spec, 1)[0] for d in (b.ours, b.peer)}
        bare, both = [], {'ours': [], 'peer': []}
        for i in range(b.args.rounds):
            bare.append(b.run('bare-exec', b.args.runtime, RUNC_ROOT, ids['ours'], 20)[0] / 1e3)
            for d in ((b.ours, b.peer), (b.peer, b.ours))[i % 2]:
                both[d.name].append(b.run('exec', d.sock, ids[d.name], 20)[0] / 1e3)
        for d in (b.ours, b.peer):
            self.stop(d, [ids[d.name]])
        base = statistics.median(bare)
        ours, peer = (statistics.median(both[n]) for n in ('ours', 'peer'))
        b.row('runtime alone: exec', base, base, 'ms', '')
        b.row('exec of /bin/true, from exec to delete', ours, peer, 'ms', '')
        b.row('  above the bare exec', ours - base, peer - base, 'ms', '<= 3 ms')

    def parallel(self):
        b = self.bench
        spec = self.spec('true', ['/bin/true'])
        b.row('lives of /bin/true, 4 side by side',
              *b.alternate(lambda d: b.run('parallel', d.sock, d.parent, spec, 40, 4)[0]), '1/s', 'ratio >= 1.4')

    def output(self):
        b = self.bench
        spec = self.spec('output', ['/bin/dd', 'if=/dev/zero', 'bs=1M', 'count=2048'])

        def one(d):
            rate, size = b.run('output', d.sock, d.parent, spec, f'{d.dir}/out')
            assert size == 2048 << 20, f'{d.name}: {size} bytes'
            return rate
        b.row('2 GiB of output', *b.alternate(one), 'MB/s', 'ratio >= 2.5')

    def idle(self):
        """200 idle containers of ours beside as many of the peer."""
        b, count, got = self.bench, 200, {}
        spec = self.spec('sleep200', ['/bin/sleep', '10000'])
        for d in (b.ours, b.peer):
            self.stop(d, self.start(d, spec, 3))  # what the first ones bring along does not count
            time.sleep(1)
            before = self.pss(d.proc.pid)
            ids = self.start(d, spec, count)
            os.sync()
            time.sleep(3)
            shims = self.shims_of(d.sock)
            before_idle = [self.wakeups(p) for p in (d.proc.pid, *shims)]
            time.sleep(10)
            after = [self.wakeups(p) for p in (d.proc.pid, *shims)]
            wake = sum(max(0, a - b) for a, b in zip(after, before_idle))  # less: a thread has ended
            got[d.name] = (statistics.median(self.pss(p) for p in shims), (self.pss(d.proc.pid) - before) / count, wake / 10)
            self.stop(d, ids)
        rows = (('shim PSS, 200 idle containers', 'KiB', '<= 300 KiB'), ('  growth of the daemon for each', 'KiB', '<= 20 KiB'),
                ('  wake-ups of daemon and shims', '1/s', '0'))
        for i, (name, unit, limit) in enumerate(rows):
            b.row(name, got['ours'][i], got['peer'][i], unit, limit)

    def group(self):
        b, got = self.bench, {}
        for d in (b.ours, b.peer):
            spec = self.spec(f'group-{d.name}', ['/bin/sleep', '10000'], {'io.containerd.runc.v2.group': f'g{os.getpid()}'})
            ids = self.start(d, spec, 50)
            os.sync()
            time.sleep(3)  # until it is at rest
            shims = self.shims_of(d.sock)
            assert len(shims) == 1, f'{d.name}: {len(shims)} shims'
            got[d.name] = self.pss(shims[0])
            self.stop(d, ids)
        b.row('one shim with 50 grouped containers, PSS', got['ours'], got['peer'], 'KiB', '<= 1024 KiB')
