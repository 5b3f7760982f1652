#!/bin/sh
# Writes stdin into a file, which is there only once it is whole. For `vm cp - NAME:FILE`.
#
#   sh write-file.sh FILE
set -eu
file=$1
temporary=$(mktemp -- "${file%/*}/.banger-cp-XXXXXXXX")
trap 'rm -f -- "$temporary"' EXIT
cat >"$temporary"
if [ -e "$file" ]; then
  chmod --reference="$file" -- "$temporary"
else
  chmod 0644 -- "$temporary"
fi
mv -T -- "$temporary" "$file"
trap - EXIT
