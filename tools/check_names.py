#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""House rules on files: SPDX line, unique names, README per folder of at most 60 lines, decisions."""
import os
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
HEADINGS = ['What it is for', 'The types to know', 'Which thread it runs on', 'What it may include',
            'How to test it']
ENTRY_POINTS = {'main.c', 'meson.build', 'README.md'}


def check_readme(folder, problems):
    path = os.path.join(folder, 'README.md')
    rel = os.path.relpath(folder, TOP)
    if not os.path.exists(path):
        problems.append(f'{rel}: no README.md')
        return
    text = open(path, encoding='utf-8').read()
    if text.count('\n') > 60:
        problems.append(f'{rel}/README.md: over 60 lines')
    for heading in HEADINGS:
        if heading.lower() not in text.lower():
            problems.append(f'{rel}/README.md: no heading "{heading}"')


def main():
    problems, seen = [], {}
    src = os.path.join(TOP, 'src')
    for top, dirs, files in os.walk(src):
        if any(f.endswith(('.c', '.cc')) for f in files) and os.path.dirname(top) == src:
            check_readme(top, problems)
        for name in files:
            path = os.path.join(top, name)
            rel = os.path.relpath(path, TOP)
            if name.endswith(('.c', '.cc')) and name not in ENTRY_POINTS:
                if name in seen:
                    problems.append(f'{rel}: same name as {seen[name]}')
                seen[name] = rel
    design = os.path.join(TOP, 'docs', 'design')
    index = open(os.path.join(design, 'README.md'), encoding='utf-8').read()
    problems += [f'docs/design/{name}: not in the README there' for name in sorted(os.listdir(design))
                 if name != 'README.md' and f']({name})' not in index]
    for base in ('src', 'include', 'tests', 'tools', 'bench', 'proto'):
        for top, _, files in os.walk(os.path.join(TOP, base)):
            for name in files:
                if not name.endswith(('.c', '.h', '.cc', '.py', '.sh', '.bats', '.bash', '.proto', '.def')):
                    continue
                path = os.path.join(top, name)
                head = open(path, encoding='utf-8', errors='replace').read(400)
                if 'SPDX-License-Identifier: Apache-2.0' not in head:
                    problems.append(f'{os.path.relpath(path, TOP)}: no SPDX line')
                if 'TODO' in head:
                    problems.append(f'{os.path.relpath(path, TOP)}: TODO without an issue')
    for line in problems:
        print(line)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
