#!/bin/bash
# What banger does, done as a person would do it without banger. Run in a network namespace that has the TAP, and the
# host's end of the guest's network, already.
#
#   machine.sh start    a disk booted until `ssh true` has returned; says "ready" then, and powers the guest off again
#   machine.sh build    an image made from another: clone, boot, banger's own step scripts over ssh, power off, check,
#                       digest. One connection serves all commands, as a person who does this often would have it.
#
# Inputs: BENCH_ACCELERATOR (kvm or tcg), BENCH_CPUS, BENCH_MEMORY, BENCH_KERNEL, BENCH_INITRD (may be empty),
#         BENCH_APPEND, BENCH_CONSOLE, BENCH_TAP, BENCH_MAC, BENCH_ADDRESS, BENCH_IDENTITY, BENCH_KNOWN_HOSTS,
#         BENCH_KEY_ALIAS, BENCH_NODE (runs await-port.ts)
# start:  BENCH_DISK
# build:  BENCH_SOURCE           root filesystem to start from
#         BENCH_TARGET           folder that takes the new image; empty
#         BENCH_IDENTITY_SCRIPT  commands for debugfs that give the clone its key and its name
#         BENCH_INPUTS           folder with steps/NAME.sh, files/NAME/..., env/NAME
#         BENCH_STEPS            names of the steps in their order, separated by spaces
set -euo pipefail

IN_GUEST=/var/lib/banger-build
ssh_options=(
  -F /dev/null
  -o "UserKnownHostsFile=$BENCH_KNOWN_HOSTS" -o GlobalKnownHostsFile=/dev/null
  -o "HostKeyAlias=$BENCH_KEY_ALIAS" -o StrictHostKeyChecking=yes
  -o "IdentityFile=$BENCH_IDENTITY" -o IdentitiesOnly=yes -o IdentityAgent=none
  -o PreferredAuthentications=publickey -o ConnectTimeout=60 -o LogLevel=ERROR
)
guest=root@$BENCH_ADDRESS
here=${BASH_SOURCE[0]%/*}
qemu_pid=

# boot DISK
boot() {
  local accelerator=(-accel 'tcg,thread=multi' -cpu max)
  if [[ $BENCH_ACCELERATOR == kvm ]]; then
    accelerator=(-accel kvm -cpu host)
  fi
  qemu-system-x86_64 -M 'microvm,acpi=on' "${accelerator[@]}" -smp "$BENCH_CPUS" -m "$BENCH_MEMORY" \
    -nodefaults -no-user-config -display none -no-reboot \
    -kernel "$BENCH_KERNEL" ${BENCH_INITRD:+-initrd "$BENCH_INITRD"} -append "$BENCH_APPEND" \
    -chardev "file,id=console,path=$BENCH_CONSOLE" -serial chardev:console \
    -drive "if=none,id=root,file=$1,format=raw,cache=writeback,discard=unmap,detect-zeroes=unmap" \
    -device virtio-blk-device,drive=root \
    -netdev "tap,id=net,ifname=$BENCH_TAP,script=no,downscript=no" \
    -device "virtio-net-device,netdev=net,mac=$BENCH_MAC" -device virtio-rng-device >&2 &
  qemu_pid=$!
  trap 'kill -KILL "$qemu_pid" 2>/dev/null || :' EXIT
}

# wait_for_login COMMAND...: tries again until the command, which logs in, succeeds.
wait_for_login() {
  until "$BENCH_NODE" "$here/../await-port.ts" "$BENCH_ADDRESS" 22 "$qemu_pid" && "$@"; do
    kill -0 "$qemu_pid"
  done
}

# power_off SSH...: by a command that logs in; its connection may go down with the guest.
power_off() {
  "$@" "$guest" poweroff || :
  wait "$qemu_pid"
  trap - EXIT
}

start_to_ssh() {
  local ssh=(ssh "${ssh_options[@]}")
  boot "$BENCH_DISK"
  wait_for_login "${ssh[@]}" "$guest" true
  echo ready
  power_off "${ssh[@]}"
}

build() {
  local disk=$BENCH_TARGET/rootfs.ext4 shared=("${ssh_options[@]}" -o "ControlPath=$BENCH_TARGET/ssh") step settings
  local ssh=(ssh "${shared[@]}")
  cp --sparse=always "$BENCH_SOURCE" "$disk"
  debugfs -w -f "$BENCH_IDENTITY_SCRIPT" "$disk" >/dev/null 2>&1
  boot "$disk"
  wait_for_login "${ssh[@]}" -o ControlMaster=yes -f -N "$guest"
  scp -q -r "${shared[@]}" "$BENCH_INPUTS" "$guest:$IN_GUEST"
  for step in $BENCH_STEPS; do
    settings=$(<"$BENCH_INPUTS/env/$step")
    "${ssh[@]}" "$guest" "env $settings /bin/bash $IN_GUEST/steps/$step.sh" >&2
  done
  "${ssh[@]}" "$guest" "rm -rf $IN_GUEST && sync"
  power_off "${ssh[@]}"
  # 1 to 3: it mended something.
  e2fsck -fy "$disk" >/dev/null || [[ $? -le 3 ]]
  cp "$BENCH_KERNEL" "$BENCH_TARGET/kernel"
  if [[ -n $BENCH_INITRD ]]; then
    cp "$BENCH_INITRD" "$BENCH_TARGET/initrd"
  fi
  # Debian's sha256sum does not use the processor's own instructions; openssl does.
  openssl dgst -sha256 "$disk"
}

case ${1:-} in
  start) start_to_ssh ;;
  build) build ;;
  *)
    echo "machine.sh: start or build" >&2
    exit 2
    ;;
esac
