#!/bin/bash
# Step `opencode`: the coding agent's program, known to mise as a tool, and its server on port 4096.
# Safe to run twice.
#
# Inputs: BANGER_FILES/opencode                  the program
#         BANGER_FILES/banger-opencode.service
#         BANGER_OPENCODE_VERSION
# By hand, as root in a guest:
#   BANGER_FILES=/root/files BANGER_OPENCODE_VERSION=1.2.3 bash opencode.sh
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
: "${BANGER_FILES:?is not set}" "${BANGER_OPENCODE_VERSION:?is not set}"
home=/usr/local/lib/banger/opencode

mkdir -p "$home/bin"
chown root:root "$BANGER_FILES/opencode"
chmod 0755 "$BANGER_FILES/opencode"
# A link instead of a copy where both lie in one filesystem: the program is large.
if [[ ! $BANGER_FILES/opencode -ef $home/bin/opencode ]]; then
  cp -f --link "$BANGER_FILES/opencode" "$home/bin/.opencode.new" 2>/dev/null ||
    cp -f "$BANGER_FILES/opencode" "$home/bin/.opencode.new"
  mv -f "$home/bin/.opencode.new" "$home/bin/opencode"
fi
ln -sfn "$home/bin/opencode" /usr/local/bin/opencode

# A tool of mise: `mise ls` shows it, and a project can pin another version of its own.
register_with_mise() {
  local link version
  export HOME=/root MISE_OFFLINE=1 MISE_HIDE_UPDATE_WARNING=1
  cd /
  # Versions that an earlier build registered lie in the same folder and are gone now.
  for link in /root/.local/share/mise/installs/opencode/*; do
    version=${link##*/}
    if [[ -L $link && $(readlink "$link") == "$home" && $version != "$BANGER_OPENCODE_VERSION" ]]; then
      rm -f "$link"
    fi
  done
  /usr/local/bin/mise link --force "opencode@$BANGER_OPENCODE_VERSION" "$home"
  /usr/local/bin/mise use --quiet --global "opencode@$BANGER_OPENCODE_VERSION"
}

if [[ -x /usr/local/bin/mise ]]; then
  register_with_mise
else
  echo 'opencode: mise is not in this image; the program stands on its own'
fi

install -D -o root -g root -m 0644 "$BANGER_FILES/banger-opencode.service" /etc/systemd/system/banger-opencode.service
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -sfn /etc/systemd/system/banger-opencode.service /etc/systemd/system/multi-user.target.wants/banger-opencode.service
