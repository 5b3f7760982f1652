# shellcheck shell=bash
# Mirrors in apt's sources: sourced by the step packages.sh and, on the host, by bootstrap/setup-hook.sh.
#
# Inputs: BANGER_APT_MIRROR            optional; in the place of the distribution's archive, for good
#         BANGER_APT_SECURITY_MIRROR   optional; in the place of the archive of its security updates, for good

# use_mirrors ROOT ARCHIVE: an archive is known by the last part of its address, `/debian` and `/debian-security`.
# The user's own sources stay as they are, and so do the mirrors themselves.
# Prints each mirror that no source names afterwards: there was nothing whose place it could take.
use_mirrors() {
  local root=$1 archive=$2 mirror=${BANGER_APT_MIRROR:-} security=${BANGER_APT_SECURITY_MIRROR:-} file new all=''
  for file in "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/*.list "$root"/etc/apt/sources.list.d/*.sources; do
    [[ -f $file ]] || continue
    new=$(awk -v mirror="$mirror" -v security="$security" -v archive="$archive" '
      function bare(uri) {
        sub("/+$", "", uri)
        return uri
      }
      function ends(uri, end) {
        return substr(uri, length(uri) - length(end) + 1) == end
      }
      function place(uri) {
        if (bare(uri) == bare(mirror) || bare(uri) == bare(security)) return uri
        if (mirror != "" && ends(bare(uri), "/" archive)) return mirror
        if (security != "" && ends(bare(uri), "/" archive "-security")) return security
        return uri
      }
      /^[[:space:]]*(deb|deb-src|URIs:)[[:space:]]/ {
        line = ""
        while (match($0, "[a-z+]+://[^[:space:]]+")) {
          line = line substr($0, 1, RSTART - 1) place(substr($0, RSTART, RLENGTH))
          $0 = substr($0, RSTART + RLENGTH)
        }
        print line $0
        next
      }
      { print }' "$file")
    [[ $new == "$(<"$file")" ]] || printf '%s\n' "$new" >"$file"
    all+=$new
  done
  for new in "$mirror" "$security"; do
    [[ $all == *"${new%/}"* ]] || printf '%s\n' "$new"
  done
}
