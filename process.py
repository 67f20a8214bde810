"""The entry of the container for one case (``exec``): evalutils around :mod:`nodegen.pipeline`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from evalutils import SegmentationAlgorithm
from pandas import DataFrame

from grand_challenge import RESULTS, add_folders, generate_case, open_renderer, save_results
from nodegen.cli.guard import guarded
from nodegen.io.stack import find_image


def main(argv: list[str] | None = None) -> int:
    """Process the one stack of the input folder; the exit codes are those of ``nodegen``."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_folders(parser)
    args = parser.parse_args(argv)
    return guarded(lambda: NoduleGeneration(args.input, args.output, args.workers).process())


class NoduleGeneration(SegmentationAlgorithm):  # type: ignore[misc]
    """The platform's class for one case; the pipeline reads the stack once and checks it itself.

    Parameters
    ----------
    input_dir, output_dir : Path
        Folder of one image and its nodules.json, and the one that gets the result.
    workers : int, optional
        Slices rendered side by side; if it is not given, one for each processor that may be used.
    """

    def __init__(self, input_dir: Path, output_dir: Path, workers: int | None = None):
        super().__init__(
            input_path=input_dir, output_path=output_dir, output_file=output_dir / RESULTS
        )
        self._workers = workers

    def load(self) -> None:
        """Find the one image; evalutils' own loader reads every file and warns about the JSON."""
        self._cases[self._index_key] = DataFrame([{"path": find_image(self._input_path)}])

    def validate(self) -> None:
        """Leave the checks to the pipeline's reader."""

    def process_case(self, *, idx: int, case: Any) -> dict[str, Any]:
        """Process one case; its entry in results.json is returned."""
        return self.predict(input_image=case["path"])

    def predict(self, *, input_image: Path) -> dict[str, Any]:
        """Draw the nodules into the image's stack; the entry in results.json is returned."""
        return generate_case(open_renderer(self._workers), input_image.parent, self._output_path)

    def save(self) -> None:
        """Write results.json."""
        save_results(self._output_path, self._case_results)


if __name__ == "__main__":
    sys.exit(main())
