"""The images of one radiograph after the other: drawn, written, and a record of each.

A record is written last and in one step. Where it lies, the image is done; where it does not,
whatever a killed run left of the image is written anew, with the same bytes.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from nodegen import __version__
from nodegen.dataset.dataset_plan import PlannedImage
from nodegen.dataset.dataset_settings import DatasetSettings
from nodegen.dataset.example import DrawnNodule, Example, make_example
from nodegen.dataset.formats import IMAGE_FILES, Record
from nodegen.dataset.png import mark_of, png, run_lengths, windowed
from nodegen.dataset.sources import Source
from nodegen.dataset.standardise import Standardised, in_original, standardise
from nodegen.errors import OutputError, StackError
from nodegen.io.files import write_bytes, write_text
from nodegen.io.image import run_hash
from nodegen.io.radiograph import Radiograph, read_radiograph, why_left_out
from nodegen.io.store import Store
from nodegen.lungs.fields import find_lungs
from nodegen.lungs.prior import Places, Prior
from nodegen.renderer import Renderer
from nodegen.synthesis.visibility import grade_of


@dataclass(frozen=True)
class Prepared:
    """A radiograph, and what is found in it once."""

    radiograph: Radiograph
    form: Standardised | None  # that nodules are drawn into, where it is another
    places: Places  # in that form
    facts: dict[str, Any]


class ImageMaker:
    """Makes images of a set, which lies in a store."""

    def __init__(self, settings: DatasetSettings, store: Store):
        self.settings, self.store = settings, store
        self.renderer = Renderer(settings.render)
        self.prior = Prior.load()

    def make(self, root: Store, source: Source, images: list[PlannedImage]) -> Iterator[str]:
        """Make those images of one radiograph that are not there; yields the name of each.

        Whatever is wrong with the radiograph, it is left out: the record of each image says why,
        and of a fault in nodegen itself where it lies. The next run tries it again.
        """
        import torch

        torch.set_num_threads(1)  # also so that sums are rounded in the same way everywhere
        prepared: Prepared | None = None
        unusable: Exception | None = None
        with ExitStack() as files:
            for image in images:
                # By another run, or by a worker that was killed before it could say so.
                if not _is_done(self.store, image):
                    try:
                        if unusable:
                            raise unusable
                        prepared = prepared or self._prepared(root, source, files)
                        self._draw(image, source, prepared)
                    except Exception as error:
                        unusable = None if prepared else error
                        why, trace = why_left_out(error, source.path, image.record)
                        record = {**_head(image, source), "skipped": why, "files": {}}
                        self._write(image, record | ({"traceback": trace} if trace else {}))
                yield image.name

    def _prepared(self, root: Store, source: Source, files: ExitStack) -> Prepared:
        """Read a radiograph, and find its lungs."""
        try:
            path = files.enter_context(root.local(source.path))
        except FileNotFoundError as error:
            raise StackError(f"{source.path} is there no more; put it back.") from error
        try:
            radiograph = read_radiograph(path, source.slice)
            form = standardise(radiograph) if self.settings.standardise else None
            lungs = form.lungs if form else find_lungs(radiograph.pixels)
            places = self.prior.places(lungs, (form.radiograph if form else radiograph).pixels)
        except StackError as error:
            raise StackError(str(error).replace(str(path), source.path)) from error
        facts: dict[str, Any] = {
            "source_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "lungs_confidence": round(lungs.confidence, 3),
            "library_sha256": self.renderer.library.sha256,
            "model_sha256": self.renderer.model_sha256,
        }
        if form:
            facts["standardised"] = form.transformation.to_dict()
        return Prepared(radiograph, form, places, facts)

    def _draw(self, image: PlannedImage, source: Source, prepared: Prepared) -> None:
        settings = self.settings
        renderer = self.renderer.with_subtlety(settings.subtlety_of(image.split))
        form, places = prepared.form, prepared.places
        drawn = form.radiograph if form else prepared.radiograph
        example = make_example(drawn, places, image.nodules, image.seed, renderer, settings)
        if form and settings.space == "original":
            example = in_original(example, form.transformation, prepared.radiograph)
        record: Record = {
            **_head(image, source),
            "seed": example.seed,
            "height": int(example.image.shape[0]),
            "width": int(example.image.shape[1]),
            "mm_per_px": round(example.mm, 5),
            "window": list(example.radiograph.window),
            "bits": 8 if example.image.dtype == np.uint8 else settings.bits,
            "passed": example.passed,
            "faults": example.faults,
            **prepared.facts,
            "nodules": [_entry(nodule, settings) for nodule in example.nodules],
        }
        files = dict(_pictures(record, example, settings))
        for name in IMAGE_FILES.keys() & settings.formats:
            files |= IMAGE_FILES[name](record, example, settings)
        record["files"] = {
            name: {"bytes": len(files[name]), "sha256": hashlib.sha256(files[name]).hexdigest()}
            for name in sorted(files)
        }
        self._write(image, record, files)

    def _write(
        self, image: PlannedImage, record: Record, files: Mapping[str, bytes] | None = None
    ) -> None:
        record = record | {"sha256": run_hash(record)}
        with self.store.staged(image.record) as folder:
            for name, content in (files or {}).items():
                write_bytes(folder / name, content)
            write_text(folder / image.record, json.dumps(record) + "\n")


@lru_cache(maxsize=1)
def maker_for(settings: DatasetSettings, store: Store) -> ImageMaker:
    """A maker that stays open for the next radiograph."""
    return ImageMaker(settings, store)


def make_elsewhere(version: str, settings: DatasetSettings, store: Store, *task: Any) -> list[str]:
    """Do a task of :meth:`ImageMaker.make` in a worker of another process or machine."""
    if version != __version__:
        raise OutputError(
            f"A worker has nodegen {__version__} where the set is made by {version}; install the "
            "same on all machines."
        )
    return list(maker_for(settings, store).make(*task))


def _pictures(
    record: Record, example: Example, settings: DatasetSettings
) -> Iterator[tuple[str, bytes]]:
    """The PNGs that several formats share: image, the same without nodules, and masks."""
    place, window, bits = f"{record['split']}/{record['name']}", record["window"], record["bits"]
    if {"coco", "csv", "monai"} & set(settings.formats):
        yield f"images/{place}.png", png(windowed(example.image, window, bits), mark_of(record))
    if settings.pairs and example.untouched is not None:
        yield f"untouched/{place}.png", png(windowed(example.untouched, window, bits))
    for number, nodule in enumerate(example.nodules if settings.masks else (), 1):
        yield f"masks/{place}_{number}.png", png(nodule.mask.astype("uint8") * 255)


def _is_done(output: Store, image: PlannedImage) -> bool:
    """Whether an image is there with its files; one that was left out is not."""
    record = _whole(output.read_many([image.record])[0], output.size)
    return record is not None and "skipped" not in record


def read_records(output: Store, images: Iterable[PlannedImage]) -> Iterator[Record]:
    """The records of those images that are done or left out, in the order of the images."""
    sizes = output.sizes()
    names = [name for image in images if (name := image.record) in sizes]
    for content in output.read_many(names):
        if record := _whole(content, sizes.get):
            yield record


def _head(image: PlannedImage, source: Source) -> Record:
    return {
        "name": image.name,
        "split": image.split,
        "source": source.path,
        "slice": source.slice,
        "patient": source.patient,
    }


def _whole(content: bytes | None, size: Callable[[str], int | None]) -> Record | None:
    """A record as it was written, where the files that it names have the sizes that it says."""
    try:
        record: Record = json.loads(content or b"")
        whole = record.pop("sha256") == run_hash(record)
        files = record["files"].items()
        return record if whole and all(size(n) == entry["bytes"] for n, entry in files) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # cut short or altered: made anew


def _entry(nodule: DrawnNodule, settings: DatasetSettings) -> dict[str, Any]:
    return {
        "box": list(nodule.tight if settings.boxes == "tight" else nodule.given),
        "tight": list(nodule.tight),
        "given": list(nodule.given),
        "size_mm": round(nodule.size_mm, 2),
        "contrast": round(nodule.contrast, 4),
        "visibility": round(nodule.visibility, 3),
        "subtlety": grade_of(nodule.visibility),
        "region": nodule.region,
        "area": int(nodule.mask.sum()),
        "rle": run_lengths(nodule.mask),
        "recipe": asdict(nodule.recipe),
    }
