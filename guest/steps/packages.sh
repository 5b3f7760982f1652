#!/bin/bash
# Step `packages`: brings the package lists and the installed packages up to date, and installs what was asked for.
# Safe to run twice.
#
# Inputs: BANGER_FILES/packages.txt   packages as apt takes them, one a line
#         BANGER_FILES/apt.sh         guest/lib/apt.sh
#         BANGER_APT_MIRROR           optional; replaces the distribution's archive in apt's sources, for good
#         BANGER_APT_PROXY            optional; used while the step runs
# By hand, as root in a guest:
#   mkdir f && cp lib/apt.sh f/ && echo jq >f/packages.txt && BANGER_FILES=$PWD/f bash steps/packages.sh
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
: "${BANGER_FILES:?is not set}"
# shellcheck source-path=SCRIPTDIR source=../lib/apt.sh
. "$BANGER_FILES/apt.sh"

# Of all sources only the distribution's own archive is replaced, known by the last part of its address (`/debian`);
# security updates and the user's own sources stay as they are.
use_mirror() {
  local archive file new found=''
  # shellcheck source=/dev/null
  archive=$(. /etc/os-release && echo "$ID")
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [[ -f $file ]] || continue
    new=$(mktemp)
    awk -v mirror="$BANGER_APT_MIRROR" -v archive="$archive" '
      /^[[:space:]]*(deb|deb-src|URIs:)[[:space:]]/ {
        while (match($0, "[a-z+]+://[^[:space:]]+/" archive "/?([[:space:]]|$)")) {
          tail = substr($0, RSTART, RLENGTH) ~ /[[:space:]]$/ ? 1 : 0
          done = done substr($0, 1, RSTART - 1) mirror
          $0 = substr($0, RSTART + RLENGTH - tail)
        }
        print done $0
        done = ""
        next
      }
      { print }' "$file" >"$new"
    cmp -s "$new" "$file" || cat "$new" >"$file"
    rm -f "$new"
    ! grep -qF -- "$BANGER_APT_MIRROR" "$file" || found=yes
  done
  [[ -n $found ]] || echo "packages: no source of the archive \"$archive\" to replace by $BANGER_APT_MIRROR" >&2
}

main() {
  local packages=()
  mapfile -t packages <"$BANGER_FILES/packages.txt"
  if [[ -n ${BANGER_APT_MIRROR:-} ]]; then
    use_mirror
  fi
  hold_services
  apt_update
  if ((${#packages[@]} > 0)); then
    # A name that does not exist is found here, before minutes of upgrading.
    apt_get --simulate install "${packages[@]}" >/dev/null
  fi
  apt_get upgrade
  if ((${#packages[@]} > 0)); then
    apt_get install "${packages[@]}"
  fi
  # Room for the steps that follow.
  apt_get clean
  if command -v git >/dev/null; then
    git config --system init.defaultBranch main
  fi
  # Debian has given the name `fd` to another program.
  if command -v fdfind >/dev/null && ! command -v fd >/dev/null; then
    ln -s "$(command -v fdfind)" /usr/local/bin/fd
  fi
}

main
