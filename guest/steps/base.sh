#!/bin/bash
# Step `base`: what every image needs before anything else. Host name and hosts file, name servers, fstab,
# the key that lets banger in, sshd's settings. Safe to run twice.
#
# Inputs: BANGER_FILES/authorized_key     one public key, `authorized_keys` form
#         BANGER_FILES/50-banger.conf     drop-in for sshd
#         BANGER_HOSTNAME                 host name of the image; each VM gets its own later
#         BANGER_NAMESERVERS              optional, separated by spaces; left out, what is configured stays
# By hand, as root in a guest:
#   BANGER_FILES=/root/files BANGER_HOSTNAME=banger bash base.sh
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
: "${BANGER_FILES:?is not set}" "${BANGER_HOSTNAME:?is not set}"

say() {
  echo "base: $*"
}

# Replaces a file by what stands on stdin, where that differs; link and mode of the old one are kept.
write_if_changed() {
  local path=$1 content
  content=$(mktemp)
  cat >"$content"
  if ! cmp -s "$content" "$path"; then
    cat "$content" >"$path"
    say "wrote $path"
  fi
  rm -f "$content"
}

configure_names() {
  printf '%s\n' "$BANGER_HOSTNAME" | write_if_changed /etc/hostname
  touch /etc/hosts
  # The user's own lines stay where they are.
  awk -v name="$BANGER_HOSTNAME" '
    function has(word,  i) { for (i = 2; i <= NF && $i !~ /^#/; i++) if ($i == word) return 1; return 0 }
    $1 == "127.0.1.1" { if (!own) lines[++count] = "127.0.1.1 " name; own = 1; next }
    $1 == "127.0.0.1" && has("localhost") { loopback = 1 }
    { lines[++count] = $0 }
    END {
      if (!loopback) print "127.0.0.1 localhost"
      for (i = 1; i <= count; i++) print lines[i]
      if (!own) print "127.0.1.1 " name
    }' /etc/hosts | write_if_changed /etc/hosts
}

# A link leads to a resolver of the running system: the image keeps what it says, as a plain file.
configure_name_servers() {
  local server kept
  if [[ -L /etc/resolv.conf ]]; then
    kept=$(cat /etc/resolv.conf 2>/dev/null) || kept=''
    rm -f /etc/resolv.conf
    printf '%s\n' "$kept" >/etc/resolv.conf
    say 'made /etc/resolv.conf a plain file'
  fi
  if [[ -n ${BANGER_NAMESERVERS:-} ]]; then
    for server in $BANGER_NAMESERVERS; do
      printf 'nameserver %s\n' "$server"
    done | write_if_changed /etc/resolv.conf
  fi
}

# Older images kept /home and /var on disks of their own, and a boot would wait 90 s for those.
configure_fstab() {
  touch /etc/fstab
  awk '
    $1 == "/dev/vdb" && $2 == "/home" { next }
    $1 == "/dev/vdc" && $2 == "/var" { next }
    $1 !~ /^#/ { mounted[$2] = 1 }
    { print }
    END {
      if (!mounted["/run"]) print "tmpfs /run tmpfs defaults,nodev,nosuid,mode=0755 0 0"
      if (!mounted["/tmp"]) print "tmpfs /tmp tmpfs defaults,nodev,nosuid,mode=1777 0 0"
    }' /etc/fstab | write_if_changed /etc/fstab
}

# sshd looks at owner and modes of these (StrictModes) and refuses the key where they are wrong.
authorize_key() {
  local keys=/root/.ssh/authorized_keys type blob
  mkdir -p /root/.ssh
  touch "$keys"
  chown root:root /root /root/.ssh "$keys"
  chmod go-w /root
  chmod 0700 /root/.ssh
  chmod 0600 "$keys"
  read -r type blob _ <"$BANGER_FILES/authorized_key"
  # The same key with another comment, or with options before it, is there already.
  if ! awk -v key="$type $blob" '!/^[[:space:]]*#/ && index($0, key) { found = 1 } END { exit !found }' "$keys"; then
    # Somebody's last line may lack its newline.
    if [[ -s $keys && -n $(tail -c 1 "$keys") ]]; then
      echo >>"$keys"
    fi
    cat "$BANGER_FILES/authorized_key" >>"$keys"
    say "added the key of this host to $keys"
  fi
}

configure_sshd() {
  local settings=/etc/ssh/sshd_config.d/50-banger.conf
  if ! command -v sshd >/dev/null && [[ ! -x /usr/sbin/sshd ]]; then
    say 'sshd is not installed: nothing could reach a VM of this image' >&2
    return 1
  fi
  install -D -o root -g root -m 0644 "$BANGER_FILES/50-banger.conf" "$settings"
  if ! grep -qE '^[[:space:]]*Include[[:space:]]+/etc/ssh/sshd_config\.d/' /etc/ssh/sshd_config; then
    sed -i '1i Include /etc/ssh/sshd_config.d/*.conf' /etc/ssh/sshd_config
    say 'made sshd_config read its drop-ins'
  fi
  # Where there is a host key the settings can be tried: an sshd that does not start would lock everybody out.
  if [[ -f /etc/ssh/ssh_host_ed25519_key ]]; then
    mkdir -p /run/sshd
    /usr/sbin/sshd -t
  fi
}

# Without udev no device unit ever appears, and a boot waits 90 s for the console's.
spare_waits() {
  local unit
  if [[ -x /usr/lib/systemd/systemd-udevd || -x /lib/systemd/systemd-udevd ]]; then
    return
  fi
  mkdir -p /etc/systemd/system
  for unit in dev-ttyS0.device serial-getty@ttyS0.service; do
    ln -sfn /dev/null "/etc/systemd/system/$unit"
  done
  say 'there is no udev: masked the units that would wait for it'
}

configure_names
configure_name_servers
configure_fstab
authorize_key
configure_sshd
spare_waits
