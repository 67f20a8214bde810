#!/usr/bin/env bash
# Sets up .venv, then puts nodules into the sample in test/sample and shows them before and after.
set -euo pipefail
cd "$(dirname "$0")"

.ci/venv report

input=test/sample/input out=out
# Without noise and blur over the whole radiograph only the nodules differ. A second run replaces the first.
# The report and the picture lie beside the folder of the stack: the platform allows one image in it.
.venv/bin/nodegen generate --input "$input" --output "$out/sample" --intensity input --no-noise-and-blur \
  --seed 10 --report "$out/report.html" --overwrite
.venv/bin/nodegen picture --radiographs "$input" --synthetic "$out/sample" --output "$out/before_after.png" \
  --overwrite

cat <<END

The harmonised stack  $PWD/$out/sample/phantom.mha
its recipes           $PWD/$out/sample/recipes.json
before and after      $PWD/$out/before_after.png
the report            $PWD/$out/report.html
END
