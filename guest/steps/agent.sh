#!/bin/bash
# Step `agent`: the program that speaks for the guest, started as early in each boot as can be. Safe to run twice.
#
# Inputs: BANGER_FILES/banger-agent, BANGER_FILES/banger-agent.version, BANGER_FILES/banger-agent.service,
#         BANGER_FILES/banger-agent.conf      modules to load at boot
# By hand, as root in a guest:
#   BANGER_FILES=/root/files bash agent.sh
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
: "${BANGER_FILES:?is not set}"

# Beside the old one and renamed: a program that runs cannot be written.
install -D -o root -g root -m 0755 "$BANGER_FILES/banger-agent" /usr/local/libexec/.banger-agent.new
mv -f /usr/local/libexec/.banger-agent.new /usr/local/libexec/banger-agent
# Read by banger from the disk, without starting it.
install -o root -g root -m 0644 "$BANGER_FILES/banger-agent.version" /usr/local/libexec/banger-agent.version
install -D -o root -g root -m 0644 "$BANGER_FILES/banger-agent.service" /etc/systemd/system/banger-agent.service
install -D -o root -g root -m 0644 "$BANGER_FILES/banger-agent.conf" /etc/modules-load.d/banger-agent.conf
# What `systemctl enable` does; this way it works in a chroot too, and in a guest whose systemd is not up.
mkdir -p /etc/systemd/system/sysinit.target.wants
ln -sfn /etc/systemd/system/banger-agent.service /etc/systemd/system/sysinit.target.wants/banger-agent.service
