#!/usr/bin/env bash
# Builds the image `nodegen`, or the one that NODEGEN_IMAGE names.
#
#   ./build.sh [ARGUMENT...]     arguments go on to `docker build`, e.g.
#                                --target invoke: the server in place of the container that is run
#                                once for each case (exec)
#                                --build-arg BASE_IMAGE=python:3.11-slim-bookworm
set -euo pipefail
cd "$(dirname "$0")"

# amd64: the platform runs nothing else.
docker build --platform linux/amd64 --tag "${NODEGEN_IMAGE:-nodegen}" "$@" .
