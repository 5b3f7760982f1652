#!/bin/bash
# Step `cleanup`: takes out what belongs to the build and not to the image. Safe to run twice.
# After it sshd has no host key on disk: the session that runs it goes on, new ones are refused until the next boot,
# before which every VM is given a key of its own.
#
# Inputs: none
# By hand, as root in a guest:
#   bash cleanup.sh
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Everything in a folder, not the folder, and nothing mounted below it.
empty() {
  local dir=$1
  shift
  if [[ -d $dir ]]; then
    find "$dir" -xdev -mindepth 1 "$@" -delete
  fi
}

remove_installers() {
  rm -f /root/get-docker /root/get-docker.sh /tmp/get-docker /tmp/get-docker.sh
}

remove_package_scraps() {
  if command -v apt-get >/dev/null; then
    apt-get clean
  fi
  empty /var/lib/apt/lists
  rm -f /var/cache/debconf/*-old /var/lib/dpkg/*-old
}

# Files stay, so that owners and modes do; what was rotated away goes.
empty_logs() {
  if command -v journalctl >/dev/null && [[ -d /run/systemd/system ]]; then
    journalctl --flush --rotate
  fi
  empty /var/log/journal
  if [[ -d /var/log ]]; then
    find /var/log -xdev -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.old' -o -name '*.[0-9]' \) -delete
    find /var/log -xdev -type f -size +0 -exec truncate -s 0 -- {} +
  fi
}

# What must differ from VM to VM. An empty machine-id is filled at boot; a missing one would make it a "first boot".
forget_identity() {
  : >/etc/machine-id
  if [[ -f /var/lib/dbus/machine-id && ! -L /var/lib/dbus/machine-id ]]; then
    rm -f /var/lib/dbus/machine-id
  fi
  rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
  # Stopping it writes the seed; running, it would write it at power-off.
  if [[ -d /run/systemd/system ]]; then
    systemctl stop systemd-random-seed.service
  fi
  rm -f /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
  if [[ -d /var/lib/dhcp ]]; then
    find /var/lib/dhcp -name '*.leases' -delete
  fi
}

remove_histories() {
  local home
  for home in /root /home/*; do
    rm -f "$home/.bash_history" "$home/.python_history" "$home/.lesshst" "$home/.viminfo" "$home/.wget-hsts"
  done
}

remove_temporary_files() {
  # Folders of running services go with these at power-off.
  empty /tmp -not -path '/tmp/systemd-private-*'
  empty /var/tmp -not -path '/var/tmp/systemd-private-*'
}

remove_installers
remove_package_scraps
empty_logs
forget_identity
remove_histories
remove_temporary_files
# Blocks that were freed need no place on the host; not every engine passes that on.
fstrim / 2>/dev/null || echo 'cleanup: the disk takes no discards; free blocks keep their place'
sync
