"""Make a set on a Dask cluster that loses a worker again and again; check and count what comes out.

    python test/breakage_cluster.py [--images 2000] [--every 60] [--workers 2] [--side 256]

Each time the worker that has lived longest is killed, and a new one started. In the end every image
must be there once, whole, and as one process alone makes it; none may have been made again after it
was done. Told are CPU time and memory by quarters of the set: the first must grow in proportion,
the second not at all.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from cluster import Cluster
from PIL import Image
from radiographs import phantoms

from nodegen.dataset.dataset_plan import draw_plan
from nodegen.dataset.dataset_settings import DatasetSettings
from nodegen.dataset.image_maker import ImageMaker
from nodegen.dataset.make_dataset import make_dataset
from nodegen.io.store import Store
from nodegen.settings import Settings

QUARTERS = 4
AGAIN = 20  # images that are made again by this process alone
TICK_S = 0.2
TICKS = os.sysconf("SC_CLK_TCK")


def write_radiographs(folder, number, side):
    """Phantoms of so many patients, each with a grey scale and an orientation of its own."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    plain = [p.reshape(side, 512 // side, side, -1).mean((1, 3)) / 4095 for p in phantoms()]
    for patient in range(number):
        pixels = plain[patient % len(plain)] ** rng.uniform(0.8, 1.25)
        pixels = np.roll(pixels, rng.integers(-6, 7, 2), (0, 1))
        image = Image.fromarray((pixels * 4095).astype(np.uint16))
        image.save(folder / f"{patient + 1:08d}_000.png")


class Watch(threading.Thread):
    """Kills workers, and notes what is made, what it costs, and whether anything is made twice."""

    def __init__(self, cluster, output, images, every):
        super().__init__(daemon=True)
        self.cluster, self.output, self.images, self.every = cluster, output, images, every
        self.seen, self.twice, self.killed, self.rows = {}, set(), 0, []
        self.spent = {}  # CPU seconds by process
        self.ended = threading.Event()

    def run(self):
        began = last = time.monotonic()
        while not self.ended.wait(TICK_S):
            self.look()
            if len(self.seen) * QUARTERS >= self.images * (len(self.rows) + 1):
                self.tell(time.monotonic() - began)
            if time.monotonic() - last >= self.every and len(self.seen) < self.images:
                last = time.monotonic()
                self.cluster.workers.append(self.cluster.add())
                gone = self.cluster.workers.pop(0)
                self.note(gone.pid)
                gone.kill()
                gone.wait()
                self.killed += 1

    def look(self):
        records = self.output / "records"
        for entry in os.scandir(records) if records.is_dir() else ():
            if not entry.name.startswith("."):
                inode = entry.inode()
                if self.seen.setdefault(entry.name, inode) != inode:
                    self.twice.add(entry.name)
        for process in self.cluster.workers:
            self.note(process.pid)

    def note(self, pid):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            self.spent[pid] = (int(fields[11]) + int(fields[12])) / TICKS
        except (FileNotFoundError, IndexError):
            pass

    def tell(self, seconds):
        workers = max(map(rss_mib, (process.pid for process in self.cluster.workers)))
        row = {
            "images": len(self.seen),
            "seconds": round(seconds),
            "workers_cpu_s": round(sum(self.spent.values()), 1),
            "worker_mib": workers,
            "scheduler_mib": rss_mib(self.cluster.scheduler.pid),
            "client_mib": rss_mib(os.getpid()),
            "killed": self.killed,
        }
        self.rows.append(row)
        print(json.dumps(row), flush=True)


def rss_mib(pid):
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def check(inputs, output, asked):
    """Every image whole, and some of them as this process alone makes them."""
    told = dict(reversed(line.split("  ")) for line in (output / "SHA256SUMS").open())
    for name, digest in told.items():
        name = name.rstrip("\n")
        assert hashlib.sha256((output / name).read_bytes()).hexdigest() == digest, name
    records = [json.loads(line) for line in (output / "manifest.jsonl").open()]
    assert [r["name"] for r in records] == [f"s{n:05d}" for n in range(asked.images)]
    plan, alone = draw_plan([inputs], asked), output.with_name("alone")
    maker = ImageMaker(asked, Store.at(alone))
    for item in plan.images[:: max(asked.images // AGAIN, 1)]:
        source = plan.sources[item.source]
        list(maker.make(plan.roots[source.path], source, [item]))
        name = f"records/{item.name}.json"
        assert (alone / name).read_bytes() == (output / name).read_bytes(), name
    left = [p for p in output.rglob("*") if p.name.startswith(".")]
    assert not left, left


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--radiographs", type=int, default=400)
    parser.add_argument("--every", type=float, default=60, help="seconds from one kill to the next")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--side", type=int, default=256, help="of the radiographs, px")
    parser.add_argument("--method", default="paste")
    args = parser.parse_args()
    asked = DatasetSettings(
        images=args.images, nodules=(0, 2), formats=("csv",), render=Settings(method=args.method)
    )
    with tempfile.TemporaryDirectory() as place:
        inputs, output = Path(place) / "in", Path(place) / "set"
        write_radiographs(inputs, args.radiographs, args.side)
        with Cluster(Path(place) / "cluster", args.workers) as cluster:
            watch = Watch(cluster, output, args.images, args.every)
            began = time.monotonic()
            watch.start()
            made = make_dataset(
                [inputs], output, asked, scheduler=str(cluster.file), progress=False
            )
            watch.look()
            watch.ended.set()
            watch.join()
            seconds = time.monotonic() - began
        assert made.complete
        assert len(watch.seen) == args.images
        assert not watch.twice, sorted(watch.twice)
        check(inputs, output, asked)
        print(
            f"{made.done} images in {seconds:.0f} s, {watch.killed} workers killed: each there "
            f"once, none made twice, {sum(watch.spent.values()):.0f} s of CPU in the workers"
        )


if __name__ == "__main__":
    sys.exit(main())
