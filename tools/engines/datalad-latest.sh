#!/bin/bash
# The newest DataLad, datalad-container and git-annex that Debian has (sid), in a tree of their own, as an oracle. Needs root.
#   datalad-latest.sh install [TREE]        make TREE with debootstrap (about 1 GB, 2 minutes; nothing happens if it is complete)
#   datalad-latest.sh exec [TREE] -- CMD    run CMD in the tree; /tmp and the current folder are the host's, at the same paths
# Default TREE: $REPRISE_DATALAD_LATEST, else /opt/datalad-latest
set -euo pipefail
usage() { sed -n '3,4s/^# *//p' "$0" >&2; exit 2; }
[ $# -gt 0 ] || usage
verb=$1; shift
tree=${REPRISE_DATALAD_LATEST:-/opt/datalad-latest}
if [ $# -gt 0 ] && [ "$1" != -- ]; then tree=$1; shift; fi
export DEBIAN_FRONTEND=noninteractive

# The mirror that this machine installs Debian from, in either format of apt's sources.
mirror() {
  cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '/^URIs:/ { print $2; exit }' | grep . && return
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
    sed -nE 's/^deb +(\[[^]]*\] +)?([^ ]+) .*/\2/p' | head -n 1 | grep .
}

install_tree() {
  [ -e "$tree/.ready" ] && return
  # What an earlier attempt left is taken away; anything else in the place is somebody else's.
  if [ -e "$tree/.partial" ]; then rm -rf --one-file-system "$tree"; fi
  if [ -e "$tree" ] && ! rmdir "$tree"; then echo "$tree exists and is no tree of ours" >&2; exit 1; fi
  command -v debootstrap >/dev/null || apt-get install -qq -y --no-install-recommends debootstrap
  mkdir -p "$tree"; touch "$tree/.partial"
  debootstrap --variant=minbase --include=ca-certificates,git,git-annex sid "$tree" "$(mirror)"
  cp /etc/apt/apt.conf.d/* "$tree/etc/apt/apt.conf.d/" 2>/dev/null || true
  chroot "$tree" sh -c 'apt-get -qq update && apt-get install -qq -y --no-install-recommends datalad datalad-container'
  chroot "$tree" apt-get clean
  mv "$tree/.partial" "$tree/.ready"
}

case $verb in
install)
  log=$(mktemp); trap 'rm -f "$log"' EXIT
  # What debootstrap and apt say is only of interest when they fail.
  if ! (set -e; install_tree) >"$log" 2>&1; then tail -n 40 "$log" >&2; exit 1; fi
  chroot "$tree" datalad --version ;;
exec)
  [ "${1:-}" = -- ] && shift
  [ $# -gt 0 ] || usage
  exec unshare -m bash -c '
    set -e; tree=$1; cwd=$2; shift 2
    mount --make-rprivate /; mount --bind "$tree" "$tree"
    for d in proc dev sys; do mount --rbind /$d "$tree/$d"; done
    mount --bind /tmp "$tree/tmp"
    case $cwd in /tmp/*|/tmp) ;; *) mkdir -p "$tree$cwd"; mount --bind "$cwd" "$tree$cwd" ;; esac
    cd "$tree"; mkdir -p .old; pivot_root . .old; umount -l /.old; cd "$cwd"; exec "$@"' _ "$tree" "$PWD" "$@" ;;
*) usage ;;
esac
