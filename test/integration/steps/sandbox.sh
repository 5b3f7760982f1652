#!/bin/bash
# A root filesystem to run step scripts in: this machine's own below an overlay, everything written goes to memory.
# Run in namespaces of its own (mount, pid, net, uts), which take every mount away with them.
#
#   sandbox.sh GUEST_DIR WORK_DIR     runs WORK_DIR/main.sh in it; WORK_DIR is /work there, GUEST_DIR is /guest
set -euo pipefail
guest=$1 work=$2

mount -t tmpfs -o mode=0755 tmpfs /mnt
mkdir /mnt/upper /mnt/overlay /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/overlay overlay /mnt/root
root=/mnt/root
# What belongs to this machine's user is not seen.
for dir in root home tmp run var/tmp var/log var/lib/apt usr/local usr/lib/modules; do
  mkdir -p "$root/$dir"
  mount -t tmpfs -o mode=0755 tmpfs "$root/$dir"
done
chmod 1777 "$root/tmp" "$root/var/tmp"
chmod 0700 "$root/root"
mkdir -p "$root/usr/local/bin" "$root/usr/local/sbin" "$root/usr/local/libexec" "$root/run/guest" "$root/run/work"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount --bind "$guest" "$root/run/guest"
mount -o remount,bind,ro "$root/run/guest"
mount --bind "$work" "$root/run/work"
exec chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  /bin/bash /run/work/main.sh
