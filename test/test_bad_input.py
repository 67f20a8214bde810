"""Bad input: each fault gets one sentence, exit code 2, no traceback, and leaves no image."""

import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from thorough import cases

import process
from nodegen.cli import main
from nodegen.errors import BoxesError
from nodegen.io.boxes import Box, read_boxes
from nodegen.settings import MODEL

ROOT = Path(__file__).parents[1]
KIND = "Multiple 2D bounding boxes"
CORNERS = [[60, 60, 0], [100, 60, 0], [100, 110, 0], [60, 110, 0]]


def image_of(array):
    return sitk.GetImageFromArray(array)


def rewrite(folder, image, name="77.mha"):
    sitk.WriteImage(image, str(folder / name))


def boxes_of(folder, content):
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "nodules.json").write_text(text)


def one_box(corners):
    return {"type": KIND, "boxes": [{"corners": corners}]}


def cut(path, keep):
    path.write_bytes(path.read_bytes()[:keep])


def not_finite(value):
    pixels = np.ones((2, 300, 320), dtype=np.float32)
    pixels[1, 5, 5] = value
    return image_of(pixels)


def moved(axis, value):
    return [[*c[:axis], value, *c[axis + 1 :]] for c in CORNERS]


STACKS = {
    "no image": (
        lambda d: (d / "77.mha").unlink(),
        r"The input folder .* holds no images where one \(.mha, .*, .ima\) is wanted",
    ),
    "two images": (
        lambda d: shutil.copy(d / "77.mha", d / "78.mha"),
        r"holds 2 images \(77.mha, 78.mha\) where one",
    ),
    "text as image": (
        lambda d: (d / "77.mha").write_text("no image at all"),
        r"77.mha cannot be read as an image: its header ends without a line ElementDataFile",
    ),
    "empty file": (lambda d: (d / "77.mha").write_bytes(b""), r"cannot be read as an image"),
    "truncated": (lambda d: cut(d / "77.mha", 20_000), r"77.mha is truncated: its compressed"),
    "cut in the header": (lambda d: cut(d / "77.mha", 120), r"cannot be read as an image"),
    "colours": (
        lambda d: rewrite(d, sitk.GetImageFromArray(np.zeros((9, 9, 3), np.uint8), isVector=True)),
        r"77.mha has 3 channels where one is allowed; convert it to grey levels",
    ),
    "four dimensions": (
        lambda d: rewrite(
            d, sitk.GetImageFromArray(np.zeros((2, 2, 9, 9), np.uint8), isVector=False)
        ),
        r"77.mha has 4 dimensions where 2 \(an image\) or 3 \(a stack\) are allowed",
    ),
    "NaN": (
        lambda d: rewrite(d, not_finite(np.nan)),
        r"77.mha holds pixels that are NaN or infinite in slice 1, where finite",
    ),
    "infinity": (lambda d: rewrite(d, not_finite(-np.inf)), r"NaN or infinite"),
    "complex numbers": (
        lambda d: rewrite(d, image_of(np.zeros((2, 9, 9), np.complex64)), "77.mha"),
        r"77.mha has 2 channels where one is allowed|ElementType",
    ),
}
BOXES = {
    "missing": (
        lambda d: (d / "nodules.json").unlink(),
        r"There is no nodules.json in .*; see the README",
    ),
    "a folder": (
        lambda d: ((d / "nodules.json").unlink(), (d / "nodules.json").mkdir()),
        r"nodules.json cannot be read \(Is a directory\)",
    ),
    "not JSON": (lambda d: boxes_of(d, "{boxes"), r"nodules.json is not JSON \("),
    "not text": (
        lambda d: (d / "nodules.json").write_bytes(b"\xff\xfe\xfd"),
        r"nodules.json is not JSON \(",
    ),
    "a list": (lambda d: boxes_of(d, []), r"nodules.json is \[\], and should be an object"),
    "other type": (
        lambda d: boxes_of(d, {"type": "Point", "boxes": []}),
        r"type in .* is \"Point\", and should be 'Multiple 2D bounding boxes'",
    ),
    "no boxes": (
        lambda d: boxes_of(d, {"type": KIND}),
        r"boxes in .* is missing",
    ),
    "box is text": (
        lambda d: boxes_of(d, {"type": KIND, "boxes": [{"corners": CORNERS}, "box"]}),
        r'boxes\[1\] in .* is "box", and should be an object',
    ),
    "three corners": (
        lambda d: boxes_of(d, one_box(CORNERS[:3])),
        r"boxes\[0\].corners in .* is \[.*, and should have at least 4 items",
    ),
    "corner of four": (
        lambda d: boxes_of(d, one_box([*CORNERS[:3], [1, 2, 3, 4]])),
        r"corners\[3\] in .* is \[1, 2, 3, 4\], and should have at most 3 items",
    ),
    "NaN corner": (
        lambda d: boxes_of(d, one_box(moved(0, float("nan")))),
        r"boxes\[0\].corners\[0\]\[0\] in .* is NaN, and should be a finite number",
    ),
    "corner of text": (
        lambda d: boxes_of(d, one_box(moved(1, "60"))),
        r'boxes\[0\].corners\[0\]\[1\] in .* is "60", and should be a valid number',
    ),
    "two slices": (
        lambda d: boxes_of(d, one_box([*CORNERS[:3], [60, 110, 1]])),
        r"The corners of box 0 have z 0, 0, 0, 1 where one whole number",
    ),
    "half a slice": (lambda d: boxes_of(d, one_box(moved(2, 0.5))), r"have z 0.5, 0.5, 0.5, 0.5"),
    "slice too high": (
        lambda d: boxes_of(d, one_box(moved(2, 2))),
        r"Box 0 lies in slice 2 and the stack has 2; give a z of 0 to 1",
    ),
    "slice below 0": (lambda d: boxes_of(d, one_box(moved(2, -1))), r"Box 0 lies in slice -1"),
    "outside": (
        lambda d: boxes_of(d, one_box([[x + 500, y, z] for x, y, z in CORNERS])),
        r"Box 0 \(x 560 to 600, y 60 to 110\) lies wholly outside the slice of 320 x 300 px",
    ),
}


def last_line(text):
    return [line for line in text.splitlines() if line.strip()][-1]


def check(code, stderr, says, output):
    assert code == 2
    line = last_line(stderr)
    assert re.search(says, line), line
    assert line.endswith(".")
    assert "Traceback" not in stderr
    if output.is_dir():
        assert not [p for p in output.iterdir() if p.suffix != ".json"], "an image was left"


@pytest.mark.parametrize("fault", STACKS | BOXES)
def test_bad_input_is_told_in_one_sentence(make_input, tmp_path, capfd, fault):
    break_it, says = (STACKS | BOXES)[fault]
    folder, output = make_input(), tmp_path / "out"
    break_it(folder)
    code = main(["generate", "--input", str(folder), "--output", str(output), "--method", "paste"])
    check(code, capfd.readouterr().err, says, output)


def drop(path):
    path.unlink()


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


MODELS = {
    "no folder": (shutil.rmtree, "no cascade.json in .*hyposignal; give"),
    "weights missing": (lambda d: drop(next(d.glob("hypo*/*.safetensors"))), "cannot be read"),
    "weights truncated": (
        lambda d: cut(next(d.glob("hyper*/*.safetensors")), 1000),
        "truncated or altered: their SHA-256",
    ),
    "weights altered": (lambda d: flip(next(d.glob("hypo*/*.safetensors"))), "altered"),
    "index malformed": (
        lambda d: (d / "hyposignal/cascade.json").write_text("{"),
        r"cascade.json is not JSON",
    ),
}


@pytest.mark.parametrize("fault", MODELS)
def test_a_bad_model_is_told_in_one_sentence(make_input, tiny_model, tmp_path, capfd, fault):
    break_it, says = MODELS[fault]
    model = shutil.copytree(tiny_model, tmp_path / "model")
    break_it(model)
    folder, output = make_input(), tmp_path / "out"
    arguments = ["--input", str(folder), "--output", str(output), "--model", str(model)]
    code = main(["generate", *arguments])
    check(code, capfd.readouterr().err, says, output)


LIBRARIES = {
    "no folder": (shutil.rmtree, "nodule library"),
    "index missing": (lambda d: drop(d / "library.json"), "nodule library"),
    "table altered": (lambda d: flip(d / "nodules.csv"), "has another nodules.csv than"),
    "array truncated": (lambda d: cut(d / "nodules.npy", 5000), "nodule library"),
}


@pytest.mark.parametrize("fault", LIBRARIES)
def test_a_bad_library_is_told_in_one_sentence(make_input, tmp_path, capfd, fault):
    break_it, says = LIBRARIES[fault]
    library = shutil.copytree(MODEL / "nodules", tmp_path / "library")
    break_it(library)
    folder, output = make_input(), tmp_path / "out"
    arguments = ["--input", str(folder), "--output", str(output), "--method", "paste"]
    code = main(["generate", *arguments, "--library", str(library)])
    check(code, capfd.readouterr().err, says, output)


RECIPES = {
    "missing": (None, r"There is no recipes\.json in"),
    "not JSON": ("{", r"recipes\.json is not JSON"),
    "no list": ('{"seed": 1, "recipes": 3}', r"recipes in .* is 3, and should be a valid"),
    "no object": (
        '{"seed": 1, "recipes": [3]}',
        r"recipes\[0\] in .* is 3, and should be an object",
    ),
    "field missing": (
        '{"seed": 1, "recipes": [{"index": 0}]}',
        r"recipes\[0\].slice in .* is missing",
    ),
    "no seed": ('{"recipes": []}', r"seed in .* is missing"),
}


@pytest.mark.parametrize("fault", RECIPES)
def test_bad_recipes_are_told_in_one_sentence(make_input, tmp_path, capfd, fault):
    text, says = RECIPES[fault]
    folder, output, recipes = make_input(), tmp_path / "out", tmp_path / "recipes.json"
    if text is not None:
        recipes.write_text(text)
    arguments = ["--input", str(folder), "--output", str(output), "--recipes", str(recipes)]
    code = main(["generate", *arguments, "--method", "paste"])
    check(code, capfd.readouterr().err, says, output)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (["--method", "magic"], r'Invalid value "magic" for --method. Choose from: "singan"'),
        (["--seed", "-1"], r'Invalid value "-1" for --seed. .* equal to 0'),
        (["--device", "cuda"], r"device is 'cuda', but torch finds no CUDA device here"),
        (["--frobnicate"], r"Unknown option: --frobnicate"),
    ],
)
def test_a_bad_option_is_told_in_one_line(make_input, tmp_path, capfd, monkeypatch, option, says):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    arguments = ["--input", str(make_input()), "--output", str(tmp_path / "out")]
    code = main(["generate", *arguments, *option])
    check(code, capfd.readouterr().err, says, tmp_path / "out")


def test_an_output_that_is_a_file_is_told(make_input, tmp_path, capfd):
    (tmp_path / "out").write_text("in the way")
    arguments = ["--input", str(make_input()), "--output", str(tmp_path / "out")]
    code = main(["generate", *arguments, "--method", "paste"])
    says = r"out is a file where a folder is wanted"
    check(code, capfd.readouterr().err, says, tmp_path / "none")


def test_a_full_disk_is_told_and_leaves_nothing(make_input, tmp_path, capfd):
    output = tmp_path / "out"
    arguments = ["--input", str(make_input()), "--output", str(output)]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))  # bytes of a file
    try:
        code = main(["generate", *arguments, "--method", "paste"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    says = r"77.mha cannot be written \(File too large\); give an output folder"
    check(code, capfd.readouterr().err, says, output)
    assert not output.exists()


@pytest.mark.parametrize("fault", ["two images", "truncated", "slice too high"])
def test_process_tells_faults_alike(make_input, tmp_path, capfd, fault):
    break_it, says = (STACKS | BOXES)[fault]
    folder, output = make_input(), tmp_path / "out"
    output.mkdir()
    break_it(folder)
    code = process.main(["--input", str(folder), "--output", str(output)])
    check(code, capfd.readouterr().err, says, output)
    assert not (output / "results.json").exists()


@pytest.mark.parametrize(
    ("number", "code", "says"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_an_interrupt_leaves_no_partial_file(make_input, tmp_path, number, code, says):
    folder = make_input(shape=(60, 600, 600), boxes=[(i, 60, 60, 100, 110) for i in range(60)])
    output = tmp_path / "out"
    command = [sys.executable, "-m", "nodegen", "generate", "--method", "poisson"]
    running = subprocess.Popen(
        [*command, "--input", str(folder), "--output", str(output), "--masks", str(output / "m")],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        # A shell that runs the tests in the background has interrupts ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    for _ in range(600):  # until the first output is open
        if output.is_dir() and list(output.glob(".nodegen-*/.*.partial")):
            break
        time.sleep(0.05)
    assert running.poll() is None, "it ended before it could be interrupted"
    running.send_signal(number)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == code
    assert says in last_line(stderr)
    assert "Traceback" not in stderr
    assert not [p for p in output.rglob("*") if p.is_file()]


# --- any JSON -------------------------------------------------------------------------------------

SHAPE = (3, 200, 240)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
anything = st.recursive(
    scalars, lambda c: st.lists(c, max_size=5) | st.dictionaries(st.text(max_size=8), c, max_size=4)
)
numbers = st.floats(-50, 300) | st.integers(-50, 300) | st.integers(-(10**400), 10**400)
corners = (
    st.lists(st.lists(numbers, min_size=2, max_size=3) | anything, min_size=3, max_size=5)
    | anything
)
documents = (
    st.fixed_dictionaries(
        {
            "type": st.just(KIND) | scalars,
            "boxes": st.lists(st.fixed_dictionaries({"corners": corners}) | anything, max_size=3)
            | anything,
        }
    )
    | anything
)


@settings(max_examples=cases(60, 1000), deadline=None, suppress_health_check=list(HealthCheck))
@given(documents)
def test_any_json_gives_boxes_inside_the_stack_or_a_sentence(tmp_path, document):
    path = tmp_path / "nodules.json"
    path.write_text(json.dumps(document))
    boxes, said = [], "."
    try:
        boxes = read_boxes(path, SHAPE)
    except BoxesError as error:
        said = str(error)
    assert said.endswith(".")
    assert "\n" not in said
    for box in boxes:
        assert isinstance(box, Box)
        assert 0 <= box.slice < SHAPE[0]
        assert 0 <= box.left <= box.right - 5
        assert box.right <= SHAPE[2]
        assert 0 <= box.top <= box.bottom - 5
        assert box.bottom <= SHAPE[1]
