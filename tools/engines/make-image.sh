#!/bin/bash
# Makes a small image out of Debian's own packages, without an engine and without a registry.
#   make-image.sh busybox DIR    two layers, 2 MB (needs busybox-static)
#   make-image.sh python DIR     one layer, a Debian with python3-minimal, about 100 MB (needs root and debootstrap; some minutes)
# DIR gets: oci/ (OCI layout, gzipped layers), docker/ (an unpacked `docker save` of the classic layout), docker.tar (the same,
# packed), tag and config-digest (one line each). The busybox image has the same digests each time with the same busybox.
set -euo pipefail
kind=${1:-} dir=${2:-}
[ -n "$dir" ] || { sed -n '2,6s/^# //p' "$0" >&2; exit 2; }
[ -e "$dir/config-digest" ] && exit 0
mkdir -p "$(dirname "$dir")"
work=$(mktemp -d "$dir.XXXXXX"); trap 'rm -rf "$work"' EXIT; chmod 755 "$work"
tag=reprise-test/$kind:latest
oci=$work/image/oci docker=$work/image/docker
mkdir -p "$oci/blobs/sha256" "$docker"
digest() { sha256sum "$1" | cut -d' ' -f1; }
pack() { local members=("${@:3}"); tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$1" -cf "$2" -- "${members[@]:-.}"; }

case $kind in
busybox)
  mkdir -p "$work/base/bin" "$work/base/etc" "$work/base/tmp" "$work/top/etc"; chmod 1777 "$work/base/tmp"
  cp "$(command -v busybox)" "$work/base/bin/busybox"
  for name in $(busybox --list); do [ "$name" = busybox ] || ln -s busybox "$work/base/bin/$name"; done
  printf 'root:x:0:0:root:/root:/bin/sh\n' >"$work/base/etc/passwd"
  echo "of the second layer" >"$work/top/etc/layer"
  pack "$work/base" "$work/1.tar"; pack "$work/top" "$work/2.tar"
  layers=("$work/1.tar" "$work/2.tar") path=/bin ;;
python)
  mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources)
  debootstrap --variant=minbase --include=python3-minimal bookworm "$work/base" "$mirror" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
  rm -rf "$work"/base/{var/cache/apt,var/lib/apt/lists,usr/share/doc,usr/share/locale,usr/share/man,usr/share/info}/* "$work"/base/{dev,proc,sys}/*
  pack "$work/base" "$work/1.tar"; rm -rf "$work/base"
  layers=("$work/1.tar") path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin ;;
*) echo "unknown kind: $kind" >&2; exit 2 ;;
esac

diffs='' described='' files=''
for layer in "${layers[@]}"; do
  diff=$(digest "$layer")
  mkdir "$docker/$diff"; cp "$layer" "$docker/$diff/layer.tar"
  gzip -n -c "$layer" >"$work/blob"; blob=$(digest "$work/blob"); size=$(stat -c %s "$work/blob"); mv "$work/blob" "$oci/blobs/sha256/$blob"
  diffs+=",\"sha256:$diff\""
  described+=",{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"sha256:$blob\",\"size\":$size}"
  files+=",\"$diff/layer.tar\""
done
printf '{"architecture":"%s","os":"linux","created":"2020-01-01T00:00:00Z","config":{"Env":["PATH=%s"],"Cmd":["/bin/sh"]},"rootfs":{"type":"layers","diff_ids":[%s]}}' \
  "$(dpkg --print-architecture)" "$path" "${diffs#,}" >"$work/config"
config=$(digest "$work/config"); cp "$work/config" "$oci/blobs/sha256/$config"; cp "$work/config" "$docker/$config.json"
printf '[{"Config":"%s.json","RepoTags":["%s"],"Layers":[%s]}]' "$config" "$tag" "${files#,}" >"$docker/manifest.json"
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[%s]}' \
  "$config" "$(stat -c %s "$work/config")" "${described#,}" >"$work/manifest"
manifest=$(digest "$work/manifest"); cp "$work/manifest" "$oci/blobs/sha256/$manifest"
printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s,"annotations":{"org.opencontainers.image.ref.name":"latest"}}]}' \
  "$manifest" "$(stat -c %s "$work/manifest")" >"$oci/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$oci/oci-layout"
# As `docker save` names them, without a leading ./: newer Apptainers look for exactly manifest.json.
mapfile -t members < <(ls "$docker"); pack "$docker" "$work/image/docker.tar" "${members[@]}"
echo "$tag" >"$work/image/tag"; echo "sha256:$config" >"$work/image/config-digest"
chmod -R go+rX "$work/image"
# Somebody else may have made the same image meanwhile.
mv -T "$work/image" "$dir" 2>/dev/null || [ -e "$dir/config-digest" ]
