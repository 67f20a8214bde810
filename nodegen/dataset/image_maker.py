"""The images of one radiograph after the other, by what a process opens once."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from traceback import format_exception
from typing import Any

from nodegen import __version__
from nodegen.dataset.dataset_plan import PlannedImage
from nodegen.dataset.dataset_settings import DatasetSettings
from nodegen.dataset.example import make_example
from nodegen.dataset.records import is_done, record_name, write_example, write_skipped
from nodegen.dataset.sources import Source
from nodegen.dataset.standardise import standardise
from nodegen.dataset.transformation import StandardisationTransform, in_original
from nodegen.errors import NodegenError, OutputError, StackError
from nodegen.io.radiograph import Radiograph, read_radiograph
from nodegen.io.store import Store
from nodegen.lungs.fields import find_lungs
from nodegen.lungs.prior import Places, Prior
from nodegen.renderer import Renderer


@dataclass(frozen=True)
class Prepared:
    """A radiograph that nodules are drawn into, and what is found in it once."""

    drawn: Radiograph
    original: Radiograph | None  # that the images are given in, where it is another
    places: Places
    transformation: StandardisationTransform | None
    facts: dict[str, Any]


class ImageMaker:
    """Makes images of a set.

    Parameters
    ----------
    settings : DatasetSettings
        Of the set.
    store : Store
        Where the set lies.
    """

    def __init__(self, settings: DatasetSettings, store: Store):
        self.settings, self.store = settings, store
        self.renderer = Renderer(settings.render)
        self.prior = Prior.load()

    def make(self, root: Store, source: Source, images: list[PlannedImage]) -> Iterator[str]:
        """Make those images of one radiograph that are not there; yields the name of each.

        Whatever is wrong with the radiograph, it is left out: the record of each image says why,
        and of a fault in nodegen itself where it lies. The next run tries it again.

        Parameters
        ----------
        root : Store
            Where the radiograph's file lies.
        source : Source
            The radiograph: its file, slice and patient.
        images : list of PlannedImage
            Images that are drawn into it.
        """
        import torch

        torch.set_num_threads(1)  # also so that sums are rounded in the same way everywhere
        # By another run, or by a worker that was killed before it could say so.
        done = [image.name for image in images if is_done(self.store, image)]
        yield from done
        todo = [image for image in images if image.name not in done]
        prepared: Prepared | None = None
        with ExitStack() as files:
            while todo:
                left_out: list[PlannedImage] = []
                try:
                    prepared = prepared or self._prepared(root, source, files)
                    self._draw(todo[0], source, prepared)
                except Exception as error:
                    why, trace = _said(error, source, record_name(todo[0]))
                    left_out = todo[:1] if prepared else todo
                    for image in left_out:
                        write_skipped(self.store, image, source, why, trace)
                yield from (image.name for image in left_out or todo[:1])
                todo = todo[max(len(left_out), 1) :]

    def _prepared(self, root: Store, source: Source, files: ExitStack) -> Prepared:
        """Read a radiograph, and find its lungs."""
        try:
            path = files.enter_context(root.local(source.path))
        except FileNotFoundError as error:
            raise StackError(f"{source.path} is there no more; put it back.") from error
        try:
            drawn, original, form = read_radiograph(path, source.slice), None, None
            if self.settings.standardise:
                form = standardise(drawn)
                original = drawn if self.settings.space == "original" else None
                drawn = form.radiograph
            lungs = form.lungs if form else find_lungs(drawn.pixels)
            places = self.prior.places(lungs, drawn.pixels)
        except StackError as error:
            raise StackError(str(error).replace(str(path), source.path)) from error
        facts: dict[str, Any] = {
            "source_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "lungs_confidence": round(lungs.confidence, 3),
            "library_sha256": self.renderer.library.sha256,
            "model_sha256": self.renderer.model_sha256,
        }
        if form is not None:
            facts["standardised"] = form.transformation.to_dict()
        return Prepared(drawn, original, places, form.transformation if form else None, facts)

    def _draw(self, image: PlannedImage, source: Source, prepared: Prepared) -> None:
        renderer = self.renderer.with_subtlety(self.settings.subtlety_of(image.split))
        radiograph, places = prepared.drawn, prepared.places
        example = make_example(
            radiograph, places, image.nodules, image.seed, renderer, self.settings
        )
        if prepared.transformation and prepared.original:
            example = in_original(example, prepared.transformation, prepared.original)
        with self.store.staged(record_name(image)) as folder:
            write_example(folder, image, source, example, self.settings, prepared.facts)


def _said(error: Exception, source: Source, record: str) -> tuple[str, str]:
    """Why a radiograph is left out, and the traceback of a fault in nodegen; others are raised."""
    if isinstance(error, StackError):
        return str(error), ""
    if isinstance(error, MemoryError):
        return f"{source.path} is too large for this machine's memory; take another one.", ""
    if isinstance(error, NodegenError | OSError):  # of the output, the settings or the model
        raise error
    why = (
        f"nodegen itself failed at it ({type(error).__name__}: {error}); please report it with "
        f"{record}, which says where."
    )
    return why, "".join(format_exception(error))


@lru_cache(maxsize=1)
def _maker(settings: DatasetSettings, store: Store) -> ImageMaker:
    return ImageMaker(settings, store)


def make_images(
    settings: DatasetSettings, store: Store, root: Store, source: Source, images: list[PlannedImage]
) -> Iterator[str]:
    """Make images of one radiograph as :meth:`ImageMaker.make`, by a maker that is opened once."""
    return _maker(settings, store).make(root, source, images)


def make_elsewhere(version: str, *task: Any) -> list[str]:
    """Make images as :func:`make_images`, in a worker of another process or machine.

    Raises
    ------
    OutputError
        Where the worker has another nodegen.
    """
    if version != __version__:
        raise OutputError(
            f"A worker has nodegen {__version__} where the set is made by {version}; install the "
            "same on all machines."
        )
    return list(make_images(*task))
