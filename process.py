"""The container's entry: evalutils on the outside, :mod:`nodegen.pipeline` on the inside."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from nodegen.cli import guarded

UNPACKED_MODEL = Path("/opt/ml/model")  # where the platform unpacks a model of its own


def main(argv: list[str] | None = None) -> int:
    """Process the one stack of the input folder; the exit codes are those of ``nodegen``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, default=Path("/input"), help="(default: %(default)s)")
    parser.add_argument(
        "--output", type=Path, default=Path("/output"), help="(default: %(default)s)"
    )
    args = parser.parse_args(argv)
    return guarded(lambda: process(args.input, args.output))


def process(input_dir: Path, output_dir: Path) -> None:
    """Generate from one folder into the other, and write ``results.json`` as evalutils does."""
    import torch
    from evalutils import SegmentationAlgorithm
    from pandas import DataFrame

    from nodegen.io.files import write_text
    from nodegen.io.stack import find_image
    from nodegen.pipeline import generate
    from nodegen.settings import Settings, choose_device

    class NoduleGeneration(SegmentationAlgorithm):
        """evalutils' frame around the pipeline, which reads the stack once and checks it itself."""

        def load(self) -> None:
            self._cases[self._index_key] = DataFrame([{"path": find_image(input_dir)}])

        def validate(self) -> None:
            pass  # the pipeline's reader does

        def process_case(self, *, idx: int, case: Any) -> dict[str, Any]:
            image = self.predict(input_image=case["path"])
            name = {"type": "metaio_image", "filename": image.name}
            return {"outputs": [name], "inputs": [dict(name)], "error_messages": []}

        def predict(self, *, input_image: Path) -> Path:
            return generate(input_image.parent, self._output_path, settings).image

        def save(self) -> None:
            write_text(Path(self._output_file), json.dumps(self._case_results))

    settings = Settings(**unpacked_model())
    device = choose_device(settings.device)
    print(
        f"nodegen on {device.type}, torch {torch.__version__}, CUDA {torch.version.cuda}",
        flush=True,
    )
    NoduleGeneration(
        input_path=input_dir, output_path=output_dir, output_file=output_dir / "results.json"
    ).process()


def unpacked_model(folder: Path = UNPACKED_MODEL) -> dict[str, Path]:
    """Settings for what lies in ``folder``, which wins over what the image ships."""
    found = {}
    if (folder / "hyposignal").is_dir() or (folder / "hypersignal").is_dir():
        found["model"] = folder
    if (folder / "nodules").is_dir():
        found["nodules"] = folder / "nodules"
    return found


if __name__ == "__main__":
    sys.exit(main())
