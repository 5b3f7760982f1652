#!/bin/bash
# Step `mise`: the tool manager, and its activation in bash. Safe to run twice.
#
# Inputs: BANGER_FILES/mise      the program
#         BANGER_FILES/mise.sh   for /etc/profile.d
# By hand, as root in a guest:
#   BANGER_FILES=/root/files bash mise.sh
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
: "${BANGER_FILES:?is not set}"

# A link instead of a copy where both lie in one filesystem: the program is large.
chown root:root "$BANGER_FILES/mise"
chmod 0755 "$BANGER_FILES/mise"
if [[ ! $BANGER_FILES/mise -ef /usr/local/bin/mise ]]; then
  cp -f --link "$BANGER_FILES/mise" /usr/local/bin/.mise.new 2>/dev/null ||
    cp -f "$BANGER_FILES/mise" /usr/local/bin/.mise.new
  mv -f /usr/local/bin/.mise.new /usr/local/bin/mise
fi
MISE_OFFLINE=1 MISE_HIDE_UPDATE_WARNING=1 /usr/local/bin/mise --version

install -D -o root -g root -m 0644 "$BANGER_FILES/mise.sh" /etc/profile.d/mise.sh
# shellcheck disable=SC2016 # Expanded by the shells that read it.
line='[ ! -x /usr/local/bin/mise ] || eval "$(/usr/local/bin/mise activate bash)"'
touch /etc/bash.bashrc
if ! grep -Fqx -- "$line" /etc/bash.bashrc; then
  printf '\n%s\n' "$line" >>/etc/bash.bashrc
fi
