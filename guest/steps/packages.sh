#!/bin/bash
# Step `packages`: brings the package lists and the installed packages up to date, and installs what was asked for.
# Safe to run twice.
#
# Inputs: BANGER_FILES/packages.txt   packages as apt takes them, one a line
#         BANGER_FILES/apt.sh         guest/lib/apt.sh
#         BANGER_FILES/apt-sources.sh guest/lib/apt-sources.sh
#         BANGER_APT_MIRROR           optional; replaces the distribution's archive in apt's sources, for good
#         BANGER_APT_SECURITY_MIRROR  optional; replaces the archive of its security updates, for good
#         BANGER_APT_PROXY            optional; used while the step runs
# By hand, as root in a guest:
#   mkdir f && cp lib/apt*.sh f/ && echo jq >f/packages.txt && BANGER_FILES=$PWD/f bash steps/packages.sh
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
: "${BANGER_FILES:?is not set}"
# shellcheck source-path=SCRIPTDIR source=../lib/apt.sh
. "$BANGER_FILES/apt.sh"
# shellcheck source-path=SCRIPTDIR source=../lib/apt-sources.sh
. "$BANGER_FILES/apt-sources.sh"

main() {
  local packages=() archive unused
  mapfile -t packages <"$BANGER_FILES/packages.txt"
  # shellcheck source=/dev/null
  archive=$(. /etc/os-release && echo "$ID")
  unused=$(use_mirrors '' "$archive")
  if [[ -n $unused ]]; then
    echo "packages: no source of the archive \"$archive\" to replace by $unused" >&2
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
