# shellcheck shell=bash
# For scripts that run in the sandbox: put before each of them.
set -euo pipefail
cd /

# Runs a step's script as a build does; what it says goes to /run/work/NAME.log.
step() {
  local name=$1 environment
  mapfile -d '' environment <"/run/work/env/$name"
  env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "${environment[@]}" \
    /bin/bash "/run/guest/steps/$name.sh" >>"/run/work/$name.log" 2>&1
}

# Kind, modes, owners, link targets and contents of all that a step may touch; no times.
snapshot() {
  local dirs=(/etc /root /home /tmp /var/log /var/lib/apt /var/lib/systemd /var/lib/dbus /usr/local /usr/lib/modules)
  local out=/run/work/$1 dir
  for dir in "${dirs[@]}"; do
    [[ -d $dir ]] || continue
    find "$dir" -printf '%p %y %m %u:%g %l\n'
    find "$dir" -type f -exec sha256sum {} +
  done | sort >"$out"
}

# A program that only writes down how it was called.
stub() {
  printf '#!/bin/sh\necho "%s $*" >>/run/work/calls\n%s\n' "$1" "${2:-}" >"/usr/local/sbin/$1"
  chmod 0755 "/usr/local/sbin/$1"
}
