"""A Dask cluster of processes that may be killed one by one: its scheduler, and its workers."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


class Cluster:
    """A scheduler and workers, of one thread each; a context manager that ends them all.

    Workers have no nanny that starts them anew: a killed one is gone.
    """

    def __init__(self, folder, workers):
        self.folder, self.file = folder, folder / "scheduler.json"
        folder.mkdir(parents=True, exist_ok=True)
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", self.file)
        while not self.file.exists():
            assert self.scheduler.poll() is None, self.log()
            time.sleep(0.05)
        self.workers = [self.add() for _ in range(workers)]

    def add(self):
        """Start one worker more."""
        options = ("--nthreads", "1", "--no-nanny", "--death-timeout", "60")
        place = ("--scheduler-file", self.file, "--local-directory", self.folder)
        return self._start("worker", *options, *place)

    def _start(self, kind, *options):
        command = [sys.executable, "-m", "dask", kind, "--no-dashboard", *map(str, options)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def log(self):
        return (self.folder / "log").read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (self.scheduler, *self.workers):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait()
