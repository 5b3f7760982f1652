#!/bin/bash
# Step `docker`: a container engine, started at every boot. Docker's own packages where apt's sources have them,
# else the distribution's. Safe to run twice, and where Docker is there already.
#
# Inputs: BANGER_FILES/apt.sh   guest/lib/apt.sh
#         BANGER_APT_PROXY      optional; used while the step runs
# By hand, as root in a guest:
#   mkdir f && cp lib/apt.sh f/ && BANGER_FILES=$PWD/f bash steps/docker.sh
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
: "${BANGER_FILES:?is not set}"
# shellcheck source-path=SCRIPTDIR source=../lib/apt.sh
. "$BANGER_FILES/apt.sh"

# Version 1 of compose is another program, and no longer kept up.
compose_package() {
  local name version
  for name in docker-compose-plugin docker-compose-v2 docker-compose; do
    version=$(apt_candidate "$name")
    if [[ -n $version ]] && dpkg --compare-versions "$version" ge 2; then
      echo "$name"
      return
    fi
  done
  echo 'docker: compose 2 is not in the sources of apt; left out' >&2
}

install_engine() {
  local packages=() compose name
  # Only recommended, but no container starts without it on a kernel that has AppArmor.
  packages=(apparmor)
  if [[ -n $(apt_candidate docker-ce) ]]; then
    packages+=(docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin)
  else
    packages+=(docker.io ca-certificates)
    # Newer releases have the client in a package of its own.
    for name in docker-cli docker-buildx; do
      [[ -z $(apt_candidate "$name") ]] || packages+=("$name")
    done
    compose=$(compose_package)
    [[ -z $compose ]] || packages+=("$compose")
  fi
  echo "docker: installing ${packages[*]}"
  hold_services
  apt_get install "${packages[@]}"
  apt_get clean
}

# Fetched by the step `packages` of this build; older ones may name versions that are gone.
has_fresh_lists() {
  [[ -n $(find /var/lib/apt/lists -name '*_Packages*' -mmin -60 -print -quit) ]]
}

if command -v dockerd >/dev/null; then
  echo 'docker: dockerd is installed already'
else
  has_fresh_lists || apt_update
  install_engine
fi
systemctl enable docker.service
