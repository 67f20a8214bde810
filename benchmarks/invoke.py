"""``python -m benchmarks.invoke``: hundreds of cases in one server, as the platform's batches are.

Asks a server for case after case, on stacks that change in size, type and boxes: its memory after
each, what is left in its temporary folder, and whether each result has the bytes of a run of its
own.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from nodegen.cli.options import Positive, run_function
from nodegen.io.boxes import BOXES, Box, write_boxes

ROOT = Path(__file__).resolve().parents[1]
STACK = "stack.mha"
# Its address, the number of its process, and a look into its temporary folder.
_Server = tuple[str, int, Callable[[], str]]


def main(argv: list[str] | None = None) -> int:
    """Run it; the exit codes are those of ``nodegen``."""
    return run_function(invoke, "python -m benchmarks.invoke", argv)


def invoke(*, cases: Positive = 300, stacks: Positive = 12, image: str = "") -> int:
    """Ask one server for many cases, and say what that costs.

    Parameters
    ----------
    cases
        How often the server is asked.
    stacks
        Different stacks, which take turns.
    image
        Repository of the images, whose :invoke is the server and whose :exec does the runs of their
        own; if it is not given, serve.py and process.py of the clone do both.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        sources = [_write_case(folder / "cases" / str(seed), seed) for seed in range(stacks)]
        expected = [_run_alone(source, folder / "alone", image) for source in sources]
        print(f"{stacks} stacks have been run each by itself", flush=True)
        different, resident_mib, seconds = [], [], []
        with (_container if image else _process)(folder, image) as (address, pid, temporary):
            for number in range(cases):
                _fill(folder / "input", sources[number % stacks])
                _fill(folder / "output")
                start = time.perf_counter()
                request = urllib.request.Request(f"{address}/invoke", method="POST")
                urllib.request.urlopen(request).close()
                seconds.append(time.perf_counter() - start)
                resident_mib.append(_resident_mib(pid))
                if _contents(folder / "output") != expected[number % stacks]:
                    different.append(number)
                if number + 1 in (1, 10) or (number + 1) % 50 == 0:
                    print(f"case {number + 1}: {seconds[-1]:.2f} s, {resident_mib[-1]:.0f} MiB")
            left = temporary()
    print(f"median {np.median(seconds):.2f} s a case")
    hundreds = [np.mean(resident_mib[at : at + 100]) for at in range(0, cases, 100)]
    print("mean MiB of each hundred: " + ", ".join(f"{mean:.1f}" for mean in hundreds))
    print(f"left in its temporary folder: {left or 'nothing'}")
    print(f"results unlike a run of their own: {different or 'none'}")
    return int(bool(different or left))


def _write_case(folder: Path, seed: int) -> Path:
    """A small stack of smooth noise with boxes; size, type and number of slices by the seed."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 4)), *map(int, rng.integers(240, 520, 2)))
    top = 4095 if seed % 2 else 255
    pixels = rng.normal(0.5, 0.02, shape) + np.linspace(-0.3, 0.3, shape[2])
    kind = np.uint16 if seed % 2 else np.uint8
    folder.mkdir(parents=True)
    image = sitk.GetImageFromArray((np.clip(pixels, 0, 1) * top).astype(kind))
    sitk.WriteImage(image, str(folder / STACK))
    boxes = []
    for index in range(int(rng.integers(1, 5))):
        side = int(rng.integers(24, 90))
        left, upper = (int(rng.integers(20, length - side - 20)) for length in shape[:0:-1])
        boxes.append(
            Box(int(rng.integers(shape[0])), left, upper, left + side, upper + side, index)
        )
    write_boxes(folder / BOXES, boxes)
    return folder


def _fill(folder: Path, source: Path | None = None) -> None:
    """Empty a folder, and copy the files of another one into it."""
    for path in folder.iterdir():
        path.unlink()
    for path in source.iterdir() if source else ():
        shutil.copy(path, folder / path.name)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _run_alone(source: Path, output: Path, image: str) -> dict[str, bytes]:
    """What a container, or process, of its own makes of a case."""
    output.mkdir(exist_ok=True)
    output.chmod(0o777)
    _fill(output)
    if image:
        mounts = ["--volume", f"{source}:/input:ro", "--volume", f"{output}:/output"]
        command = ["docker", "run", "--rm", "--network", "none", *mounts, f"{image}:exec"]
    else:
        folders = ["--input", str(source), "--output", str(output)]
        command = [sys.executable, str(ROOT / "process.py"), *folders]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return _contents(output)


@contextmanager
def _process(folder: Path, image: str) -> Iterator[_Server]:
    """A server in a process."""
    input_dir, output, temporary = (folder / name for name in ("input", "output", "tmp"))
    for each in (input_dir, output, temporary):
        each.mkdir()
    command = [sys.executable, str(ROOT / "serve.py"), "--port", "0"]
    with subprocess.Popen(
        [*command, "--input", str(input_dir), "--output", str(output)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(temporary)},
    ) as server:  # fmt: skip
        assert server.stdout is not None
        ready = next(line for line in server.stdout if line.startswith("ready on port"))
        try:
            yield (
                f"http://127.0.0.1:{ready.split()[-1]}",
                server.pid,
                lambda: " ".join(os.listdir(temporary)),
            )
        finally:
            server.terminate()
            server.stdout.read()


@contextmanager
def _container(folder: Path, image: str) -> Iterator[_Server]:
    """A server in a container on a network without a way out."""
    for name in ("input", "output"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    name = f"nodegen-{os.getpid()}"
    _docker("network", "create", "--internal", name)
    try:
        mounts = ["--volume", f"{folder}/input:/input:ro", "--volume", f"{folder}/output:/output"]
        _docker("run", "--detach", "--name", name, "--network", name, *mounts, f"{image}:invoke")
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}} {{.State.Pid}}"
        address, pid = _docker("inspect", "--format", form, name).split()
        while "ready on port" not in _docker("logs", name):
            time.sleep(0.2)
        yield f"http://{address}:4743", int(pid), lambda: _docker("exec", name, "ls", "-A", "/tmp")
    finally:
        subprocess.run(["docker", "rm", "--force", name], stdout=subprocess.DEVNULL, check=False)
        _docker("network", "rm", name)


def _docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _resident_mib(pid: int) -> float:
    """Memory of a process and its workers that is its own, MiB."""
    family = [pid, *map(int, _children(pid))]
    pages = sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in family)
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


if __name__ == "__main__":
    sys.exit(main())
