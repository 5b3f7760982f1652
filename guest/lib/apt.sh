# shellcheck shell=bash
# For steps that install packages: sourced by packages.sh and docker.sh.
#
# Inputs: BANGER_APT_PROXY   optional; used while the step runs, never written into the image
export DEBIAN_FRONTEND=noninteractive DEBIAN_PRIORITY=critical NEEDRESTART_SUSPEND=1 UCF_FORCE_CONFFOLD=1

apt_options=(
  -q -y
  -o Acquire::Retries=3
  -o Acquire::Languages=none
  -o APT::Install-Recommends=false
  # Names are names: apt would take `python3.` for an expression that fits many.
  -o APT::Cmd::Pattern-Only=true
  -o DPkg::Lock::Timeout=120
  -o Dpkg::Use-Pty=0
  # A changed config file is kept; a question would never be answered.
  -o Dpkg::Options::=--force-confdef
  -o Dpkg::Options::=--force-confold
  # The disk is synced once at the end of the build; a build that fails is thrown away.
  -o Dpkg::Options::=--force-unsafe-io
)
if [[ -n ${BANGER_APT_PROXY:-} ]]; then
  apt_options+=(-o "Acquire::http::Proxy=$BANGER_APT_PROXY" -o "Acquire::https::Proxy=$BANGER_APT_PROXY")
fi

apt_get() {
  apt-get "${apt_options[@]}" "$@" </dev/null
}

# A list that could not be fetched is an error; apt alone would go on with the old one.
apt_update() {
  apt_get -o APT::Update::Error-Mode=any update
}

# The version that apt would install; empty where it has none.
apt_candidate() {
  LC_ALL=C apt-cache policy "$1" | sed -n '/^  Candidate: (none)$/d; s/^  Candidate: //p'
}

# Services of new packages start at the VM's next boot, not in the middle of the build: that is faster,
# leaves no state of a first start in the image, and a new sshd does not end our own session.
# A policy of the user's own is left alone.
hold_services() {
  local policy=/usr/sbin/policy-rc.d
  [[ ! -e $policy ]] || return 0
  printf '#!/bin/sh\n# Written by banger for the time of a build step.\nexit 101\n' >"$policy"
  chmod 0755 "$policy"
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}
