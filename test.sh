#!/usr/bin/env bash
# Sets up .venv with the development tools and runs lint, types and all tests. Where a Docker engine
# answers, the image is built first and the tests run it as the platform does.
#
#   ./test.sh [ARGUMENT...]     arguments go on to `docker build`, e.g. --network host
set -euo pipefail
cd "$(dirname "$0")"

.ci/venv dev

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/lint-imports --no-cache
.venv/bin/mypy
# Strict: a broken link, or a public name without a docstring's part that is linked to, fails.
.venv/bin/mkdocs build --strict --quiet

# The pages' modules are linted, and the pages checked by axe, where npm can get the two; nothing of
# them is shipped.
if command -v npm >/dev/null && { [[ -d node_modules/axe-core ]] || npm install --silent; }; then
  npm run --silent lint
else
  echo "No npm, or no network: the pages' modules are not linted, and axe does not check the pages"
fi

if docker info >/dev/null 2>&1; then
  # Images of their own, so that the tests never run what was built from other files.
  export NODEGEN_IMAGE=nodegen-test
  ./build.sh "$@"
  ./build.sh "$@" --target invoke
else
  unset NODEGEN_IMAGE
  echo "No Docker engine answers: the image is neither built nor tested"
fi

# A process for each processor, up to four; the files of tests are parted among them.
.venv/bin/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile
