#!/bin/sh
# What a path of the guest is, for `vm cp`: prints `OWN TARGET SIZE PARENT` on one line, then where it leads to.
#
#   sh probe.sh PATH PARENT
#
# OWN: absent, folder, file, link, other.  TARGET: the same, with links followed.  SIZE: of a file, in bytes, else 0.
# PARENT: whether PARENT is a folder: yes, no.
set -eu
path=$1 parent=$2

kind() {
  if [ -d "$path" ]; then
    echo folder
  elif [ -f "$path" ]; then
    echo file
  elif [ -e "$path" ]; then
    echo other
  else
    echo absent
  fi
}

target=$(kind)
own=$target
if [ -L "$path" ]; then
  own='link'
fi
size=0
if [ "$target" = file ]; then
  size=$(stat -L -c %s -- "$path")
fi
is_folder=no
if [ -d "$parent" ]; then
  is_folder=yes
fi
echo "$own $target $size $is_folder"
readlink -f -- "$path" || true
