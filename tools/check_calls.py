#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Refuses calls that this tree does without: unbounded, process-wide or thread-unsafe ones."""
import os
import re
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')

BANNED = {
    r'strcpy|strcat|sprintf|vsprintf|gets': 'unbounded: use base/buf.h or snprintf',
    r'strtok|localtime|strerror|getpwnam|getpwuid|getgrnam|getgrgid|setenv|putenv':
        'shared state of the process',
    r'atoi|atol|atoll': 'no error on garbage: use str_u64() and friends',
    r'system|popen': 'no shell: use os/spawn.h',
    r'fork|vfork': 'no fork without exec: use os/spawn.h',
    r'alloca': 'sizes from outside end the stack',
    r'usleep|sleep': 'wait for the event, not for time',
    r'signal': 'signals are blocked and read by the loop',
}
# Raw allocation and close belong to base/ and os/ only.
HOMED = {r'malloc|calloc|realloc|strdup|strndup|asprintf|vasprintf': ('base/', 'use base/mem.h')}
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)


def blank(match):
    return re.sub(r'[^\n]', ' ', match.group(0))


def main():
    problems = []
    for top, _, files in os.walk(os.path.join(TOP, 'src')):
        for name in files:
            if not name.endswith(('.c', '.h')):
                continue
            path = os.path.join(top, name)
            rel = os.path.relpath(path, os.path.join(TOP, 'src'))
            text = COMMENT.sub(blank, open(path, encoding='utf-8').read())
            for pattern, why in BANNED.items():
                for m in re.finditer(r'(?<![\w.>])(' + pattern + r')\s*\(', text):
                    line = text.count('\n', 0, m.start()) + 1
                    problems.append(f'src/{rel}:{line}: {m.group(1)}(): {why}')
            for pattern, (home, why) in HOMED.items():
                if rel.startswith(home):
                    continue
                for m in re.finditer(r'(?<![\w.>])(' + pattern + r')\s*\(', text):
                    line = text.count('\n', 0, m.start()) + 1
                    problems.append(f'src/{rel}:{line}: {m.group(1)}(): {why}')
    for line in problems:
        print(line)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
