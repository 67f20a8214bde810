"""The container's entry: evalutils on the outside, :mod:`nodegen.pipeline` on the inside."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nodegen.cli import guarded

if TYPE_CHECKING:
    from nodegen.renderer import Renderer
    from nodegen.settings import Settings

UNPACKED_MODEL = Path("/opt/ml/model")  # where the platform unpacks a model of its own
RESULTS = "results.json"


def main(argv: list[str] | None = None) -> int:
    """Process the one stack of the input folder; the exit codes are those of ``nodegen``."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_folders(parser)
    args = parser.parse_args(argv)
    return guarded(lambda: process(args.input, args.output, args.workers))


def add_folders(parser: argparse.ArgumentParser) -> None:
    """Add the options that this entry and ``serve.py`` have."""
    for name in ("input", "output"):
        parser.add_argument(
            f"--{name}", type=Path, default=Path(f"/{name}"), help="(default: %(default)s)"
        )
    parser.add_argument(
        "--workers", type=int, help="slices rendered side by side (default: one a processor)"
    )


def process(input_dir: Path, output_dir: Path, workers: int | None = None) -> None:
    """Process one case in evalutils' frame."""
    from nodegen.io.stack import find_image

    segmentation_algorithm = _frame()

    class NoduleGeneration(segmentation_algorithm):  # type: ignore[misc, valid-type]
        """evalutils' frame around the pipeline, which reads the stack once and checks it itself."""

        def load(self) -> None:
            self._cases[self._index_key] = _Cases([{"path": find_image(input_dir)}])

        def validate(self) -> None:
            pass  # the pipeline's reader does

        def process_case(self, *, idx: int, case: Any) -> dict[str, Any]:
            return self.predict(input_image=case["path"])

        def predict(self, *, input_image: Path) -> dict[str, Any]:
            return generate_case(renderer, input_image.parent, output_dir)

        def save(self) -> None:
            save_results(output_dir, self._case_results)

    renderer = open_renderer(workers)
    NoduleGeneration(
        input_path=input_dir, output_path=output_dir, output_file=output_dir / RESULTS
    ).process()


# --- what the other entry does as well ------------------------------------------------------------


def open_renderer(workers: int | None) -> Renderer:
    """Make the renderer, of the unpacked model where there is one; say what it runs on."""
    with left_out(_BESIDE_INFERENCE):
        import torch

    from nodegen.renderer import Renderer

    renderer = Renderer(settings_of(workers))
    print(
        f"nodegen on {renderer.device.type}, torch {torch.__version__}, CUDA {torch.version.cuda}",
        flush=True,
    )
    return renderer


def settings_of(workers: int | None, folder: Path = UNPACKED_MODEL) -> Settings:
    """The defaults, with what lies in ``folder``, which wins over what the image ships."""
    from nodegen.settings import Settings

    cascades = any((folder / name).is_dir() for name in ("hyposignal", "hypersignal"))
    library = folder / "nodules"
    return Settings(
        workers=workers,
        model=folder if cascades else None,
        library=library if library.is_dir() else None,
    )


def generate_case(renderer: Renderer, input_dir: Path, output_dir: Path) -> dict[str, Any]:
    """Process one case, and give its entry in ``results.json``."""
    from nodegen.pipeline import generate

    # Whatever fails from here on, no older file may tell of a result.
    with suppress(OSError):
        (output_dir / RESULTS).unlink()
    done = generate(input_dir, output_dir, renderer=renderer, overwrite=True)
    for note in done.notes:
        print(note, flush=True)
    name = {"type": "metaio_image", "filename": done.image.name}
    return {"outputs": [name], "inputs": [dict(name)], "error_messages": []}


def save_results(output_dir: Path, results: list[dict[str, Any]]) -> None:
    """Write ``results.json`` as evalutils does; where it cannot be written, no image is left."""
    from nodegen.errors import OutputError
    from nodegen.io.files import write_text

    try:
        write_text(output_dir / RESULTS, json.dumps(results))
    except OutputError:
        for result in results:
            (output_dir / result["outputs"][0]["filename"]).unlink(missing_ok=True)
        raise


# --- packages as far as they are used -------------------------------------------------------------

# Torch's Python code for tensors without data, of which torch.compile and torch.export make use:
# a quarter of the time that `import torch` takes.
_BESIDE_INFERENCE = ("torch._meta_registrations",)
# What evalutils imports for its own readers and scorers. Its frame (load, validate, process_cases,
# save) needs none of it, and is all that is used: without them the start takes half the time, and
# the image is 430 MB smaller.
_BESIDE_THE_FRAME = (
    "imageio", "pandas", "pandas.errors", "SimpleITK", "sklearn", "sklearn.neighbors"
)  # fmt: skip


class _Nothing(ModuleType):
    """Stands for a module whose names are imported, and never used."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return object


class _Cases(list[dict[str, Any]]):
    """The cases, as far as the frame takes them for a pandas table: it goes through their rows."""

    def iterrows(self) -> enumerate[dict[str, Any]]:
        return enumerate(self)


@contextmanager
def left_out(names: Sequence[str]) -> Iterator[None]:
    """Let nothing stand in place of modules while others are imported that would import them."""
    missing = [name for name in names if sys.modules.get(name) is None]
    sys.modules.update({name: _Nothing(name) for name in missing})
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


def _frame() -> type:
    with left_out(_BESIDE_THE_FRAME):
        from evalutils import SegmentationAlgorithm
    return SegmentationAlgorithm  # type: ignore[no-any-return]


if __name__ == "__main__":
    sys.exit(main())
