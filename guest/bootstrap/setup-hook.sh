#!/bin/bash
# mmdebstrap's setup hook: runs on the host, when apt has been set up and before it fetches anything.
#
# Arguments: the folder that becomes the image's root
# Inputs: MMDEBSTRAP_APT_CONFIG        mmdebstrap's own settings of apt, which do not get into the image
#         apt-sources.sh beside it     guest/lib/apt-sources.sh
#         BANGER_APT_MIRROR            optional; see there
#         BANGER_APT_SECURITY_MIRROR   optional; see there
# By hand:
#   mmdebstrap --setup-hook=$PWD/f/setup-hook.sh bookworm out.tar, with both files in f/
set -euo pipefail
: "${MMDEBSTRAP_APT_CONFIG:?is not set}"
# shellcheck source-path=SCRIPTDIR source=../lib/apt-sources.sh
. "${BASH_SOURCE[0]%/*}/apt-sources.sh"

main() {
  local unused
  # Names are names: apt would take `python3.` for an expression that fits many.
  printf 'APT::Cmd::Pattern-Only "true";\n' >>"$MMDEBSTRAP_APT_CONFIG"
  unused=$(use_mirrors "$1" debian)
  # An image from another place than the one that was asked for would be a surprise.
  if [[ -n $unused ]]; then
    echo "E: there is no source that could be replaced by $unused" >&2
    exit 1
  fi
}

main "$@"
