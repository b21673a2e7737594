#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What documents name exists: files, folders, links, `functions()` and `struct types`, targets of make, and the
tests that stand behind the name of their file."""
import os
import re
import subprocess
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
ENDING = r'\.(?:c|h|md|py|sh|bash|bats|toml|def|proto|build|supp)\b'
FILE = re.compile(rf'(?<![\w./*<>$-])[\w./-]*\w{ENDING}(?!\.\d)')
PLACE = re.compile(r'(?<![\w/.<$-])(?:src|tests|docs|tools|bench|man|proto|include)/[\w./-]*\w(?![\w*<-])')
CODE = ('.c', '.h', '.def', '.py', '.bash', '.sh', '.bats', '.build', '.proto', '.toml')
# Of users, generated, or a pattern.
FOREIGN = {'config.toml', 'containerd-config.toml', 'hosts.toml', 'lmdb.h', 'NNN-title.md'}
GENERATED = re.compile(r'\.pb-c\.|^\w+__\w+')


def tracked():
    out = subprocess.run(['git', '-C', TOP, 'ls-files', '-co', '--exclude-standard'], capture_output=True, text=True)
    return [f for f in out.stdout.split('\n') if f and os.path.exists(f'{TOP}/{f}')]


def text_of(path):
    with open(f'{TOP}/{path}', encoding='utf-8', errors='replace') as f:
        return f.read()


class Tree:
    def __init__(self):
        self.files = tracked()
        self.set = set(self.files)
        self.folders = {f[:i] for f in self.files for i, c in enumerate(f) if c == '/'}
        self.words = set(re.findall(r'\w+', '\n'.join(
            text_of(f) for f in self.files if f.endswith(CODE) or os.path.basename(f) == 'Makefile')))
        self.targets = set(re.findall(r'^([a-z-]+):', text_of('Makefile'), re.M))

    def has(self, path, folder):
        near = os.path.normpath(os.path.join(folder, path))
        path = os.path.normpath(path).lstrip('./')
        return (os.path.basename(path) in FOREIGN or path in self.set or near in self.set or path in self.folders
                or near in self.folders or self.find(path) is not None)

    def has_number(self, path):
        """docs/design/020 for docs/design/020-….md"""
        return any(f.startswith(path + '-') for f in self.files)

    def find(self, path):
        return next((f for f in self.files if f == path or f.endswith('/' + path)), None)


def tests_in(line, tree):
    """Rules in backquotes behind the name of a test's file."""
    source = None
    for m in re.finditer(rf'([\w/]*\w{ENDING})|`([a-z]\w*_\w+)`', line):
        if m.group(1):
            path = tree.find(os.path.normpath(m.group(1)))
            source = path if path and os.path.basename(path).startswith('test_') else None
        elif source and not re.search(rf'\b{m.group(2)}\(', text_of(source)):
            yield f'{source} has no {m.group(2)}'


def missing(line, folder, tree):
    for m in FILE.finditer(line):
        if not GENERATED.search(m.group(0)) and not tree.has(m.group(0), folder):
            yield f'no file {m.group(0)}'
    for m in PLACE.finditer(line):
        if not re.search(ENDING, m.group(0)) and not tree.has(m.group(0), folder) and not tree.has_number(m.group(0)):
            yield f'no place {m.group(0)}'
    for m in re.finditer(r'\]\((?!http)([^)#]+)', line):
        if not tree.has(m.group(1), folder):
            yield f'no {m.group(1)} to link to'
    for m in re.finditer(r'\b([a-z]\w+)\(\)|`(?:struct|enum) (\w+)`', line):
        name = m.group(1) or m.group(2)
        if name not in tree.words and not GENERATED.search(name):
            yield f'nothing is called {name}'
    for m in re.finditer(r'`make ([a-z-]+)', line):
        if m.group(1) not in tree.targets:
            yield f'no target {m.group(1)}'
    yield from tests_in(line, tree)


def main():
    tree = Tree()
    problems = [f'{f}:{i}: {p}' for f in tree.files if f.endswith('.md')
                for i, line in enumerate(text_of(f).split('\n'), 1) for p in missing(line, os.path.dirname(f), tree)]
    print('\n'.join(problems), end='\n' if problems else '')
    sys.exit(1 if problems else 0)


if __name__ == '__main__':
    main()
