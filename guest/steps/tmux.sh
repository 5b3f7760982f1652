#!/bin/bash
# Step `tmux`: plugin manager, resurrect and continuum for root's tmux, and a fenced block in ~/.tmux.conf.
# Lines outside the block stay as they are, where they are. Safe to run twice.
#
# Inputs: BANGER_FILES/tpm, BANGER_FILES/tmux-resurrect, BANGER_FILES/tmux-continuum   checked-out plugins
#         BANGER_FILES/tmux.conf                                                       the block's lines
#         BANGER_TPM_URL, BANGER_RESURRECT_URL, BANGER_CONTINUUM_URL                   where updates come from
# By hand, as root in a guest:
#   BANGER_FILES=/root/files BANGER_TPM_URL=... BANGER_RESURRECT_URL=... BANGER_CONTINUUM_URL=... bash tmux.sh
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
: "${BANGER_FILES:?is not set}"
: "${BANGER_TPM_URL:?is not set}" "${BANGER_RESURRECT_URL:?is not set}" "${BANGER_CONTINUUM_URL:?is not set}"
plugins=/root/.tmux/plugins
begin='# >>> banger tmux plugins >>>'
end='# <<< banger tmux plugins <<<'

# The plugin manager takes a plugin for installed, and updates it, only where it is a git checkout on a branch.
install_plugin() {
  local name=$1 url=$2 new=$plugins/.$1.new
  rm -rf "$new"
  cp -a "$BANGER_FILES/$name" "$new"
  chown -R root:root "$new"
  if [[ -d $new/.git ]] && command -v git >/dev/null; then
    # Plumbing, which touches neither index nor log: two runs leave the same bytes.
    git -C "$new" -c core.logAllRefUpdates=false update-ref refs/heads/master HEAD
    git -C "$new" -c core.logAllRefUpdates=false update-ref refs/remotes/origin/master HEAD
    git -C "$new" -c core.logAllRefUpdates=false symbolic-ref HEAD refs/heads/master
    git -C "$new" config remote.origin.url "$url"
    git -C "$new" config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'
    git -C "$new" config branch.master.remote origin
    git -C "$new" config branch.master.merge refs/heads/master
  fi
  rm -rf "${plugins:?}/$name"
  mv "$new" "$plugins/$name"
}

# The block takes the place of the one that is there; else it comes last, after an empty line.
# A begin without an end is only a line: nothing of the user's is taken for ours.
with_block() {
  awk -v begin="$begin" -v end="$end" -v body="$BANGER_FILES/tmux.conf" '
    function block(  line) {
      print begin
      while ((getline line <body) > 0) print line
      close(body)
      print end
    }
    { lines[NR] = $0 }
    END {
      for (i = 1; i <= NR; i++) {
        last = 0
        if (lines[i] == begin)
          for (j = i + 1; j <= NR && lines[j] != begin; j++) if (lines[j] == end) { last = j; break }
        if (last) {
          if (!written) block()
          written = 1
          i = last
        } else print lines[i]
      }
      if (!written) {
        if (NR && lines[NR] != "") print ""
        block()
      }
    }' "$1"
}

configure() {
  local settings=/root/.tmux.conf new
  touch "$settings"
  new=$(mktemp)
  with_block "$settings" >"$new"
  # Written through, so that a link to the user's own dotfiles stays one.
  cmp -s "$new" "$settings" || cat "$new" >"$settings"
  rm -f "$new"
}

mkdir -p "$plugins" /root/.tmux/resurrect
install_plugin tpm "$BANGER_TPM_URL"
install_plugin tmux-resurrect "$BANGER_RESURRECT_URL"
install_plugin tmux-continuum "$BANGER_CONTINUUM_URL"
configure
