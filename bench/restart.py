# SPDX-License-Identifier: Apache-2.0
"""Rows about replacing a daemon that has many containers, and about shims that hang."""
import json
import os
import re
import signal
import statistics
import subprocess
import time

COUNT = 200
MOVES = 10
PAUSE = 0.5  # so that one is not measured by what the last has left to do


class Restart:
    """Steps of run.py's Bench over our daemon; Debian's has no part in most of it."""

    def __init__(self, bench, daemon, shims_of):
        self.b = bench
        self.d = daemon
        self.shims_of = shims_of
        self.hammer = os.path.join(bench.args.build, 'tests/integration/hot/hot_client')

    def fill(self):
        spec = self.b.make_spec(f'{self.b.tmp}/many.json', ['/bin/sleep', '10000'], '')
        data = json.load(open(spec))
        del data['linux']['cgroupsPath']
        json.dump(data, open(spec, 'w'))
        self.ids = [f'many-{os.getpid()}-{i}' for i in range(COUNT)]
        for i in self.ids:
            self.b.run('start', self.d.sock, self.d.parent, spec, i)

    def log(self):
        with open(f'{self.d.dir}/log') as f:
            return f.read()

    def plain(self):
        self.d.stop()
        boots = []
        for _ in range(self.b.args.rounds + 1):
            time.sleep(PAUSE)
            boots.append(self.b.run('boot', self.d.sock, *self.d.argv(), env=self.d.env)[0] / 1e3)
        self.b.row(f'restart with {COUNT} live containers', statistics.median(boots[1:]), 0, 'ms', '<= 150 ms')
        self.d.start()

    def replaced(self, known):
        """The process that has taken over."""
        end = time.time() + 30
        while self.log().count('another daemon has taken over') == known:
            if time.time() > end:
                raise RuntimeError('no takeover: ' + self.log()[-2000:])
            time.sleep(0.002)
        return int(re.findall(r'process=(\d+)', self.log())[-1])

    def hot(self):
        client = subprocess.Popen([self.hammer, 'hammer', self.d.sock, 'light'], stdout=subprocess.PIPE, text=True)
        pid, took = self.d.proc.pid, []
        for _ in range(MOVES):
            known = self.log().count('another daemon has taken over')
            start = time.time()
            os.kill(pid, signal.SIGUSR2)
            pid = self.replaced(known)
            took.append((time.time() - start) * 1e3)
            time.sleep(PAUSE)
        client.terminate()
        words = client.communicate()[0].split()
        gaps = [int(g) / 1e3 for g in re.findall(r'gap=(\d+)us', self.log())][-MOVES:]
        self.b.row('hot restart: signal to taken over', statistics.median(took), 0, 'ms', '')
        self.b.row('  nobody answers for', statistics.median(gaps), 0, 'ms', '<= 50 ms')
        self.b.row('  the longest time', max(gaps), 0, 'ms', '')
        self.b.row(f'  longest call of {words[1]}, {MOVES} times', float(words[5]) / 1e3, 0, 'ms', '')
        self.b.row('  failed calls', float(words[3]), 0, '', '0')
        self.d.adopt(pid)

    def frozen(self):
        shims = self.shims_of(self.d.sock)
        some = shims[:len(shims) // 5]
        healthy, hanging = self.split(some)
        before, after = [], []
        try:
            for _ in range(3 * self.b.args.rounds):
                before.append(self.p99(healthy))
                self.all(some, signal.SIGSTOP)
                after.append(self.p99(healthy))
                answered, last = self.b.run('asked', self.d.sock, 500, *hanging)
                self.all(some, signal.SIGCONT)
                time.sleep(PAUSE)
        finally:
            self.all(some, signal.SIGCONT)
        before, after = statistics.median(before), statistics.median(after)
        self.b.row('a fifth of the shims stopped: p99 of others', after, before, 'us', 'ratio <= 1.1')
        self.b.row(f'  calls to them, 500 ms: answered of {len(hanging)}', answered, 0, '', 'all')
        self.b.row('  the last one after', last / 1e3, 0, 'ms', '<= 550 ms')

    def split(self, pids):
        """A container whose shim runs, and those whose shims are in pids."""
        args = {p: open(f'/proc/{p}/cmdline').read().split('\0') for p in self.shims_of(self.d.sock)}
        hanging = [i for i in self.ids if any(i in args[p] for p in pids)]
        return next(i for i in self.ids if i not in hanging), hanging

    def p99(self, healthy):
        return self.b.run('tasks', self.d.sock, 1000, healthy)[1]

    def all(self, pids, signo):
        for pid in pids:
            os.kill(pid, signo)

    def restart(self):
        self.fill()
        self.plain()
        self.hot()
        self.frozen()
        for i in self.ids:
            self.b.run('stop', self.d.sock, i)
