"""A Dask cluster, whose workers make the images of a set.

A task holds all that it needs, so that no worker is indispensable: Dask gives the tasks of one that
is lost to others, and each begins by looking whether its image is there already.
"""

from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager
from pathlib import Path

from nodegen.errors import OutputError, SettingError

RETRIES = 3  # of an image at which a worker failed, not counting workers that were lost
CONNECT_S = 30.0


@contextmanager
def cluster_executor(address: str) -> Iterator[Executor]:
    """An executor whose tasks the workers of a cluster do, by its scheduler or scheduler file.

    Raises
    ------
    SettingError
        Where there is no such scheduler.
    OutputError
        Where it is lost, or workers end at one image again and again.
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
            yield client.get_executor(pure=False, retries=RETRIES)
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
