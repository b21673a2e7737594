# SPDX-License-Identifier: Apache-2.0
"""Unix socket proxies that write down the protobuf messages passing through them.

A record is one line: "<service> <method> <what> <hex>". what is request or response; for ttrpc
the envelopes are kept too, as service "ttrpc", method "Request" or "Response", what "message".
Needs python3-hpack.
"""
import os
import socket
import struct
import threading

import hpack

PREFACE = 24
DATA, HEADERS, CONTINUATION = 0, 1, 9
END_HEADERS, PADDED, PRIORITY = 0x4, 0x8, 0x20


class Log:
    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def add(self, service, method, what, data):
        os.write(self.fd, f"{service} {method} {what} {data.hex() or '-'}\n".encode())


class GrpcTap:
    """Both directions of one HTTP/2 connection."""

    def __init__(self, log):
        self.log = log
        self.paths = {}  # stream id -> (service, method)
        self.lock = threading.Lock()
        self.sides = {"request": GrpcSide(self, "request", PREFACE),
                      "response": GrpcSide(self, "response", 0)}

    def feed(self, what, data):
        with self.lock:
            self.sides[what].feed(data)


class GrpcSide:
    def __init__(self, tap, what, skip):
        self.tap, self.what, self.skip = tap, what, skip
        self.bytes, self.block, self.messages = b"", b"", {}
        self.decoder = hpack.Decoder()

    def feed(self, data):
        self.bytes += data
        if self.skip:
            if len(self.bytes) < self.skip:
                return
            self.bytes, self.skip = self.bytes[self.skip:], 0
        while len(self.bytes) >= 9:
            size = int.from_bytes(self.bytes[:3], "big")
            if len(self.bytes) < 9 + size:
                return
            kind, flags, stream = struct.unpack(">BBI", self.bytes[3:9])
            body, self.bytes = self.bytes[9:9 + size], self.bytes[9 + size:]
            self.frame(kind, flags, stream & 0x7fffffff, body)

    def frame(self, kind, flags, stream, body):
        if kind not in (DATA, HEADERS, CONTINUATION):
            return
        if kind != CONTINUATION and flags & PADDED:
            body = body[1:len(body) - body[0]]
        if kind == HEADERS and flags & PRIORITY:
            body = body[5:]
        if kind == DATA:
            self.data(stream, body)
            return
        self.block += body
        if flags & END_HEADERS:
            headers = dict(self.decoder.decode(self.block, raw=True))
            self.block = b""
            path = headers.get(b":path")
            if path is not None:
                self.tap.paths[stream] = path.decode().strip("/").split("/")

    def data(self, stream, body):
        rest = self.messages.get(stream, b"") + body
        while len(rest) >= 5:
            size = int.from_bytes(rest[1:5], "big")
            if len(rest) < 5 + size:
                break
            self.tap.log.add(*self.tap.paths[stream], self.what, rest[5:5 + size])
            rest = rest[5 + size:]
        self.messages[stream] = rest


def fields(data):
    """The length-delimited fields of a message: [(number, bytes)]."""
    found, at = [], 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        size = {0: 0, 1: 8, 5: 4}.get(tag & 7)
        if tag & 7 == 0:
            varint()
        elif tag & 7 == 2:
            size = varint()
            found.append((tag >> 3, data[at:at + size]))
        at += size
    return found


class TtrpcTap:
    """Both directions of one ttrpc connection."""

    def __init__(self, log):
        self.log = log
        self.calls = {}
        self.bytes = {"request": b"", "response": b""}
        self.lock = threading.Lock()

    def feed(self, what, data):
        with self.lock:
            rest = self.bytes[what] + data
            while len(rest) >= 10:
                size, stream, kind, _ = struct.unpack(">IIBB", rest[:10])
                if len(rest) < 10 + size:
                    break
                self.frame(kind, stream, rest[10:10 + size])
                rest = rest[10 + size:]
            self.bytes[what] = rest

    def frame(self, kind, stream, body):
        parts = dict(reversed(fields(body)))
        if kind == 1:
            self.log.add("ttrpc", "Request", "message", body)
            self.calls[stream] = (parts[1].decode(), parts[2].decode())
            self.log.add(*self.calls[stream], "request", parts.get(3, b""))
        elif kind == 2:
            self.log.add("ttrpc", "Response", "message", body)
            if 1 not in parts:
                self.log.add(*self.calls[stream], "response", parts.get(2, b""))


def copy(source, target, tap, what):
    try:
        while data := source.recv(65536):
            tap.feed(what, data)
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def connect(upstream):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(upstream)
    return sock


def serve(listen, upstream, tap_class, log):
    """Accepts for ever; one tap per connection. Returns the listening socket's thread."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(listen)
    server.listen(64)

    def loop():
        while True:
            client, _ = server.accept()
            try:
                remote = connect(upstream)
            except OSError:
                client.close()
                continue
            tap = tap_class(log)
            for args in ((client, remote, tap, "request"), (remote, client, tap, "response")):
                threading.Thread(target=copy, args=args, daemon=True).start()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    return thread
