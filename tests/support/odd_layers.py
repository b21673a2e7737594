#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""odd_layers.py make DIRECTORY: an OCI archive image.tar whose layers hold what tar can say, in every dialect, and the
manifest's digest in "manifest". odd_layers.py list DIRECTORY: all there is to see of a tree, one line per file."""
import gzip
import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import tarfile

CAPABILITY = bytes([1, 0, 0, 2, 0, 4] + [0] * 14)


def put(path, data=b'', mode=0o644):
    with open(path, 'wb') as f:
        f.write(data)
    os.chmod(path, mode)


def make_tree(top):
    os.makedirs(f'{top}/dir/sub', 0o750)
    os.makedirs(f'{top}/sticky')
    os.chmod(f'{top}/sticky', 0o1777)
    put(f'{top}/file', b'data\n')
    put(f'{top}/empty')
    put(f'{top}/setuid', b'x', 0o6755)
    put(f'{top}/dir/sub/owned', b'y' * 1000)
    os.chown(f'{top}/dir/sub/owned', 1000, 2000)
    os.chown(f'{top}/dir/sub', 33, 34)
    os.link(f'{top}/file', f'{top}/dir/hard')
    os.symlink('../file', f'{top}/dir/soft')
    os.symlink('/nowhere', f'{top}/dangling')
    os.link(f'{top}/dangling', f'{top}/hard-to-soft', follow_symlinks=False)
    os.mkfifo(f'{top}/fifo', 0o620)
    os.mknod(f'{top}/null', stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(f'{top}/disk', stat.S_IFBLK | 0o660, os.makedev(8, 255))
    put(f'{top}/ümläut', b'utf-8')
    for name in ('n' * 99, 'm' * 100):
        put(f'{top}/{name}', name.encode())
    os.utime(f'{top}/file', (1_000_000_000, 1_000_000_000))
    os.utime(f'{top}/dir/sub', ns=(5_000_000_000, 5_123_456_789))
    os.utime(f'{top}/dangling', (77, 77), follow_symlinks=False)


def make_long(top):
    deep = top + '/' + '/'.join(['directory' * 8] * 4)
    os.makedirs(deep)
    put(f'{deep}/' + 'long' * 50, b'deep')
    os.symlink('t' * 300, f'{top}/long-target')
    os.link(f'{deep}/' + 'long' * 50, f'{top}/link-to-deep')
    put(f'{top}/large-id', b'i')
    os.chown(f'{top}/large-id', 3_000_000, 4_000_000)


def make_sparse(top):
    for name, pieces in (('holes', (0, 100_000, 5_000_000)), ('end-hole', (4096,)), ('only-hole', ())):
        with open(f'{top}/{name}', 'wb') as f:
            for at in pieces:
                f.seek(at)
                f.write(name.encode() * 100)
            f.truncate(8_000_000)


def gnu_tar(top, *options):
    return subprocess.run(['tar', '-C', top, '--sort=name', '--numeric-owner', '-cf', '-', *options, '.'], check=True,
                          stdout=subprocess.PIPE).stdout


def entry(tar, name, kind=tarfile.REGTYPE, data=b'', **fields):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode, info.mtime = kind, len(data), 0o644, 1234
    for key, value in fields.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(data))


def first_by_hand():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.PAX_FORMAT) as tar:
        entry(tar, 'lower/', tarfile.DIRTYPE, mode=0o755)
        for name in ('gone', 'kept', 'replaced'):
            entry(tar, f'lower/{name}', data=name.encode())
        entry(tar, 'opaque/', tarfile.DIRTYPE, mode=0o700, uid=7)
        entry(tar, 'opaque/hidden', data=b'h')
        entry(tar, 'opaque/sub/hidden', data=b'h')
        entry(tar, 'real/', tarfile.DIRTYPE, mode=0o711, uid=8, gid=9)
        entry(tar, 'way', tarfile.SYMTYPE, linkname='real')
        entry(tar, 'abs', tarfile.SYMTYPE, linkname='/real')
        entry(tar, 'tree/a/b', data=b'tree')
    return out.getvalue()


def second_by_hand():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.PAX_FORMAT) as tar:
        entry(tar, 'lower/.wh.gone')
        entry(tar, 'lower/replaced', data=b'by this')
        entry(tar, 'opaque/', tarfile.DIRTYPE, mode=0o705, uid=7)
        entry(tar, 'opaque/.wh..wh..opq')
        entry(tar, 'opaque/new', data=b'n')
        entry(tar, 'real/through', data=b'no link on the way')
        entry(tar, '.wh.tree')
        entry(tar, 'twice', data=b'first')
        entry(tar, 'twice', data=b'second')
        entry(tar, './dots/../dots/./file', data=b'dots')
        entry(tar, '/absolute', data=b'abs')
        entry(tar, 'fine-times', pax_headers={'mtime': '1500000000.123456789', 'atime': '1600000000.5'})
        entry(tar, 'old-times', pax_headers={'mtime': '-100.5'})
        entry(tar, 'caps', mode=0o755, pax_headers={
            'SCHILY.xattr.user.note': 'a note', 'SCHILY.xattr.trusted.no': 'x',
            'SCHILY.xattr.security.capability': CAPABILITY.decode('latin-1')})
        entry(tar, 'hard', tarfile.LNKTYPE, linkname='real/through')
    return out.getvalue()


def all_layers(tmp):
    def tree(name, make, *options):
        top = os.path.join(tmp, name)
        if not os.path.isdir(top):
            os.mkdir(top)
            make(top)
        return gnu_tar(top, *options)

    yield tree('tree', make_tree, '--format=v7', '--exclude=./n*', '--exclude=./m*', '--exclude=./null',
               '--exclude=./disk', '--exclude=./fifo')
    for form in ('ustar', 'gnu', 'posix'):
        yield tree('tree', make_tree, f'--format={form}', f'--transform=s,^\\./,./{form}/,S')
    for form in ('gnu', 'posix'):
        yield tree('long', make_long, f'--format={form}', f'--transform=s,^\\./,./long-{form}/,S')
    # Not GNU's own form of sparse files (type S): the original refuses it, ours does not.
    for version in ('0.0', '0.1', '1.0'):
        yield tree('sparse', make_sparse, '--format=posix', '-S', f'--sparse-version={version}',
                   f'--transform=s,^\\./,./sparse-{version}/,S')
    yield first_by_hand()
    yield second_by_hand()


def make(out):
    blobs, diffs, layers = {}, [], []

    def put_blob(data, media_type):
        digest = 'sha256:' + hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {'mediaType': media_type, 'digest': digest, 'size': len(data)}

    oci = 'application/vnd.oci.image.'
    for data in all_layers(out):
        diffs.append('sha256:' + hashlib.sha256(data).hexdigest())
        layers.append(put_blob(gzip.compress(data, 1, mtime=0), oci + 'layer.v1.tar+gzip'))
    config = {'architecture': 'amd64', 'os': 'linux', 'config': {}, 'rootfs': {'type': 'layers', 'diff_ids': diffs}}
    manifest = put_blob(json.dumps({
        'schemaVersion': 2, 'mediaType': oci + 'manifest.v1+json', 'layers': layers,
        'config': put_blob(json.dumps(config).encode(), oci + 'config.v1+json')}).encode(), oci + 'manifest.v1+json')
    index = {'schemaVersion': 2, 'manifests': [{
        'platform': {'architecture': 'amd64', 'os': 'linux'},
        'annotations': {'io.containerd.image.name': 'docker.io/library/odd:1'}, **manifest}]}
    with tarfile.open(f'{out}/image.tar', 'w') as tar:
        entry(tar, 'oci-layout', data=b'{"imageLayoutVersion":"1.0.0"}')
        entry(tar, 'index.json', data=json.dumps(index).encode())
        for digest, data in blobs.items():
            entry(tar, 'blobs/' + digest.replace(':', '/'), data=data)
    put(f'{out}/manifest', manifest['digest'].encode())
    put(f'{out}/layers', str(len(layers)).encode())


def content_of(path, st):
    if stat.S_ISLNK(st.st_mode):
        return os.readlink(path)
    if stat.S_ISREG(st.st_mode):
        with open(path, 'rb') as f:
            return hashlib.sha256(f.read()).hexdigest()
    return f'{os.major(st.st_rdev)}:{os.minor(st.st_rdev)}' if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode) else ''


def list_tree(top):
    first = {}
    for here, dirs, names in os.walk(top):
        dirs.sort()
        for name in sorted(dirs + names):
            path = os.path.join(here, name)
            st = os.lstat(path)
            shown = os.path.relpath(path, top)
            twin = first.setdefault(st.st_ino, shown) if not stat.S_ISDIR(st.st_mode) else shown
            attrs = {a: os.getxattr(path, a, follow_symlinks=False).hex()
                     for a in sorted(os.listxattr(path, follow_symlinks=False))}
            size = '' if stat.S_ISDIR(st.st_mode) else st.st_size
            print(ascii(shown), oct(st.st_mode), st.st_uid, st.st_gid, size,
                  'now' if st.st_mtime > 1_750_000_000 else st.st_mtime_ns,
                  '' if twin == shown else f'= {ascii(twin)}', ascii(content_of(path, st)), attrs or '')


if __name__ == '__main__':
    {'make': make, 'list': list_tree}[sys.argv[1]](sys.argv[2])
