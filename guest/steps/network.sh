#!/bin/bash
# Step `network`: the guest configures its card from the kernel's command line at every boot. Safe to run twice.
#
# Inputs: BANGER_FILES/banger-network-bootstrap, BANGER_FILES/banger-network.service, BANGER_FILES/10-banger.network
# By hand, as root in a guest:
#   BANGER_FILES=/root/files bash network.sh
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
: "${BANGER_FILES:?is not set}"

install -D -o root -g root -m 0755 "$BANGER_FILES/banger-network-bootstrap" /usr/local/libexec/banger-network-bootstrap
install -D -o root -g root -m 0644 "$BANGER_FILES/banger-network.service" /etc/systemd/system/banger-network.service
install -D -o root -g root -m 0644 "$BANGER_FILES/10-banger.network" /etc/systemd/network/10-banger.network
# What `systemctl enable` does; this way it works in a chroot too, and in a guest whose systemd is not up.
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -sfn /etc/systemd/system/banger-network.service /etc/systemd/system/multi-user.target.wants/banger-network.service
if ! command -v ip >/dev/null; then
  echo 'network: the program ip is missing; a VM has no network unless its kernel reads ip= itself (package iproute2)' >&2
fi
