"""What a process that makes images opens once, and the images of one radiograph after the other."""

import hashlib
from collections.abc import Iterator
from typing import Any

from nodegen.dataset.example import make_example
from nodegen.dataset.plan import Item
from nodegen.dataset.settings import DatasetSettings
from nodegen.dataset.sources import Source
from nodegen.dataset.space import in_original
from nodegen.dataset.standardise import standardise
from nodegen.dataset.write import read_record, record_name, write_example, write_skipped
from nodegen.errors import StackError
from nodegen.io.radiograph import read_radiograph
from nodegen.io.store import Store
from nodegen.lungs.fields import find_lungs
from nodegen.lungs.prior import Prior
from nodegen.renderer import Renderer


class Maker:
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

    def make(self, root: Store, source: Source, items: list[Item]) -> Iterator[str]:
        """Make those images of one radiograph that are not there; yields the name of each.

        Parameters
        ----------
        root : Store
            Where the radiograph's file lies.
        source : Source
            The radiograph: its file, slice and patient.
        items : list of Item
            Images that are made from it.
        """
        import torch

        torch.set_num_threads(1)  # also so that sums are rounded in the same way everywhere
        settings = self.settings
        todo = []
        for item in items:
            record = read_record(self.store, item)
            if record is None or "skipped" in record:  # it may have been mended since
                todo.append(item)
            else:  # by another run, or by a worker that was killed before it could say so
                yield item.name
        if not todo:
            return
        with root.local(source.path) as path:
            try:
                given = drawn = read_radiograph(path, source.slice)
                form = standardise(given) if settings.standardise else None
                if form is not None:
                    drawn = form.radiograph
                    given = given if settings.space == "original" else drawn
                lungs = form.lungs if form else find_lungs(drawn.pixels)
                places = self.prior.places(lungs, drawn.pixels)
            except StackError as error:
                why = str(error).replace(str(path), source.path)
                for item in todo:
                    write_skipped(self.store, item, source, why)
                    yield item.name
                return
            facts: dict[str, Any] = {
                "source_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "lungs_confidence": round(lungs.confidence, 3),
                "library_sha256": self.renderer.library.sha256,
                "model_sha256": self.renderer.model_sha256,
            }
            if form is not None:
                facts["standardised"] = form.transformation.to_dict()
            for item in todo:
                example = make_example(
                    drawn,
                    places,
                    item.nodules,
                    item.seed,
                    self.renderer.with_subtlety(settings.subtlety_of(item.split)),
                    size_mm=settings.size_mm,
                    signal=settings.signal,
                    visibility=settings.visibility,
                    untouched=settings.pairs,
                )
                if form is not None and given is not drawn:
                    example = in_original(example, form.transformation, given.pixels)
                with self.store.staged(record_name(item)) as folder:
                    write_example(folder, item, source, given, example, settings, facts)
                yield item.name
