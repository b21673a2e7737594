#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hostile_images.py KIND FILE: an OCI archive that no honest tool makes."""
import gzip
import hashlib
import io
import json
import sys
import tarfile
import zlib

OCI = 'application/vnd.oci.image.'
PLATFORM = {'architecture': 'amd64', 'os': 'linux'}


class Image:
    def __init__(self):
        self.blobs = {}
        self.index = None

    def put(self, data, media_type):
        if not isinstance(data, bytes):
            data = json.dumps(data).encode()
        digest = 'sha256:' + hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return {'mediaType': OCI + media_type, 'digest': digest, 'size': len(data)}

    def manifest(self, layers, diffs, **more):
        config = self.put({**PLATFORM, 'config': {}, 'rootfs': {'type': 'layers', 'diff_ids': diffs}}, 'config.v1+json')
        document = {'schemaVersion': 2, 'mediaType': OCI + 'manifest.v1+json', 'config': config, 'layers': layers, **more}
        return {**self.put(document, 'manifest.v1+json'), 'platform': PLATFORM}

    def layer(self, tar, packed=None, diff=None):
        """A manifest with this one layer."""
        layer = self.put(packed or gzip.compress(tar, 1), 'layer.v1.tar+gzip')
        return self.manifest([layer], [diff or 'sha256:' + hashlib.sha256(tar).hexdigest()])

    def write(self, path, top, padding=b''):
        top = {**top, 'annotations': {'io.containerd.image.name': 'docker.io/library/hostile:1'}}
        index = json.dumps({'schemaVersion': 2, 'manifests': [top]}).encode() + padding
        with tarfile.open(path, 'w') as tar:
            def add(name, data):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))

            add('oci-layout', b'{"imageLayoutVersion":"1.0.0"}')
            add('index.json', index)
            for digest, data in self.blobs.items():
                add('blobs/' + digest.replace(':', '/'), data)


def tar_of(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w') as tar:
        for name, fields in entries:
            info = tarfile.TarInfo(name)
            data = fields.pop('data', b'')
            info.size = len(data)
            for key, value in fields.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def small():
    return tar_of(('f', {'data': b'x'}))


def graph(image, depth, width):
    """Indexes of indexes: width to the power of depth ways to one manifest."""
    here = image.layer(small())
    for level in range(depth):
        document = {'schemaVersion': 2, 'mediaType': OCI + 'index.v1+json', 'manifests': [here] * width,
                    'annotations': {'level': str(level)}}
        here = image.put(document, 'index.v1+json')
    return here


def bomb():
    """16 GiB of zeros in a file of 16 MiB."""
    head = tarfile.TarInfo('zeros')
    head.size = 16 << 30
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    out = [pack.compress(head.tobuf(tarfile.GNU_FORMAT)), pack.flush(zlib.Z_FULL_FLUSH)]
    # What a full flush leaves stands for itself, so one piece can be repeated.
    piece = pack.compress(bytes(64 << 20)) + pack.flush(zlib.Z_FULL_FLUSH)
    return b''.join(out) + piece * 256


def make(kind, path):
    image = Image()
    padding = b''
    if kind == 'wide-graph':
        top = graph(image, 2, 256)
    elif kind == 'deep-graph':
        top = graph(image, 40, 2)
    elif kind == 'large-index':
        top, padding = image.layer(small()), b' ' * (64 << 20)
    elif kind == 'two-kinds':
        top = image.manifest([], [], manifests=[image.layer(small())])
    elif kind == 'other-diff':
        top = image.layer(small(), diff='sha256:' + '0' * 64)
    elif kind == 'bomb':
        top = image.layer(b'', packed=bomb())
    elif kind == 'bad-digest':
        top = image.layer(small())
        top['digest'] = 'sha256:../../../../etc/passwd'
    elif kind == 'subject':
        layer = image.put(gzip.compress(small()), 'layer.v1.tar+gzip')
        top = image.manifest([layer], ['sha256:' + hashlib.sha256(small()).hexdigest()],
                             subject={'mediaType': 'x', 'digest': 'sha256:nothing', 'size': -1},
                             annotations={'io.containerd.manifest.subject': 'no:digest:at all'})
    elif kind == 'escape':
        top = image.layer(tar_of(
            ('out', {'type': tarfile.SYMTYPE, 'linkname': '/'}),
            ('out/ctrd-escaped', {'data': b'x'}), ('../../../../../../ctrd-escaped', {'data': b'x'}),
            ('up', {'type': tarfile.SYMTYPE, 'linkname': '../' * 20}), ('up/ctrd-escaped', {'data': b'x'})))
    elif kind == 'hardlink':
        top = image.layer(tar_of(('h', {'type': tarfile.LNKTYPE, 'linkname': '../../../../../../etc/passwd'})))
    else:
        sys.exit(f'unknown kind {kind}')
    image.write(path, top, padding)


make(sys.argv[1], sys.argv[2])
