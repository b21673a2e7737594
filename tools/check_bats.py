#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lines of bats files that look like a check and are none: the shell's -e passes over "! command" and over
all but the last of "[ … ] && [ … ]". Only as the last line of a function do they count."""
import glob
import os
import re
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
TEST = r'(\[\[ .*?\]\]|\[ .*? \])'
NOT_CHECKED = re.compile(rf'\s+(! |{TEST} && {TEST})')


def next_line(lines, i):
    return next((line for line in lines[i + 1:] if line.strip()), '')


def unchecked(path):
    lines = open(path, encoding='utf-8').read().split('\n')
    for i, line in enumerate(lines):
        if not NOT_CHECKED.match(line) or '||' in line or line.endswith(('&&', '\\')):
            continue
        if not re.match(r'}|\s*return\b', next_line(lines, i)):
            yield f'{os.path.relpath(path, TOP)}:{i + 1}: nobody sees whether this holds: {line.strip()}'


def main():
    problems = [p for kind in ('bats', 'bash') for path in sorted(glob.glob(f'{TOP}/tests/**/*.{kind}', recursive=True))
                for p in unchecked(path)]
    print('\n'.join(problems))
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
