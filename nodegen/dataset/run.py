"""Make a set: in one process, in several, or a share of it; and go on where a run was stopped."""

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path

from nodegen.dataset.cluster import make_on_cluster
from nodegen.dataset.finalise import finalise_set
from nodegen.dataset.plan import Item, draw_plan, keep_plan
from nodegen.dataset.settings import SPLITS, DatasetSettings
from nodegen.dataset.sources import Source
from nodegen.dataset.worker import Maker
from nodegen.dataset.write import read_records
from nodegen.errors import OutputError, SettingError, StackError
from nodegen.io.store import Store
from nodegen.progress import track

Task = tuple[Store, Source, list[Item]]  # where a radiograph lies, and the images that it lacks


@dataclass(frozen=True)
class Made:
    """What a run left.

    Attributes
    ----------
    output : str
    images, done : int
        Of the whole set, and how many of them are there or were left out.
    skipped : dict
        Radiographs that could not be used, and why.
    left_out : int
        Images that they would have had.
    nodules, asked : int
        Drawn in the images that are there, and asked for in them.
    empty : tuple of str
        Splits that were to have a share and have no image.
    copies : int
        Files that are copies of others, and so count to the same patient.
    """

    output: str
    images: int
    done: int
    skipped: dict[str, str]
    left_out: int = 0
    nodules: int = 0
    asked: int = 0
    empty: tuple[str, ...] = ()
    copies: int = 0

    @property
    def complete(self) -> bool:
        """Whether the set was finished: its index files, manifest, card and sheet are written."""
        return self.done == self.images


def make_dataset(
    inputs: Sequence[str | Path],
    output: str | Path,
    settings: DatasetSettings,
    *,
    workers: int = 1,
    shard: tuple[int, int] = (1, 1),
    scheduler: str | None = None,
    progress: bool = True,
) -> Made:
    """Make a training set, or go on with one.

    The same radiographs and settings give the same bytes, whatever the number of workers and
    shards, wherever it lies, and however often it was stopped.

    Parameters
    ----------
    inputs : sequence of str or pathlib.Path
        Files and folders of radiographs, or fsspec's addresses of such.
    output : str or pathlib.Path
        Folder or address: empty, missing, or with a set that was begun with the same radiographs
        and settings.
    settings : DatasetSettings
        What is made, and how nodules are drawn.
    workers : int
        Processes, with one thread of torch each.
    shard : (int, int)
        Which share of the radiographs, counted from 1, of how many. Whichever shard sees the set
        complete finishes it.
    scheduler : str, optional
        Address of a Dask cluster's scheduler, whose workers make the images.
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
    if scheduler and workers > 1:
        raise SettingError(
            f"--scheduler and --workers {workers} are given; a cluster has its own workers: leave "
            "--workers out."
        )
    store = Store.at(output)
    plan = draw_plan(inputs, settings, store)
    if scheduler or workers > 1:
        for place in (store, *plan.roots.values()):
            if not place.is_shared:
                raise SettingError(
                    f"{place} lies in the memory of one process, which others do not see; leave "
                    "--workers and --scheduler out, or give another address."
                )
    keep_plan(plan, store)
    done = {record["name"] for record in read_records(store, plan.items) if "skipped" not in record}
    todo = [
        (plan.roots[source.path], source, lacking)
        for place, source in enumerate(plan.sources)
        if place % of == number - 1
        and (lacking := [i for i in plan.by_source.get(place, ()) if i.name not in done])
    ]
    if scheduler:
        made = make_on_cluster(settings, store, todo, scheduler)
    elif workers > 1:
        made = _pool(settings, store, todo, workers)
    else:
        made = _in_process(settings, store, todo)
    total = sum(len(items) for _, _, items in todo)
    for _ in track(made, total, "radiographs with nodules", "image", progress):
        pass
    records = list(read_records(store, plan.items))
    _check_there(store, todo, {record["name"] for record in records})
    skipped = {r["source"]: r["skipped"] for r in records if "skipped" in r}
    made_here = [record for record in records if "skipped" not in record]
    if records and not made_here:
        name, why = next(iter(skipped.items()))
        raise StackError(f"None of the radiographs could be used, {name} for one: {why}")
    asked = sum(item.nodules for item in plan.items if item.name in {r["name"] for r in made_here})
    nodules = sum(len(record["nodules"]) for record in made_here)
    complete = len(records) == len(plan.items)
    if complete and asked and not nodules:
        raise SettingError(
            f"No nodule found room in any of {len(made_here)} images; give a smaller --size-mm "
            "and another --output."
        )
    if complete:
        keep_plan(plan, store)  # where there are no locks another run may have begun another set
        finalise_set(plan, store, records)
    there = {record["split"] for record in made_here}
    empty = [split for split, share in zip(SPLITS, settings.split, strict=True)
             if share and split not in there]  # fmt: skip
    return Made(
        output=str(output),
        images=len(plan.items),
        done=len(records),
        skipped=skipped,
        left_out=len(records) - len(made_here),
        nodules=nodules,
        asked=asked,
        empty=tuple(empty),
        copies=plan.copies,
    )


def _check_there(store: Store, todo: list[Task], there: set[str]) -> None:
    """See that what workers made is seen from here."""
    gone = [item.name for _, _, items in todo for item in items if item.name not in there]
    if gone:
        raise OutputError(
            f"{len(gone)} images that were made, {gone[0]} for one, are not in {store}; give an "
            "--output that all workers share, such as s3://bucket/folder or a folder on a network "
            "drive, and change nothing in it meanwhile."
        )


def _in_process(settings: DatasetSettings, store: Store, todo: list[Task]) -> Iterator[str]:
    maker = Maker(settings, store)
    for task in todo:
        yield from maker.make(*task)


def _pool(settings: DatasetSettings, store: Store, todo: list[Task], workers: int) -> Iterator[str]:
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_start, initargs=(settings, store)
    )
    try:
        futures = [pool.submit(_make, task) for task in todo]
        for future in as_completed(futures):
            yield from future.result()
    except BrokenProcessPool as error:
        raise OutputError(
            "A worker process was ended from outside, perhaps for want of memory; run the same "
            "command again to go on, with fewer --workers."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_maker: Maker | None = None


def _start(settings: DatasetSettings, store: Store) -> None:
    global _maker
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _maker = Maker(settings, store)


def _end_with_parent() -> None:
    """Wait for the parent's end, so that no worker is left where the parent was killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(task: Task) -> list[str]:
    assert _maker is not None
    return list(_maker.make(*task))
