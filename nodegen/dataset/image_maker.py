"""The images of one radiograph after the other, by what a process opens once."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from traceback import format_exception
from typing import Any

from nodegen.dataset.dataset_plan import PlannedImage
from nodegen.dataset.dataset_settings import DatasetSettings
from nodegen.dataset.example import make_example
from nodegen.dataset.records import is_done, record_name, write_example, write_skipped
from nodegen.dataset.sources import Source
from nodegen.dataset.standardise import standardise
from nodegen.dataset.transformation import StandardisationTransform, in_original
from nodegen.errors import NodegenError, StackError
from nodegen.io.radiograph import Radiograph, read_radiograph
from nodegen.io.store import Store
from nodegen.lungs.fields import find_lungs
from nodegen.lungs.prior import Places, Prior
from nodegen.renderer import Renderer


@dataclass(frozen=True)
class Prepared:
    """A radiograph that nodules are drawn into, and what is found in it once."""

    given: Radiograph
    drawn: Radiograph
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
        prepared: Prepared | Exception | None = None
        with ExitStack() as files:
            for image in images:
                # By another run, or by a worker that was killed before it could say so.
                if not is_done(self.store, image):
                    if prepared is None:
                        prepared = self._prepared(root, source, files)
                    self._make_one(image, source, prepared)
                yield image.name

    def _prepared(self, root: Store, source: Source, files: ExitStack) -> Prepared | Exception:
        """Read a radiograph, and find its lungs; or what is wrong with it."""
        try:
            path = files.enter_context(root.local(source.path))
            try:
                return self._read(path, source)
            except StackError as error:
                return StackError(str(error).replace(str(path), source.path))
        except FileNotFoundError:
            return StackError(f"{source.path} is there no more; put it back.")
        except Exception as error:
            return error

    def _read(self, path: Path, source: Source) -> Prepared:
        given = drawn = read_radiograph(path, source.slice)
        form = standardise(given) if self.settings.standardise else None
        if form is not None:
            drawn = form.radiograph
            given = given if self.settings.space == "original" else drawn
        lungs = form.lungs if form else find_lungs(drawn.pixels)
        facts: dict[str, Any] = {
            "source_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "lungs_confidence": round(lungs.confidence, 3),
            "library_sha256": self.renderer.library.sha256,
            "model_sha256": self.renderer.model_sha256,
        }
        if form is not None:
            facts["standardised"] = form.transformation.to_dict()
        return Prepared(
            given,
            drawn,
            self.prior.places(lungs, drawn.pixels),
            form.transformation if form else None,
            facts,
        )

    def _make_one(
        self, image: PlannedImage, source: Source, prepared: Prepared | Exception
    ) -> None:
        try:
            if isinstance(prepared, Exception):
                raise prepared
            self._draw(image, source, prepared)
        except StackError as error:
            write_skipped(self.store, image, source, str(error))
        except (NodegenError, OSError):  # of the output, the settings or the model
            raise
        except MemoryError:
            why = "It is too large for this machine's memory; take another machine."
            write_skipped(self.store, image, source, why)
        except Exception as error:
            why = (
                f"nodegen itself failed at it ({type(error).__name__}: {error}); please report it "
                f"with {record_name(image)}, which says where."
            )
            write_skipped(self.store, image, source, why, "".join(format_exception(error)))

    def _draw(self, image: PlannedImage, source: Source, prepared: Prepared) -> None:
        settings = self.settings
        example = make_example(
            prepared.drawn,
            prepared.places,
            image.nodules,
            image.seed,
            self.renderer.with_subtlety(settings.subtlety_of(image.split)),
            size_mm=settings.size_mm,
            signal=settings.signal,
            visibility=settings.visibility,
            untouched=settings.pairs,
        )
        if prepared.transformation and prepared.given is not prepared.drawn:
            example = in_original(example, prepared.transformation, prepared.given)
        with self.store.staged(record_name(image)) as folder:
            write_example(folder, image, source, example, settings, prepared.facts)


@lru_cache(maxsize=1)
def _maker(settings: DatasetSettings, store: Store) -> ImageMaker:
    return ImageMaker(settings, store)


def make_images(
    settings: DatasetSettings, store: Store, root: Store, source: Source, images: list[PlannedImage]
) -> Iterator[str]:
    """Make images of one radiograph as :meth:`ImageMaker.make`, by a maker that is opened once."""
    return _maker(settings, store).make(root, source, images)
