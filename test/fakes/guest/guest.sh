#!/bin/bash
# Plays the guest of a fake QEMU: a machine of namespaces (network, mounts, pids, names) on the very TAP that QEMU would
# open, with a root of its own made from the VM's disk, the disk's own network script, and a real sshd.
# Nothing of the host can be written from inside, and no process of the host can be seen.
#
#   guest.sh PLAN_DIR     environment: FAKE_DISK, FAKE_TAP, FAKE_MAC, FAKE_KERNEL_ARGS, as fake-qemu.ts gives them
#
# SIGTERM is the power button. Ends with 0 where the guest powered off.
set -euo pipefail
here=${BASH_SOURCE[0]%/*}
plan=$1

# However this process ends, the guest ends with it; its stdin takes the power button.
exec {power}> >(
  exec setpriv --pdeathsig KILL perl "$here/tap-wire.pl" hold "$FAKE_TAP" \
    unshare --net --mount --propagation private --pid --fork --kill-child --uts --ipc \
    /bin/bash "$here/boot.sh" "$here" "$plan"
)
guest=$!
trap 'echo off >&"$power"' TERM

# A trapped signal ends `wait` too.
while :; do
  status=0
  wait "$guest" || status=$?
  if ((status < 128)) || ! kill -0 "$guest" 2>/dev/null; then
    break
  fi
done
wait "$guest" || exit $?
