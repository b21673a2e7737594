#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# vm.sh [-1] SUITE…: runs bats suites in a virtual machine with Debian's kernel and version 2 of
# cgroups (-1: version 1), whatever this machine has. Its root is ours, read-only, with a layer in
# memory above; build/ must be there. Needs qemu-system-x86, busybox and, unless KERNEL names an
# unpacked linux-image package, the package lists of apt. Software emulation: 5 to 10 times slower.
# FILTER: only tests whose names match. Output of the suites; the status is theirs.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
groups=2
[ "${1:-}" != -1 ] || { groups=1; shift; }
[ $# -gt 0 ] || { sed -n '3,8s/^# //p' "$0" >&2; exit 2; }
work=$(mktemp -d /var/tmp/ctrd-vm.XXXXXX)
trap 'rm -rf "$work"' EXIT

kernel=${KERNEL:-$work/kernel}
if [ -z "${KERNEL:-}" ]; then
  package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
  (cd "$work" && apt-get download "$package" >/dev/null 2>&1) || { echo "vm.sh: no kernel package" >&2; exit 1; }
  dpkg -x "$work"/linux-image*.deb "$kernel"
fi

# The kernel loads its first programs and modules from here.
modules="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci netfs fscache 9pnet 9pnet_virtio 9p overlay
  llc stp bridge veth"
mkdir -p "$work"/first/{bin,modules,proc,sys,dev,lower,upper,root}
cp "$(command -v busybox)" "$work/first/bin/busybox"
for m in $modules; do
  find "$kernel/lib/modules" -name "$m.ko*" -exec cp {} "$work/first/modules/" \;
done
cat >"$work/first/init" <<EOS
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t proc proc /proc
cd /modules && for m in $(echo $modules); do [ ! -e \$m.ko ] || \$b insmod \$m.ko; done
\$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,ro,cache=loose host /lower
\$b mount -t tmpfs -o size=2g tmpfs /upper && \$b mkdir /upper/changes /upper/work
\$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/changes,workdir=/upper/work overlay /root
\$b umount /proc
exec \$b switch_root /root /bin/bash -c 'mount -t proc proc /proc; . /proc/self/fd/9' 9</inside
EOS
chmod 755 "$work/first/init"
cat >"$work/first/inside" <<EOS
mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
ln -s /proc/self/fd /dev/fd; for n in 0:stdin 1:stdout 2:stderr; do ln -s fd/\${n%:*} /dev/\${n#*:}; done
for d in /run /tmp /var/tmp /dev/shm /var/lib/docker /var/lib/containerd; do mkdir -p \$d; mount -t tmpfs tmpfs \$d; done
if [ $groups = 2 ]; then
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
  mount -t tmpfs cgroup /sys/fs/cgroup
  for c in cpu,cpuacct cpuset memory devices freezer blkio pids; do
    mkdir /sys/fs/cgroup/\$c && mount -t cgroup -o \$c cgroup /sys/fs/cgroup/\$c
  done
  ln -s cpu,cpuacct /sys/fs/cgroup/cpu; ln -s cpu,cpuacct /sys/fs/cgroup/cpuacct
fi
echo 1 >/proc/sys/kernel/printk; ip link set lo up; cd $top
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root CTRD_PATIENCE=20 CTRD_DEADLINE=3000
echo "vm: Linux \$(uname -r), \$(stat -fc %T /sys/fs/cgroup)"
status=0
for suite in $*; do
  echo "vm: \$suite"
  CTRD_BUILD=$top/build tests/support/private.sh bats --tap --filter $(printf %q "${FILTER:-.}") "\$suite" </dev/null 2>&1 || status=1
done
echo "vm: status \$status"
echo o >/proc/sysrq-trigger; sleep 60
EOS
(cd "$work/first" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$work/first.gz"

timeout -k 5 "${VM_DEADLINE:-3600}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3072 \
  -nodefaults -no-reboot -display none -serial stdio -kernel "$kernel"/boot/vmlinuz-* \
  -initrd "$work/first.gz" -append "console=ttyS0 quiet panic=-1" \
  -virtfs local,path=/,mount_tag=host,security_model=passthrough,multidevs=remap,readonly=on \
  </dev/null | tee "$work/output"
grep -q '^vm: status 0' "$work/output"
