#!/usr/bin/env bash
# Builds the image and writes it to nodegen_METHOD_TIME.tar.gz, ready to upload, with its sha256
# beside it.
#
#   ./export.sh [ARGUMENT...]     arguments go on to `docker build`, as in ./build.sh
set -euo pipefail
cd "$(dirname "$0")"

./build.sh "$@"

method=exec
[[ " $* " =~ " --target"[=\ ]"invoke " ]] && method=invoke
image=${NODEGEN_IMAGE:-nodegen}:$method
archive=nodegen_${method}_$(date -u +%Y%m%dT%H%M%SZ).tar.gz
trap 'rm -f "$archive.partial"' EXIT
# pigz packs on all cores; without a name and time in it, gzip's result depends on the image alone.
pack=(gzip -n)
command -v pigz >/dev/null && pack=(pigz -n)

# At a terminal, either says how far it is.
progress=(dd bs=1M iflag=fullblock status=progress)
command -v pv >/dev/null &&
  progress=(pv --size "$(docker inspect --format '{{.Size}}' "$image")" --name packing)
[[ -t 2 ]] || progress=(cat)
echo "Packing $image with ${pack[0]}" >&2
docker save "$image" | "${progress[@]}" | "${pack[@]}" > "$archive.partial"
mv "$archive.partial" "$archive"
sha256sum "$archive" > "$archive.sha256"
echo "$PWD/$archive"
cat "$archive.sha256"
