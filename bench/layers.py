#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An OCI archive with two gzip layers, 730 MB and 22,000 files, of what Debian packages installed in /usr.

Usage: layers.py DIRECTORY; leaves layer-1.tar.gz, layer-2.tar.gz, image.tar and manifest (its digest) there."""
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

FILES, BYTES = 22000, 730_000_000


def files():
    """Regular files and links of /usr as (path, stat), sorted, none over 40 MB, until both figures are met."""
    small, large = [], []
    for top in ('/usr/bin', '/usr/lib', '/usr/share', '/usr/include'):
        for here, dirs, names in os.walk(top):
            dirs.sort()
            for name in sorted(names):
                path = os.path.join(here, name)
                st = os.lstat(path)
                if st.st_size < 40_000_000 and os.path.isfile(path):
                    (small if st.st_size < 32768 else large).append((path, st.st_size))
    picked = small[:FILES * 3 // 4]
    left = BYTES - sum(n for _, n in picked)
    for path, n in large:
        # What is left is spread over the files that are left.
        if len(picked) < FILES and n <= min(left, 8 * left // (FILES - len(picked))):
            picked.append((path, n))
            left -= n
    picked = [path for path, _ in picked]
    return sorted(picked)


def write_layer(out, name, paths):
    """Returns digest and size of the packed layer and the digest of the tar in it."""
    diff, packed = hashlib.sha256(), hashlib.sha256()
    path = os.path.join(out, name)
    with open(path, 'wb') as f:
        gzip = subprocess.Popen(['gzip', '-6', '-n'], stdin=subprocess.PIPE, stdout=f)

        class Tee:
            def write(self, data):
                diff.update(data)
                gzip.stdin.write(data)
                return len(data)

        with tarfile.open(fileobj=Tee(), mode='w|', format=tarfile.PAX_FORMAT) as tar:
            done = set()
            for p in paths:
                parts = p.strip('/').split('/')
                for i in range(1, len(parts)):
                    d = '/'.join(parts[:i])
                    if d not in done:
                        done.add(d)
                        tar.add('/' + d, d, recursive=False)
                tar.add(p, p.strip('/'), recursive=False)
        gzip.stdin.close()
        gzip.wait()
    with open(path, 'rb') as f:
        while data := f.read(1 << 20):
            packed.update(data)
    return packed.hexdigest(), os.path.getsize(path), diff.hexdigest()


def write_image(out, layers):
    blobs = {}

    def put(document):
        data = json.dumps(document).encode()
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {'digest': f'sha256:{digest}', 'size': len(data)}

    oci = 'application/vnd.oci.image.'
    config = put({'architecture': 'amd64', 'os': 'linux', 'config': {},
                  'rootfs': {'type': 'layers', 'diff_ids': [f'sha256:{d}' for _, _, d in layers]}})
    manifest = put({'schemaVersion': 2, 'mediaType': oci + 'manifest.v1+json',
                    'config': {'mediaType': oci + 'config.v1+json', **config},
                    'layers': [{'mediaType': oci + 'layer.v1.tar+gzip', 'digest': f'sha256:{d}', 'size': n}
                               for d, n, _ in layers]})
    index = {'schemaVersion': 2, 'manifests': [
        {'mediaType': oci + 'manifest.v1+json', 'platform': {'architecture': 'amd64', 'os': 'linux'},
         'annotations': {'io.containerd.image.name': 'docker.io/library/layers:1'}, **manifest}]}
    with tarfile.open(os.path.join(out, 'image.tar'), 'w') as tar:
        def add(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        add('oci-layout', b'{"imageLayoutVersion":"1.0.0"}')
        add('index.json', json.dumps(index).encode())
        for digest, data in blobs.items():
            add(f'blobs/sha256/{digest}', data)
        for i, (digest, _, _) in enumerate(layers):
            tar.add(os.path.join(out, f'layer-{i + 1}.tar.gz'), f'blobs/sha256/{digest}')
    with open(os.path.join(out, 'manifest'), 'w') as f:
        f.write(manifest['digest'])


def main(out):
    paths = files()
    # Every second file: both layers go into the same directories, as layers do.
    halves = [paths[::2], paths[1::2]]
    write_image(out, [write_layer(out, f'layer-{i + 1}.tar.gz', h) for i, h in enumerate(halves)])
    size = sum(os.lstat(p).st_size for p in paths)
    print(f'{len(paths)} files, {size / 1e6:.0f} MB')


main(sys.argv[1])
