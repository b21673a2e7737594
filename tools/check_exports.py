#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Public functions are the same in headers, version script, library and manual page; flags and
commands of ctr's tables are in its page. Prints what differs. Usage: check_exports.py [BUILD]"""
import glob
import os
import re
import subprocess
import sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
bad = []


def read(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def differ(name, have, want):
    bad.extend(f'{name}: {s} is missing' for s in sorted(want - have))
    bad.extend(f'{name}: {s} is in no header' for s in sorted(have - want))


def declared():
    names = set()
    for path in glob.glob('include/ctrd/**/*.h', recursive=True):
        text = re.sub(r'/\*.*?\*/', '', read(path), flags=re.S)
        names |= set(re.findall(r'CTRD_API\s+[^;]*?\b(ctrd_\w+)\s*\(', text))
    return names


def exported(library):
    out = subprocess.run(['nm', '-D', '--defined-only', library], capture_output=True, text=True, check=True)
    return {line.split()[-1].split('@')[0] for line in out.stdout.splitlines() if ' T ' in line}


public = declared()
differ('src/client/libctrd.map', set(re.findall(r'^\t(ctrd_\w+);', read('src/client/libctrd.map'), re.M)), public)
differ('man/libctrd.3', set(re.findall(r'^\.Fn (ctrd_\w+)', read('man/libctrd.3'), re.M)), public)
if len(sys.argv) > 1 and os.path.exists(os.path.join(sys.argv[1], 'libctrd.so')):
    differ('libctrd.so', exported(os.path.join(sys.argv[1], 'libctrd.so')), public)

page = read('man/ctr.8')
flags = set(re.findall(r'-([A-Za-z][\w-]*)', ' '.join(re.findall(r'Fl [^\n]*', page))))
for path in glob.glob('src/cmd/ctr/*.[ch]'):
    source = read(path).replace('\\\n', ' ')
    rows = re.findall(r'(?:FLAG|CONTAINER_TEXT|CONTAINER_LIST|CONTAINER_SWITCH)\(\s*"([^"]+)"', source)
    for row in rows:
        long = row.split(',')[0]
        if len(long) > 1 and long not in flags:
            bad.append(f'man/ctr.8: --{long} of {path} is missing')
    for row in re.findall(r'\.names = "([^"]+)"', source):
        command = row.split(',')[0]
        if command != 'ctr' and not re.search(rf'\b{re.escape(command)}\b', page):
            bad.append(f'man/ctr.8: command {command} of {path} is missing')

print('\n'.join(bad), end='\n' if bad else '')
sys.exit(1 if bad else 0)
