#!/bin/bash
# Apptainer, also as `singularity`: Debian 12 has none, so Debian sid's, with sid's C library beside the system's own; needs root.
#   apptainer.sh install [PREFIX]    once; PREFIX (/opt/apptainer) gets the libraries
# Run it with APPTAINER_USERNS=1 where loop devices cannot be had.
set -euo pipefail
[ "${1:-}" = install ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
prefix=${2:-/opt/apptainer}
if apptainer --version 2>/dev/null; then exit 0; fi
host=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources)
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends patchelf squashfs-tools squashfuse fuse-overlayfs >/dev/null
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; chmod 755 "$work"
mkdir -p "$work"/{lists/partial,cache/archives/partial,debs,root}; : >"$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $host sid main" >"$work/sid.list"
options=(-oDir::Etc::sourcelist="$work/sid.list" -oDir::Etc::sourceparts=/dev/null -oDir::State::Lists="$work/lists"
  -oDir::Cache="$work/cache" -oDir::State::status="$work/status" -oAPT::Sandbox::User=root)
apt-get "${options[@]}" -qq update
(cd "$work/debs" && apt-get "${options[@]}" -qq download apptainer libc6 libseccomp2 libsqlite3-0)
for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$work/root"; done
lib=usr/lib/$(uname -m)-linux-gnu
rm -rf "$prefix" "/$lib/apptainer" /etc/apptainer; mkdir -p "$prefix/lib"
cp -a "$work/root/$lib"/*.so* "$prefix/lib/"
loader=$(find "$work/root" -name 'ld-linux-*.so.*' | head -n 1); cp -aL "$loader" "$prefix/lib/"
cp -a "$work/root/$lib/apptainer" "/$lib/"
cp -a "$work/root/etc/apptainer" /etc/
install -m755 "$work/root/usr/bin/apptainer" /usr/bin/apptainer
ln -sf apptainer /usr/bin/singularity
mkdir -p /var/lib/apptainer/mnt/session
for program in /usr/bin/apptainer "/$lib/apptainer/bin/starter"; do
  patchelf --set-interpreter "$prefix/lib/${loader##*/}" --force-rpath --set-rpath "$prefix/lib" "$program"
done
apptainer --version
