#!/bin/bash
# Step `modules`: the modules of a kernel that comes from outside the image, and what container engines need of them.
# Safe to run twice.
#
# Inputs: BANGER_FILES/tree                  the folder /lib/modules/VERSION
#         BANGER_FILES/modules-load.conf     modules to load at boot
#         BANGER_FILES/sysctl.conf           settings for bridged traffic
#         BANGER_MODULES_VERSION             the kernel's version
# By hand, as root in a guest:
#   BANGER_FILES=/root/files BANGER_MODULES_VERSION=6.1.0 bash modules.sh
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
: "${BANGER_FILES:?is not set}" "${BANGER_MODULES_VERSION:?is not set}"
target=/lib/modules/$BANGER_MODULES_VERSION
new=/lib/modules/.$BANGER_MODULES_VERSION.new

mkdir -p /lib/modules
rm -rf "$new"
# Links instead of copies where both lie in one filesystem.
cp -a --link "$BANGER_FILES/tree" "$new" 2>/dev/null || {
  rm -rf "$new"
  cp -a "$BANGER_FILES/tree" "$new"
}
chown -R -h root:root "$new"
rm -rf "$target"
mv "$new" "$target"
if command -v depmod >/dev/null; then
  depmod -a "$BANGER_MODULES_VERSION"
elif [[ ! -f $target/modules.dep ]]; then
  echo 'modules: the program depmod is missing (package kmod), and the tree has no modules.dep' >&2
  exit 1
fi

install -D -o root -g root -m 0644 "$BANGER_FILES/modules-load.conf" /etc/modules-load.d/banger-docker.conf
install -D -o root -g root -m 0644 "$BANGER_FILES/sysctl.conf" /etc/sysctl.d/90-banger-docker.conf
