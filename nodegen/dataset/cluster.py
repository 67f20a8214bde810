"""A set by the workers of a Dask cluster, each image a task.

A task holds all that it needs, so that no worker is indispensable: Dask gives the tasks of one that
is lost to others, and each begins by looking whether its image is there already.
"""

from collections.abc import Iterator
from concurrent.futures import CancelledError
from itertools import islice
from pathlib import Path
from typing import Any

from nodegen import __version__
from nodegen.dataset.dataset_plan import PlannedImage
from nodegen.dataset.dataset_settings import DatasetSettings, derived_seed
from nodegen.dataset.image_maker import make_images
from nodegen.dataset.sources import Source
from nodegen.errors import OutputError, SettingError
from nodegen.io.store import Store

AHEAD = 1000  # tasks that the scheduler holds: more keep no worker busier, and cost it memory
RETRIES = 3  # of an image at which a worker failed, not counting workers that were lost
# Times that an image is begun anew after Dask gave it up, which it does at the fourth lost worker:
# machines that may be taken away at any time are lost without any fault of the image.
LOSSES = 3
CONNECT_S = 30.0
Task = tuple[Store, Source, PlannedImage]  # a radiograph, and an image to be made of it


def make_on_cluster(
    settings: DatasetSettings,
    store: Store,
    todo: list[tuple[Store, Source, list[PlannedImage]]],
    address: str,
) -> Iterator[str]:
    """Have images made; yields the name of each.

    Parameters
    ----------
    settings : DatasetSettings
        Of the set.
    store : Store
        Where the set lies.
    todo : list of (Store, Source, list of PlannedImage)
        Radiographs, where they lie, and the images that they lack.
    address : str
        Of the scheduler, or its scheduler file.

    Raises
    ------
    SettingError
        Where there is no such scheduler.
    OutputError
        Where it is lost, or workers end at one image again and again.
    """
    from distributed import Client, as_completed
    from distributed.scheduler import KilledWorker

    tasks = iter(
        (root.absolute(), source, each) for root, source, images in todo for each in images
    )
    first = list(islice(tasks, AHEAD))
    if not first:
        return
    try:
        where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
        client = Client(**where, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise SettingError(
            f"No Dask scheduler answers at {address} ({error}); give one such as "
            "tcp://10.0.0.1:8786, which `dask scheduler` prints, or its scheduler file."
        ) from error

    flying: dict[str, tuple[Task, int]] = {}
    place = store.absolute()

    def submit(task: Task, losses: int = 0) -> Any:
        # The same key from every run of the set, so that two of them at one scheduler share it.
        key = f"{task[2].name}-{derived_seed(task[2].seed, settings, store, task[0])}-{losses}"
        flying[key] = task, losses
        return client.submit(
            make_image, settings, place, *task, __version__, key=key, retries=RETRIES, pure=False
        )

    with client:
        if not client.scheduler_info(n_workers=1)["workers"]:
            print("The cluster has no workers yet; waiting for them.", flush=True)
        ended = as_completed(map(submit, first), loop=client.loop)
        try:
            for future in ended:
                task, losses = flying.pop(future.key)
                try:
                    name: str = future.result()
                except KilledWorker as error:
                    if losses == LOSSES:
                        raise OutputError(
                            f"Workers were lost at the image {task[2].name} again and again, "
                            "perhaps for want of memory; give them more, and run the same command "
                            "again to go on."
                        ) from error
                    ended.add(submit(task, losses + 1))
                    continue
                future.release()
                ended.update(map(submit, islice(tasks, 1)))
                yield name
        except (CancelledError, OSError) as error:
            raise OutputError(
                f"The scheduler at {address} was lost, or a file could not be read or written "
                f"({error or 'it was ended'}); run the same command again to go on."
            ) from error


def make_image(
    settings: DatasetSettings,
    store: Store,
    root: Store,
    source: Source,
    image: PlannedImage,
    version: str,
) -> str:
    """Make one image, in a worker.

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
    (name,) = make_images(settings, store, root, source, [image])
    return name
