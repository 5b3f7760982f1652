# shellcheck shell=sh
# Written by banger: tools that mise manages are on PATH in login shells.
if [ -n "${BASH_VERSION:-}" ] && [ -x /usr/local/bin/mise ]; then
  eval "$(/usr/local/bin/mise activate bash)"
fi
