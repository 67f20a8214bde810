"""Make a set: in one process, in several, or a share of it; and go on where a run was stopped."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path

from nodegen import __version__
from nodegen.dataset.dataset_plan import (
    PLAN,
    RECORDS,
    DatasetPlan,
    PlannedImage,
    draw_plan,
    keep_plan,
)
from nodegen.dataset.dataset_settings import DatasetSettings
from nodegen.dataset.finalise import SUMS, finalise_set
from nodegen.dataset.formats import Record
from nodegen.dataset.image_maker import make_elsewhere, maker_for, read_records
from nodegen.dataset.sources import Source
from nodegen.errors import OutputError, SettingError, StackError
from nodegen.io.store import Store
from nodegen.processes import Processes
from nodegen.workers import track

RETRIES = 3  # of an image at which a worker of a cluster failed, not counting lost workers
CONNECT_S = 30.0  # to a cluster's scheduler
NEEDS = {"nndetection": ("SimpleITK",), "dicom": ("pydicom", "highdicom")}
AHEAD = 1000  # tasks that an executor holds: more keep no worker busier, and cost memory
Task = tuple[Store, Source, list[PlannedImage]]  # a radiograph, and the images that it lacks
Submit = Callable[..., Future[list[str]]]  # takes the arguments of make_elsewhere


@dataclass(frozen=True)
class DatasetRun:
    """What a run left."""

    images: int  # of the whole set
    done: int  # of them, that are there or were left out
    skipped: dict[str, str]  # radiographs that could not be used, and why
    left_out: int  # images that they would have had
    nodules: int  # in the images that are there
    asked: int  # nodules that were asked for in them
    empty: tuple[str, ...]  # splits that were to have a share and have no image
    copies: int  # files that are copies of others, and so of the same patient

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
    overwrite: bool = False,
    progress: bool = True,
) -> DatasetRun:
    """Make a training set, or resume one.

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
        Processes, with one thread of torch each; one alone where the system is not Linux.
    shard : (int, int)
        Which share of the radiographs, counted from 1, of how many. The one that sees the set
        complete finishes it.
    scheduler : str, optional
        Address, or scheduler file, of a Dask cluster whose workers make the images.
    overwrite : bool
        Whether a set that lies there is removed, and begun anew.
    progress : bool
        Whether stdout shows how far it is.

    Raises
    ------
    SettingError, OutputError, StackError
        Where settings exclude each other, the output holds something else or is lost, and where
        none of the radiographs can be used.
    """
    number, of = shard
    if overwrite and of > 1:
        raise SettingError(
            "--overwrite is given for one of several shards, and would remove what the others "
            "made; give another --output."
        )
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
    for package in ("mlcroissant", *(name for f in settings.formats for name in NEEDS.get(f, ()))):
        import_module(package)  # a missing one is said now, not after the drawing
    store = Store.at(output)
    plan = draw_plan(inputs, settings, store)
    if overwrite:
        _remove_set(store)
    keep_plan(plan, store, overwrite=overwrite)
    done = {r["name"] for r in read_records(store, plan.images) if "skipped" not in r}
    if done and progress:
        print(f"{store} holds {len(done)} of the {len(plan.images)} images already", flush=True)
    lacking: dict[int, list[PlannedImage]] = {}
    for image in plan.images:
        if image.name not in done and image.source % of == number - 1:
            lacking.setdefault(image.source, []).append(image)
    todo: list[Task] = []
    for index, images in sorted(lacking.items()):
        source = plan.sources[index]
        # On a cluster an image a task, so that little is lost with a worker.
        parts = [[image] for image in images] if scheduler else [images]
        todo += [(plan.roots[source.path].absolute(), source, part) for part in parts]
    total = sum(map(len, lacking.values()))
    with _elsewhere(workers, scheduler if todo else None) as submit:
        made = _made(submit, settings, store.absolute(), todo)
        for _ in track(made, total, "radiographs with nodules", "image", progress):
            pass
    records = list(read_records(store, plan.images))
    there = {record["name"] for record in records}
    gone = [i.name for images in lacking.values() for i in images if i.name not in there]
    if gone:
        raise OutputError(
            f"{len(gone)} images that were made, {gone[0]} for one, are not in {store}; give an "
            "--output that all workers share, such as s3://bucket/folder or a folder on a network "
            "drive, and change nothing in it meanwhile."
        )
    return _finished(plan, store, records)


def _remove_set(store: Store) -> None:
    """Remove the files of a set but its plan: those that its records and sums name, no others."""
    with store.locked():
        there = store.sizes()
        records = [name for name in there if name.startswith(RECORDS)]
        if PLAN not in there or not records:
            return
        named = {SUMS, *records}
        for content in store.read_many(records):
            with suppress(ValueError, KeyError, TypeError):  # cut short, or altered
                named |= set(json.loads(content or b"")["files"])
        if SUMS in there:
            named |= {line[66:] for line in store.read(SUMS).decode().splitlines()}
        store.remove(sorted(named & there.keys() - {PLAN}))


def _finished(plan: DatasetPlan, store: Store, records: list[Record]) -> DatasetRun:
    """Write the files of the whole set, where all its images are there; and count."""
    skipped = {r["source"]: r["skipped"] for r in records if "skipped" in r}
    made = [record for record in records if "skipped" not in record]
    if skipped and not made:
        name, why = next(iter(skipped.items()))
        raise StackError(f"None of the radiographs could be used, {name} for one: {why}")
    there = {record["name"] for record in made}
    asked = sum(image.nodules for image in plan.images if image.name in there)
    nodules = sum(len(record["nodules"]) for record in made)
    if len(records) == len(plan.images):
        if asked and not nodules:
            raise SettingError(
                f"No nodule found room in any of {len(made)} images; give a smaller "
                "--size-mm, and another --output or --overwrite."
            )
        keep_plan(plan, store)  # where there are no locks another run may have begun another set
        finalise_set(plan, store, records)
    return DatasetRun(
        images=len(plan.images),
        done=len(records),
        skipped=skipped,
        left_out=len(records) - len(made),
        nodules=nodules,
        asked=asked,
        empty=plan.settings.empty({record["split"] for record in made}),
        copies=plan.copies,
    )


def _made(
    submit: Submit | None, settings: DatasetSettings, store: Store, todo: list[Task]
) -> Iterator[str]:
    """Make what is to be made; yields the name of each image."""
    if submit is None:
        for task in todo:
            yield from maker_for(settings, store).make(*task)
        return
    tasks, waiting = iter(todo), set[Future[list[str]]]()
    while True:
        for task in islice(tasks, AHEAD - len(waiting)):
            waiting.add(submit(__version__, settings, store, *task))
        if not waiting:
            return
        ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in ended:
            yield from future.result()


@contextmanager
def _elsewhere(workers: int, scheduler: str | None) -> Iterator[Submit | None]:
    """The workers of a cluster, or processes of this machine; None for this process."""
    if scheduler:
        with _cluster(scheduler) as submit:
            yield submit
    elif workers == 1 or sys.platform != "linux":
        yield None
    else:
        pool, processes = ThreadPoolExecutor(workers), Processes(workers, _maker)
        try:
            yield lambda *task: pool.submit(processes.run, task)
        finally:
            pool.shutdown(cancel_futures=True)


def _maker() -> Callable[..., list[str]]:
    return make_elsewhere


@contextmanager
def _cluster(address: str) -> Iterator[Submit]:
    """The workers of a Dask cluster.

    A task holds all that it needs, so that no worker is indispensable: Dask gives the tasks of one
    that is lost to others, and each begins by looking whether its image is there already.
    """
    from distributed import Client
    from distributed.scheduler import KilledWorker

    try:
        where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
        client = Client(**where, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise SettingError(
            f"No Dask scheduler answers at {address} ({error}); give one such as "
            "tcp://10.0.0.1:8786, which `dask scheduler` prints, or its scheduler file."
        ) from error
    with client:
        if not client.scheduler_info(n_workers=1)["workers"]:
            print("The cluster has no workers yet; waiting for them.", flush=True)
        try:
            yield partial(client.get_executor(pure=False, retries=RETRIES).submit, make_elsewhere)
        except KilledWorker as error:
            raise OutputError(
                "Workers were lost at one image again and again, perhaps for want of memory; give "
                "them more, and run the same command again to go on."
            ) from error
        except (CancelledError, OSError) as error:
            raise OutputError(
                f"The scheduler at {address} was lost, or a file could not be read or written "
                f"({error or 'it was ended'}); run the same command again to go on."
            ) from error
