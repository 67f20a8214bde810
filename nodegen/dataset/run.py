"""Make a set: in one process, in several, or a share of it; and go on where a run was stopped."""

import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

from nodegen.dataset.example import make_example
from nodegen.dataset.finish import finish_set
from nodegen.dataset.plan import Plan, draw_plan, keep_plan
from nodegen.dataset.settings import DatasetSettings
from nodegen.dataset.write import read_record, write_example, write_skipped
from nodegen.errors import OutputError, SettingError, StackError
from nodegen.io.radiograph import read_radiograph
from nodegen.placement.lungs import find_lungs
from nodegen.placement.prior import Prior
from nodegen.progress import track
from nodegen.renderer import Renderer


@dataclass(frozen=True)
class Made:
    """What a run left.

    Attributes
    ----------
    output : pathlib.Path
    images, done : int
        Of the whole set, and how many of them are there.
    skipped : dict
        Radiographs that could not be used, and why.
    """

    output: Path
    images: int
    done: int
    skipped: dict[str, str]

    @property
    def complete(self) -> bool:
        """Whether the set was finished: its index files, manifest, card and sheet are written."""
        return self.done == self.images


def make_dataset(
    inputs: list[Path],
    output: Path,
    settings: DatasetSettings,
    *,
    workers: int = 1,
    shard: tuple[int, int] = (1, 1),
    progress: bool = True,
) -> Made:
    """Make a training set, or go on with one.

    The same radiographs and settings give the same bytes, whatever the number of workers and
    shards, and however often it was stopped.

    Parameters
    ----------
    inputs : list of pathlib.Path
        Files and folders of radiographs.
    output : pathlib.Path
        Empty, missing, or with a set that was begun with the same radiographs and settings.
    workers : int
        Processes, with one thread of torch each.
    shard : (int, int)
        Which share of the radiographs, counted from 1, of how many. Whichever shard sees the set
        complete finishes it.
    progress : bool
        Whether stdout shows how far it is.

    Raises
    ------
    NodegenError
        One of its classes, for each kind of fault.
    """
    number, of = shard
    if workers < 1 or not 1 <= number <= of:
        raise SettingError(
            f"--workers is {workers} and --shard {number}/{of}; give at least one worker, and a "
            "shard from 1/n to n/n."
        )
    plan = draw_plan(inputs, settings)
    keep_plan(plan, output)
    todo = [
        source
        for source in range(number - 1, len(plan.sources), of)
        if any(read_record(output, item) is None for item in plan.of_source(source))
    ]
    total = sum(
        read_record(output, item) is None for source in todo for item in plan.of_source(source)
    )
    made = _in_process(plan, output, todo) if workers == 1 else _pool(plan, output, todo, workers)
    for _ in track(made, total, "radiographs with nodules", "image", progress):
        pass
    records = [record for item in plan.items if (record := read_record(output, item))]
    skipped = {r["source"]: r["skipped"] for r in records if "skipped" in r}
    if records and len(skipped) == len(plan.sources):
        name, why = next(iter(skipped.items()))
        raise StackError(f"None of the radiographs could be used, {name} for one: {why}")
    if len(records) == len(plan.items):
        finish_set(plan, output, records)
    return Made(output, len(plan.items), len(records), skipped)


def _in_process(plan: Plan, output: Path, todo: list[int]) -> Iterator[str]:
    worker = _Worker(plan, output)
    for source in todo:
        yield from worker.make(source)


def _pool(plan: Plan, output: Path, todo: list[int], workers: int) -> Iterator[str]:
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_start, initargs=(plan, output)
    )
    try:
        futures = [pool.submit(_make, source) for source in todo]
        for future in as_completed(futures):
            yield from future.result()
    except BrokenProcessPool as error:
        raise OutputError(
            "A worker process was ended from outside, perhaps for want of memory; run the same "
            "command again to go on, with fewer --workers."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Worker:
    """What a process opens once, and the images of one radiograph after the other."""

    def __init__(self, plan: Plan, output: Path):
        import torch

        torch.set_num_threads(1)  # also so that sums are rounded in the same way everywhere
        self.plan, self.output = plan, output
        self.renderer = Renderer(plan.settings.render)
        self.prior = Prior.load()

    def make(self, number: int) -> Iterator[str]:
        """Make the images of one radiograph that are not there; yields once for each."""
        source, settings = self.plan.sources[number], self.plan.settings
        todo = [i for i in self.plan.of_source(number) if read_record(self.output, i) is None]
        path = self.plan.path(source)
        try:
            radiograph = read_radiograph(path, source.slice)
            if settings.standardise:
                from nodegen.dataset.standardise import standardise

                radiograph = standardise(radiograph).radiograph
            lungs = find_lungs(radiograph.pixels)
        except StackError as error:
            for item in todo:
                write_skipped(self.output, item, source, str(error))
                yield item.name
            return
        facts: dict[str, Any] = {
            "source_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "lungs_confidence": round(lungs.confidence, 3),
            "library_sha256": self.renderer.library.sha256,
            "model_sha256": self.renderer.model_sha256,
        }
        for item in todo:
            example = make_example(
                radiograph,
                lungs,
                item.nodules,
                item.seed,
                self.renderer,
                self.prior,
                size_mm=settings.size_mm,
                signal=settings.signal,
                visibility=settings.visibility,
            )
            write_example(self.output, item, source, radiograph, example, settings, facts)
            yield item.name


_worker: _Worker | None = None


def _start(plan: Plan, output: Path) -> None:
    global _worker
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = _Worker(plan, output)


def _end_with_parent() -> None:
    """Wait for the parent's end, so that no worker is left where the parent was killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(source: int) -> list[str]:
    assert _worker is not None
    return list(_worker.make(source))
