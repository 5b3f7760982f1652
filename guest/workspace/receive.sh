#!/bin/sh
# Makes the folder that a workspace is unpacked into; there must be none yet. Says `git` where the guest has git.
#
#   sh receive.sh FOLDER
set -eu
mkdir -- "$1"
if command -v git >/dev/null; then
  echo git
fi
