#!/bin/bash
# The first program of a guest in the engine conformance suite. `conformance=NAME` among the kernel's arguments says
# what it does; what it finds goes to the console, a line each.
set -u
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

# An initrd has mounted these; a kernel that boots without one has not.
mountpoint -q /proc || mount -t proc proc /proc
mountpoint -q /sys || mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
exec >/dev/console 2>&1 </dev/null

say() { echo "conformance: $*"; }

# What a kernel has built in is no module of it.
for module in virtio_console vmw_vsock_virtio_transport pvpanic_mmio button evdev virtio_net; do
  modprobe --quiet "$module" || true
done

behaviour=$(sed -n 's/.*\bconformance=\([a-z]*\).*/\1/p' /proc/cmdline)
case $behaviour in
idle)
  /usr/local/libexec/banger-agent &
  # Engines press one of two: the power button of ACPI, or Ctrl-Alt-Del, which the kernel tells us by SIGINT.
  trap 'say ctrl-alt-del; echo b >/proc/sysrq-trigger' INT
  echo 0 >/proc/sys/kernel/ctrl-alt-del
  for event in /dev/input/event*; do
    [ -c "$event" ] || continue
    # Opened here: what is pressed while nobody has it open is lost. Nothing but a button speaks on these.
    exec {button}<"$event"
    # One event of the kernel's `struct input_event`.
    (dd bs=24 count=1 status=none <&"$button" >/dev/null && say button && echo o >/proc/sysrq-trigger) &
  done
  say idle
  # `wait` returns for a trap, and for children that end.
  while :; do
    wait
    sleep 1
  done
  ;;
poweroff) say poweroff && echo o >/proc/sysrq-trigger ;;
reboot) say reboot && echo b >/proc/sysrq-trigger ;;
panic) say panic && echo c >/proc/sysrq-trigger ;;
drives)
  say "second: $(head -c 16 /dev/vdb), $(cat /sys/block/vdb/ro)"
  printf 'from the guest  ' | dd of=/dev/vdb bs=16 count=1 conv=notrunc,fsync status=none && say 'second: written'
  say "third: $(head -c 16 /dev/vdc), $(cat /sys/block/vdc/ro)"
  if printf 'from the guest  ' 2>/dev/null | dd of=/dev/vdc bs=16 count=1 conv=notrunc,fsync status=none 2>/dev/null; then
    say 'third: written'
  else
    say 'third: refused'
  fi
  say finished
  ;;
diskrate)
  read -r begin _ </proc/uptime
  dd if=/dev/vdb of=/dev/null bs=1M iflag=direct status=none
  read -r end _ </proc/uptime
  say "took ${begin} ${end}"
  ;;
netrate)
  ip link set dev eth0 up
  ip address add 10.77.0.2/24 dev eth0
  read -r begin _ </proc/uptime
  # The host closes once it has everything.
  dd if=/dev/zero bs=64k count=64 status=none 2>/dev/null | (exec 3<>/dev/tcp/10.77.0.1/7000 && cat >&3 && read -r _ <&3)
  read -r end _ </proc/uptime
  say "took ${begin} ${end}"
  ;;
*) say "no such behaviour: $behaviour" ;;
esac

# The end of the first program is a panic: what was asked for comes first.
while :; do sleep 1; done
