#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Throws bytes at a unix socket as no honest client would. Usage: garbage.py SOCKET KIND

Kinds: random, preface-random, truncated, huge-frame, huge-headers, huge-message,
bad-path, ttrpc-huge,
ttrpc-truncated, ttrpc-random, many. Bounded in bytes, count and time; prints what came back."""
import random
import socket
import struct
import sys

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'


def frame(kind, flags, stream, payload):
    return struct.pack('>I', len(payload))[1:] + bytes([kind, flags]) + struct.pack('>I', stream) + payload


SETTINGS = frame(4, 0, 0, b'')


def literal(name, value):
    def text(s):
        n = len(s)
        if n < 127:
            return bytes([n]) + s
        out, n = b'\x7f', n - 127
        while n >= 128:
            out += bytes([n & 127 | 128])
            n >>= 7
        return out + bytes([n]) + s
    return b'\x00' + text(name) + text(value)


def headers(path, extra=b''):
    return (literal(b':method', b'POST') + literal(b':scheme', b'http') + literal(b':path', path)
            + literal(b':authority', b'localhost') + literal(b'content-type', b'application/grpc')
            + literal(b'te', b'trailers') + extra)


def talk(path, data, wait=0.5):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(wait)
    s.connect(path)
    got = b''
    try:
        s.sendall(data)
        while True:
            part = s.recv(65536)
            if not part:
                break
            got += part
    except (socket.timeout, BrokenPipeError, ConnectionResetError):
        pass
    s.close()
    return got


def ends_with_trailers(got):
    """A HEADERS frame that ends its stream: a status, not a reset."""
    at = 0
    while at + 9 <= len(got):
        size, kind, flags = int.from_bytes(got[at:at + 3], 'big'), got[at + 3], got[at + 4]
        if kind == 1 and flags & 1:
            return True
        at += 9 + size
    return False


def main():
    path, kind = sys.argv[1:3]
    rnd = random.Random(7)
    noise = bytes(rnd.randrange(256) for _ in range(65536))
    version = b'/containerd.services.version.v1.Version/Version'
    call = frame(1, 4, 1, headers(version))
    if kind == 'random':
        for i in range(20):
            talk(path, noise[i * 1000:i * 1000 + 5000], 0.05)
    elif kind == 'preface-random':
        for i in range(20):
            talk(path, PREFACE + SETTINGS + noise[i * 1000:i * 1000 + 5000], 0.05)
    elif kind == 'truncated':
        whole = PREFACE + SETTINGS + call + frame(0, 1, 1, b'\0\0\0\0\0')
        for n in range(0, len(whole), 7):
            talk(path, whole[:n], 0.01)
    elif kind == 'huge-frame':
        talk(path, PREFACE + SETTINGS + b'\xff\xff\xff\x00\x00' + struct.pack('>I', 1) + noise)
    elif kind == 'huge-headers':
        big = b''.join(literal(b'x-%d' % i, b'v' * 200) for i in range(70))
        got = talk(path, PREFACE + SETTINGS + frame(1, 4, 1, headers(version, big)[:16384]))
        print(len(got))
    elif kind == 'huge-message':
        # A length prefix of 4 GiB with nothing behind it.
        got = talk(path, PREFACE + SETTINGS + call + frame(0, 0, 1, b'\0\xff\xff\xff\xff'))
        print('answered' if ends_with_trailers(got) else got)
    elif kind == 'bad-path':
        for p in (b'nothing', b'/', b'//', b'/a', b'/a/b', b'/a/b/c', b'*', version + b'x'):
            got = talk(path, PREFACE + SETTINGS + frame(1, 4, 1, headers(p)) + frame(0, 1, 1, b'\0\0\0\0\0'), 0.3)
            print(p.decode(), ends_with_trailers(got))
    elif kind == 'ttrpc-huge':
        talk(path, struct.pack('>IIBB', 0xffffffff, 1, 1, 0) + noise)
    elif kind == 'ttrpc-truncated':
        whole = struct.pack('>IIBB', 20, 1, 1, 0) + b'\x0a\x12' + b'a' * 18
        for n in range(len(whole)):
            talk(path, whole[:n], 0.01)
    elif kind == 'ttrpc-random':
        for i in range(20):
            talk(path, noise[i * 1000:i * 1000 + 5000], 0.05)
    elif kind == 'many':
        idle = []
        for _ in range(500):
            s = socket.socket(socket.AF_UNIX)
            s.connect(path)
            idle.append(s)
        for s in idle:
            s.close()
    else:
        sys.exit('unknown kind')


main()
