#!/bin/bash
# Step `user`: runs the user's own script as root, in /root. Whether it can run twice is up to its author.
#
# Inputs: BANGER_FILES/script   any program; without a `#!` line it is run by bash
# By hand, as root in a guest:
#   BANGER_FILES=/root/files bash user.sh
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
: "${BANGER_FILES:?is not set}"
script=$BANGER_FILES/script

export HOME=/root
cd /root
chmod 0755 "$script"
if [[ $(head -c 2 "$script" | tr -d '\0') == '#!' ]]; then
  exec "$script"
fi
exec /bin/bash "$script"
