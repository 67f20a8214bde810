#!/usr/bin/env bash
# Builds the image that is run once for each case, as nodegen:exec and nodegen; with --target invoke
# the server in its place, as nodegen:invoke. NODEGEN_IMAGE names another repository than nodegen.
#
#   ./build.sh [ARGUMENT...]     arguments go on to `docker build`, e.g. --target invoke, or
#                                --build-arg BASE_IMAGE=python:3.11-slim-bookworm
set -euo pipefail
cd "$(dirname "$0")"

repository=${NODEGEN_IMAGE:-nodegen}
tags=(--tag "$repository:exec" --tag "$repository")
[[ " $* " =~ " --target"[=\ ]"invoke " ]] && tags=(--tag "$repository:invoke")
# amd64: the platform runs nothing else.
docker build --platform linux/amd64 "${tags[@]}" "$@" .
