#!/bin/bash
# The first process of a fake guest, in namespaces of its own: builds its root, wires its network card, enters the root.
#
#   boot.sh HERE PLAN_DIR
set -euo pipefail
here=$1 plan=$2
base=/mnt
root=$base/root

# Memory only: the disk is read, never mounted and never written.
mount -t tmpfs -o mode=0755,size=128m tmpfs "$base"
mkdir "$root" "$base/stubs" "$base/disk-usr" "$base/upper" "$base/overlay"
mount -t tmpfs -o mode=0755,size=128m tmpfs "$root"
debugfs -R "rdump / $root" "$FAKE_DISK" </dev/null 2>/dev/null
if [[ -d $root/usr ]]; then
  mv "$root/usr" "$base/disk-usr/"
fi

# Programs are the host's, read-only below an overlay; those that would do harm are stubs.
cp -a "$here/stubs/." "$base/stubs/"
cp /usr/bin/bash "$base/stubs/bin/bash.real"
mkdir -p "$base/disk-usr/usr" "$root/usr"
mount -t overlay -o "lowerdir=$base/stubs:$base/disk-usr/usr:/usr,upperdir=$base/upper,workdir=$base/overlay" \
  overlay "$root/usr"
for dir in bin sbin lib lib64; do
  ln -sfn "usr/$dir" "$root/$dir"
done
mkdir -p "$root"/{etc,dev,proc,sys,run,tmp,root,var/tmp,var/log,old}
cp -a /etc/alternatives "$root/etc/"
chmod 1777 "$root/tmp" "$root/var/tmp"

# Devices that touch nothing.
mount -t tmpfs -o mode=0755,size=1m tmpfs "$root/dev"
mknod -m 0666 "$root/dev/null" c 1 3
mknod -m 0666 "$root/dev/zero" c 1 5
mknod -m 0666 "$root/dev/full" c 1 7
mknod -m 0666 "$root/dev/random" c 1 8
mknod -m 0666 "$root/dev/urandom" c 1 9
mknod -m 0666 "$root/dev/tty" c 5 0
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"

mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=0755,size=1m tmpfs "$root/run"
mkdir "$root/run/plan" "$root/run/sshd"
mount --bind "$plan" "$root/run/plan"
mount -o remount,bind,ro "$root/run/plan"
mkfifo "$root/run/power"
printf '%s\n' "$FAKE_KERNEL_ARGS" >"$root/run/cmdline"
mount --bind "$root/run/cmdline" "$root/proc/cmdline"
cp "$here/init.sh" "$root/run/init.sh"

perl "$here/tap-wire.pl" pump eth0
ip link set dev lo up
ip link set dev eth0 address "$FAKE_MAC"

cd "$root"
pivot_root . old
exec chroot . /usr/bin/env -i PATH=/usr/sbin:/usr/bin /bin/bash.real /run/init.sh
