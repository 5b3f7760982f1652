#!/bin/sh
# Prints what was changed in a work tree since a commit: what was committed, what was not, and new files that are not
# ignored. Index, objects and files of the work tree stay as they are.
#
#   sh export.sh FOLDER BASE FORM
#
# BASE: a commit, or refs/banger/base.  FORM: `diff`, one patch for git apply; `mails`, one mail a commit for git am.
# Ends with 3 where there is no such repository or commit, 4 where its commits do not follow from BASE one by one.
set -eu
folder=$1 base=$2 form=$3

fail() {
  echo "$2" >&2
  exit "$1"
}

command -v git >/dev/null || fail 3 'git is not installed in the guest'
cd -- "$folder" || exit 3
top=$(git rev-parse --show-toplevel) || exit 3
cd -- "$top"
base=$(git rev-parse --verify --quiet "$base^{commit}") || fail 3 "the commit $2 that it came with is not there any more"

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
objects=$(git rev-parse --path-format=absolute --git-path objects)
index=$(git rev-parse --path-format=absolute --git-path index)
mkdir -p -- "$work/objects/info"
printf '%s\n' "$objects" >"$work/objects/info/alternates"
if [ -f "$index" ]; then
  cp -- "$index" "$work/index"
fi
export GIT_INDEX_FILE="$work/index" GIT_OBJECT_DIRECTORY="$work/objects" GIT_OPTIONAL_LOCKS=0
git -c advice.addEmbeddedRepo=false -c core.safecrlf=false add --all .
tree=$(git write-tree)

patch_options='--patch --binary --full-index --no-color --no-ext-diff --no-textconv --no-renames --src-prefix=a/ --dst-prefix=b/'
mail_options='--stdout --no-attach --no-thread --no-cover-letter --no-signature --no-notes --no-numbered'
case $form in
diff)
  # shellcheck disable=SC2086 # words on purpose
  git diff-tree -r $patch_options "$base" "$tree"
  ;;
mails)
  git merge-base --is-ancestor "$base" HEAD || fail 4 "HEAD does not follow from $base"
  merges=$(git rev-list --merges --max-count=1 "$base..HEAD")
  [ -z "$merges" ] || fail 4 "commit $merges is a merge, which no mail can hold"
  # shellcheck disable=SC2086
  git format-patch $mail_options $patch_options "$base..HEAD"
  if [ "$tree" != "$(git rev-parse 'HEAD^{tree}')" ]; then
    name=$(git config user.name || echo root)
    email=$(git config user.email || echo "root@$(hostname)")
    export GIT_AUTHOR_NAME="$name" GIT_AUTHOR_EMAIL="$email" GIT_COMMITTER_NAME="$name" GIT_COMMITTER_EMAIL="$email"
    rest=$(git commit-tree "$tree" -p HEAD -m 'Changes that were not committed')
    # shellcheck disable=SC2086
    git format-patch $mail_options $patch_options -1 "$rest"
  fi
  ;;
*)
  fail 2 "no such form: $form"
  ;;
esac
