#!/usr/bin/env bash
# Builds the image and writes it to nodegen_TIME.tar.gz, ready to upload, with its sha256 beside it.
#
#   ./export.sh [ARGUMENT...]     arguments go on to `docker build`, as in ./build.sh
set -euo pipefail
cd "$(dirname "$0")"

./build.sh "$@"

archive=nodegen_$(date -u +%Y%m%dT%H%M%SZ).tar.gz
trap 'rm -f "$archive.partial"' EXIT
# pigz packs on all cores; without a name and time in it, gzip's result depends on the image alone.
pack=(gzip -n)
command -v pigz >/dev/null && pack=(pigz -n)
docker save "${NODEGEN_IMAGE:-nodegen}" | "${pack[@]}" > "$archive.partial"
mv "$archive.partial" "$archive"
sha256sum "$archive" > "$archive.sha256"
echo "$PWD/$archive"
cat "$archive.sha256"
