"""Break runs off at random moments, and check that nothing is lost, half written or left behind.

    python test/breakage.py [--repeats 100] [--seed 0] [--scene SIGHUP]

Each repeat starts a run into a folder that holds an earlier run's result, and breaks it: by
SIGKILL, by SIGHUP, by files that may grow to a random byte, by a disk of its own that is full at a
random byte (a tmpfs; left out where nothing may be mounted), by a stdout that is full, or by a
second run into the same folder. Then the folder must hold the earlier result whole or the new one
whole (or, killed while it named its files, some of the new one), and a run that follows must leave
its own files there. Only a run that is killed by SIGKILL leaves hidden files.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np

# Before the forks: so much less for each run to do.
import nodegen.cli.generate
import nodegen.lungs.network
import nodegen.pipeline  # noqa: F401
from nodegen.cli import main
from nodegen.io.boxes import Box, write_boxes
from nodegen.io.image import Geometry
from nodegen.io.stack import stack_writer

SHAPE = (4, 160, 160)  # (slice, row, column)
FILES = ("77.mhd", "77.zraw", "recipes.json")
EARLIER, NEW, NEXT = 1, 2, 3  # seeds


def write_input(folder):
    rng = np.random.default_rng(0)
    folder.mkdir()
    with stack_writer(folder / "77.mhd", Geometry.plain(3), SHAPE, np.uint16) as write:
        for _ in range(SHAPE[0]):
            write(rng.integers(0, 4096, SHAPE[1:]).astype(np.uint16))
    boxes = [Box(z, 60, 60, 110, 110, z // 3) for z in (0, 3)]
    write_boxes(folder / "nodules.json", boxes)


def start(source, output, seed, before=lambda: None):
    """Start a run in a process of its own, and return its id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):
            os.dup2(silent, stream)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, say, has it switched off
        before()
        folders = ["--input", str(source), "--output", str(output), "--overwrite"]
        code = main(["generate", *folders, "--method", "paste", "--seed", str(seed)])
    finally:
        os._exit(code)


def wait(pid):
    """The exit code of a run, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def content(folder):
    """What a user sees in a folder; what a killed run left is hidden."""
    visible = (path for path in folder.iterdir() if not path.name.startswith("."))
    return {path.name: path.read_bytes() for path in visible}


def hidden(folder):
    return [path for path in folder.iterdir() if path.name.startswith(".")]


def whole(found, wanted):
    return all(found.get(name) == wanted[name] for name in FILES)


def check(folder, made, *, failed):
    """Whether a broken run lost nothing and left nothing half."""
    found = content(folder)
    for seed, word in ((NEW, "new"), (EARLIER, "earlier")):
        if whole(found, made[seed]):
            assert not failed or word == "earlier", "a failed run left its result"
            return word
    # Killed while it gave its files their names: no file is of another run, and none is half.
    assert not failed, "the earlier result is lost"
    for name in FILES:
        assert name not in found or found[name] == made[NEW][name], f"{name} is mixed or half"
    return "part of the new"


def kill(source, folder, made, rng, seconds):
    pid = start(source, folder, NEW)
    time.sleep(rng.uniform(0, seconds))
    os.kill(pid, signal.SIGKILL)
    code = wait(pid)
    return code, check(folder, made, failed=False)


def hang_up(source, folder, made, rng, seconds):
    pid = start(source, folder, NEW)
    time.sleep(rng.uniform(0, seconds))
    os.kill(pid, signal.SIGHUP)
    code = wait(pid)
    assert code in (0, 128 + signal.SIGHUP, -signal.SIGHUP), code  # the last: before it was at work
    assert not hidden(folder)
    return code, check(folder, made, failed=False)


def long_file(source, folder, made, rng, seconds):
    most = sum(map(len, made[NEW].values()))
    limit = int(rng.integers(0, most))

    def before():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    code = wait(start(source, folder, NEW, before))
    assert code in (0, 2), code
    assert not hidden(folder)
    return code, check(folder, made, failed=code == 2)


def full_disk(source, folder, made, rng, seconds):
    """The folder is a disk of its own, with a random number of bytes free."""
    block = os.statvfs(folder).f_frsize
    used = block * sum(-(-len(data) // block) for data in content(folder).values())
    most = sum(-(-len(data) // block) * block for data in made[NEW].values())
    resize(folder, used + block * int(rng.integers(0, most // block + 2)))
    code = wait(start(source, folder, NEW))
    assert code in (0, 2), code
    assert not hidden(folder)
    found = code, check(folder, made, failed=code == 2)
    resize(folder, DISK)
    return found


def full_stdout(source, folder, made, rng, seconds):
    def before():
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)

    code = wait(start(source, folder, NEW, before))
    assert code == 2, code
    assert not hidden(folder)
    return code, check(folder, made, failed=False)


def resize(folder, size):
    command = ["mount", "-o", f"remount,size={size}", str(folder)]
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def disk(folder):
    """A disk of its own in the place of a folder; yields whether one may be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "nodegen-breakage", str(folder)]
    mounted = not subprocess.run(command, check=False, capture_output=True).returncode
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


def two_runs(source, folder, made, rng, seconds):
    first = start(source, folder, EARLIER)
    time.sleep(rng.uniform(0, 1.2 * seconds))
    second = start(source, folder, NEW)
    codes = wait(first), wait(second)
    assert codes in ((0, 0), (0, 2), (2, 0)), codes
    found = content(folder)
    winner = NEW if codes[1] == 0 else EARLIER
    if codes != (0, 0):
        assert whole(found, made[winner]), "neither run's result is there whole"
    assert any(whole(found, made[seed]) for seed in (EARLIER, NEW)), "two results are mixed"
    assert set(found) == set(FILES), sorted(found)
    return codes, "whole"


SCENES = {
    "kill -9": kill,
    "SIGHUP": hang_up,
    "file too long": long_file,
    "full disk": full_disk,
    "full stdout": full_stdout,
    "two runs": two_runs,
}
DISK = 2**26  # bytes


def break_runs(folder, repeats, seed, names=tuple(SCENES)):
    """Play each scene so often, each into a folder of its own; count what came of it."""
    rng = np.random.default_rng(seed)
    source = folder / "input"
    write_input(source)
    made = {}
    for number in (EARLIER, NEW, NEXT):
        began = time.monotonic()
        assert wait(start(source, folder / f"made-{number}", number)) == 0
        seconds = time.monotonic() - began
        made[number] = content(folder / f"made-{number}")
        assert set(made[number]) == set(FILES)
        assert json.loads(made[number]["recipes.json"])["seed"] == number
    for name in names:
        scene, seen = SCENES[name], Counter()
        output = folder / scene.__name__
        with disk(output) if scene is full_disk else nullcontext(True) as possible:
            if not possible:
                print(f"{name}: left out, no disk may be mounted here", flush=True)
                continue
            for _ in range(repeats):
                assert wait(start(source, output, EARLIER)) == 0
                seen[scene(source, output, made, rng, seconds)] += 1
                assert wait(start(source, output, NEXT)) == 0
                assert content(output) == made[NEXT], f"leftovers: {sorted(content(output))}"
        told = ", ".join(f"{codes} with the {what} result {n}" for (codes, what), n in seen.items())
        print(f"{name}: {repeats} times; exit codes {told}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scene", choices=SCENES, help="one of them alone (default: all)")
    args = parser.parse_args()
    names = (args.scene,) if args.scene else tuple(SCENES)
    with tempfile.TemporaryDirectory() as place:
        break_runs(Path(place), args.repeats, args.seed, names)
    sys.exit(0)
