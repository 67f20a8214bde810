"""README and manual: links lead somewhere; every block of code runs, or parses where it says so."""

import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from radiographs import phantoms, write_radiographs

from nodegen.cli import COMMANDS, build, main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKING = [*PAGES, ROOT / "CHANGELOG.md", *sorted((ROOT / "research").glob("*.md"))]

# Why a line of a shell block is not run here. Lines of `nodegen` are parsed all the same.
NOT_RUN = {
    "./run.sh": "installs",
    "./test.sh": "runs these tests",
    "./build.sh": "needs Docker",
    "docker": "needs Docker",
    "mkdir": "only for Docker",
    "source": "a shell's own",
    "pip": "installs",
    ".ci/venv": "installs",
    ".venv/bin/pre-commit": "installs a hook",
    "dask": "needs a cluster",
    "python -m benchmarks": "measures for minutes",
    "nodegen train ": "trains for an hour",
    "nodegen dataset": "makes thousands of images",
    "nodegen reference --real real real/nih_official": "needs radiographs of patients",
    "nodegen utility": "trains networks for minutes",
    "nodegen reader-study": "needs many radiographs, or readers' answers",
}


@dataclass(frozen=True)
class Block:
    """A block of code in a page."""

    page: str
    number: int
    language: str
    text: str


def blocks(language: str) -> list:
    """All blocks of a language, as parameters of a test."""
    found = []
    for page in PAGES:
        pattern = rf"^```{language}\n(.*?)^```"
        for number, text in enumerate(re.findall(pattern, page.read_text(), re.S | re.M)):
            if text.startswith("--8<--"):  # a file of its own, with tests of its own
                continue
            block = Block(page.name, number, language, text)
            found.append(pytest.param(block, id=f"{page.stem}-{number}"))
    return found


def lines(text: str) -> list[str]:
    """A shell block's commands: continued lines joined, comments and a quoted script left out."""
    text = re.sub(r'-c "\n.*?"', "-c script", text, flags=re.S).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The files that the pages speak of."""
    root = tmp_path_factory.mktemp("manual")
    (root / "test").symlink_to(ROOT / "test")
    write_radiographs(root / "radiographs")
    image = phantoms()[0]
    Image.fromarray(image).save(root / "radiograph.png")
    corners = [[x, y, 0] for x, y in ((110, 250), (150, 250), (150, 290), (110, 290))]
    box = {"type": "Multiple 2D bounding boxes", "boxes": [{"corners": corners}]}
    text = json.dumps({**box, "version": {"major": 1, "minor": 0}})
    for name in ("my_stack", "real"):
        (root / name).mkdir()
        sitk.WriteImage(sitk.GetImageFromArray(image[None]), str(root / name / "stack.mha"))
    (root / "my_stack" / "nodules.json").write_text(text)
    for table, name in (("boxes.csv", "stack.mha"), ("radiographs.csv", "00000001_000.png")):
        (root / table).write_text(f"img_name,x,y,width,height\n{name},110,250,40,40\n")
    return root


@pytest.fixture(scope="module")
def out(folder) -> Path:
    """The folder in which ``my_stack`` has its nodule."""
    made = folder / "out"
    words = ["--intensity", "input", "--no-noise-and-blur", "--seed", "1", "--device", "cpu"]
    assert main(["generate", "--input", f"{folder}/my_stack", "--output", str(made), *words]) == 0
    return made


@pytest.mark.parametrize("block", blocks("sh"))
def test_shell_blocks(block, folder, out, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    for line in lines(block.text):
        command = line.partition("#")[0].strip()
        if command.startswith("nodegen ") and "--help" not in command:
            name, *words = shlex.split(command)[1:]
            assert name in COMMANDS
            build(name).parse_args([name, *words], exit_on_error=False, print_error=False)
        if any(command.startswith(start) for start in NOT_RUN):
            continue
        if (match := re.search(r"--output (out\S*)", command)) and (folder / match[1]).exists():
            command += " --overwrite"
        words = shlex.split(command)
        if words[:2] == ["nodegen", "--help"]:
            words = ["nodegen", "generate", "--help"]
        if words[0] == "nodegen":
            assert main(words[1:]) == 0, capsys.readouterr().err
        else:
            assert words[0] in ("python", ".venv/bin/python", "./export.sh"), command


@pytest.fixture(scope="module")
def names() -> dict:
    """What a page's Python finds: a radiograph, and the names of the blocks before it."""
    return {"radiograph": phantoms()[0]}


@pytest.mark.parametrize("block", blocks("python"))
def test_python_blocks(block, names, folder, out, monkeypatch):
    monkeypatch.chdir(folder)
    if "import monai" in block.text or "from monai" in block.text:
        pytest.importorskip("monai")
    if "torchio" in block.text:
        pytest.importorskip("torchio")
    if 'if __name__ == "__main__":' in block.text:  # a script, which starts processes
        script = folder / "script.py"
        before = "import numpy as np\n\nradiographs = [np.load('radiograph.npy')] * 2\n\n"
        np.save(folder / "radiograph.npy", names["radiograph"])
        # One process and one epoch in place of two: each process takes seconds to start.
        quick = block.text.replace("num_workers=2", "num_workers=1").replace("range(2)", "range(1)")
        script.write_text(before + quick)
        ran = subprocess.run(
            [sys.executable, script], capture_output=True, text=True, check=False, timeout=300
        )
        assert ran.returncode == 0, ran.stderr
        assert [line[0] for line in ran.stdout.splitlines()] == ["0"]
        return
    if "utility(" in block.text:  # it trains networks: only its imports and options are run
        imports, _, call = block.text.partition("results = ")
        exec(imports, names)
        exec(re.search(r"^ *(Options\(.*\)),$", call, re.M)[1], names)
        return
    exec(block.text, names)


@pytest.mark.parametrize("page", LINKING, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_links_lead_somewhere(page):
    """On GitHub, where no page of the manual is made from the code."""
    for link in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_modules_that_a_page_names_are_there(page):
    places = [ROOT, *(ROOT / "nodegen" / name for name in ("", "io", "synthesis", "cascade"))]
    for name in re.findall(r"`([\w/]+\.py)`", page.read_text()):
        assert any((place / name).is_file() for place in places), name


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= 10_000
