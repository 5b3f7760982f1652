#!/bin/bash
# What a fake guest runs once it is in its own root: its network, sshd, and the wait for power-off.
set -euo pipefail
cd /
umount -l /old
rmdir /old

# Power-off and power button (our stdin) come the same way, read one after the other.
exec {button}<&0 {power}<>/run/power </dev/null
cat <&"$button" >&"$power" &

/bin/sh /usr/local/libexec/banger-network-bootstrap
# Not every setting of the kernel belongs to a namespace.
for path in /proc/sys /proc/irq /proc/bus /proc/fs; do
  if [[ -d $path ]]; then
    mount --bind "$path" "$path"
    mount -o remount,bind,ro "$path"
  fi
done
for path in /proc/sysrq-trigger /proc/kcore; do
  [[ ! -e $path ]] || mount --bind /dev/null "$path"
done

if [[ ! -e /run/plan/silent ]]; then
  # Enough for sshd and for what steps do to files; not to mount, to make devices, to set clocks or kernel settings.
  setpriv --bounding-set -all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+net_bind_service,+sys_chroot,+audit_write \
    /usr/sbin/sshd -D -e &
fi
echo 'guest: up'
while read -r word <&"$power"; do
  echo "guest: power $word"
  if [[ ! -e /run/plan/ignores-power-off ]]; then
    exit 0
  fi
done
