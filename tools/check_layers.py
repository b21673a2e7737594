#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Refuses includes that the layer table (tools/layers.toml) does not allow, and circles in it."""
import os
import re
import sys

try:
    import tomllib
except ImportError:
    tomllib = None

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def load_table(path):
    if tomllib:
        with open(path, 'rb') as f:
            return tomllib.load(f)
    # The table uses a small part of TOML; python before 3.11 (Debian 12 has 3.11) reads it here.
    table, section, key = {}, None, None
    text = open(path).read()
    for match in re.finditer(r'^\[(\w+)\]$|^"?([\w./-]+(?:\+\+/)?)"?\s*=\s*\[([^\]]*)\]', text, re.M):
        if match.group(1):
            section = table.setdefault(match.group(1), {})
        else:
            section[match.group(2)] = re.findall(r'"([^"]+)"', match.group(3))
    return table


def find_circle(edges):
    state = {}

    def visit(node, path):
        if state.get(node) == 'done':
            return None
        if node in path:
            return path[path.index(node):] + [node]
        for to in edges.get(node, []):
            found = visit(to, path + [node])
            if found:
                return found
        state[node] = 'done'
        return None

    for start in edges:
        found = visit(start, [])
        if found:
            return found
    return None


def folder_of(path, rows):
    """The row a file below src/ belongs to: the longest row name that is its prefix."""
    parts = path.split('/')
    for n in range(len(parts) - 1, 0, -1):
        name = '/'.join(parts[:n])
        if name in rows:
            return name
    return None


def check_file(path, rel, rows, third, problems):
    folder = folder_of(rel, rows)
    if folder is None:
        problems.append(f'src/{rel}: its folder has no row in tools/layers.toml')
        return
    allowed = set(rows[folder]) | {folder}
    with open(path, encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(2)
            where = f'src/{rel}:{number}'
            for prefix, homes in third.items():
                if target.startswith(prefix) and folder not in homes:
                    problems.append(f'{where}: {target} has its home in {homes or "no folder of the tree"}')
            if match.group(1) != '"':
                continue
            if target.startswith('ctrd/'):
                if 'ctrd' not in allowed:
                    problems.append(f'{where}: {folder} may not include the public headers')
                continue
            to = folder_of(target, rows)
            if to is None:
                if '/' not in target:
                    problems.append(f'{where}: include by path from src/: {target}')
                elif target.startswith('tests/'):
                    problems.append(f'{where}: src/ includes nothing of tests/')
                continue
            if to not in allowed:
                problems.append(f'{where}: {folder} may not include {to} ({target})')
            elif to != folder and target.endswith('_priv.h'):
                problems.append(f'{where}: {target} is private to {to}')


def main():
    table = load_table(os.path.join(TOP, 'tools', 'layers.toml'))
    rows, third = table['may_include'], table['third_party']
    problems = []
    circle = find_circle(rows)
    if circle:
        problems.append('circle in tools/layers.toml: ' + ' -> '.join(circle))
    for top, _, files in os.walk(os.path.join(TOP, 'src')):
        for name in files:
            if name.endswith(('.c', '.h', '.cc', '.def')):
                path = os.path.join(top, name)
                rel = os.path.relpath(path, os.path.join(TOP, 'src'))
                check_file(path, rel, rows, third, problems)
    for top, _, files in os.walk(os.path.join(TOP, 'include')):
        for name in files:
            if not name.endswith('.h'):
                continue
            for number, line in enumerate(open(os.path.join(top, name)), 1):
                match = INCLUDE.match(line)
                if match and match.group(1) == '"' and not match.group(2).startswith('ctrd/'):
                    problems.append(f'include/ctrd/{name}:{number}: public headers include only ctrd/')
    for line in problems:
        print(line)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
