"""The public interface: arrays in memory, in threads, in worker processes."""

import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from conftest import smooth_noise
from on_the_fly import BOX, OnTheFly
from torch.utils.data import DataLoader

import nodegen
from nodegen import Box, NodegenError, Renderer, Settings, generate
from nodegen.errors import BoxesError, StackError
from nodegen.io.image import ELEMENTS
from nodegen.io.stack import read_stack

PLAIN = Settings(method="poisson", noise_and_blur=False, surroundings=False)


def radiograph(seed=0, dtype=np.uint16, shape=(1, 300, 320)):
    scale = 1.0 if np.issubdtype(dtype, np.floating) else min(np.iinfo(dtype).max, 4095)
    return (smooth_noise(shape, np.random.default_rng(seed)) * scale).astype(dtype)


@pytest.fixture
def settings(tiny_model):
    return Settings(model=tiny_model, noise_and_blur=False)


def test_every_public_name_is_there_and_documented():
    for name in nodegen.__all__:
        assert hasattr(nodegen, name)
        assert name in dir(nodegen)
        assert name == "__version__" or getattr(nodegen, name).__doc__
    with pytest.raises(AttributeError, match="Rendrer"):
        nodegen.Rendrer  # noqa: B018


@pytest.mark.parametrize(
    ("file", "says"),
    [("CITATION.cff", "version: {}\n"), ("Dockerfile", 'image.version="{}"')],
)
def test_the_version_is_the_same_everywhere(file, says):
    text = (Path(__file__).parents[1] / file).read_text()
    assert says.format(nodegen.__version__) in text


def test_importing_nodegen_imports_nothing_heavy():
    heavy = {"torch", "numpy", "scipy", "SimpleITK", "skimage", "pandas", "matplotlib", "sklearn"}
    code = f"import sys, nodegen; print(*({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_torch_is_imported_where_it_computes_and_not_before():
    code = (
        "import sys, nodegen\nnodegen.Renderer(nodegen.Settings())\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("dtype", ELEMENTS)
def test_an_image_comes_back_in_its_own_type_and_form(dtype):
    stack = radiograph(dtype=np.dtype(dtype))
    for image in (stack, stack[0], np.asfortranarray(stack[0])):
        before = image.copy()
        made = Renderer(PLAIN).apply(image, [BOX], seed=3)
        assert (made.image.dtype, made.image.shape) == (image.dtype, image.shape)
        assert made.mask.shape == image.shape
        np.testing.assert_array_equal(image, before)  # left as it is
        changed = made.image != image
        assert changed.any()
        rows, columns = np.nonzero(changed.reshape(stack.shape)[0])
        assert rows.min() >= BOX.top - 30
        assert columns.max() < BOX.right + 30


def test_big_endian_and_read_only_arrays_are_taken():
    image = radiograph()[0].astype(">u2")
    image.flags.writeable = False
    made = Renderer(PLAIN).apply(image, [BOX], seed=3)
    assert made.image.dtype == np.dtype(">u2")
    wanted = Renderer(PLAIN).apply(image.astype("<u2"), [BOX], seed=3)
    np.testing.assert_array_equal(made.image, wanted.image)


@pytest.mark.parametrize("slices", [None, 2])
def test_a_simpleitk_image_keeps_its_geometry(slices):
    pixels = radiograph(shape=(slices or 1, 300, 320))
    image = sitk.GetImageFromArray(pixels if slices else pixels[0])
    dimension = image.GetDimension()
    image.SetSpacing((0.2, 0.3, 1.5)[:dimension])
    image.SetOrigin((4.0, 5.0, 6.0)[:dimension])
    made = Renderer(PLAIN).apply(image, [BOX], seed=3)
    assert isinstance(made.image, sitk.Image)
    assert made.image.GetPixelID() == image.GetPixelID()
    assert made.image.GetSpacing() == image.GetSpacing()
    assert made.image.GetOrigin() == image.GetOrigin()
    plain = Renderer(PLAIN).apply(pixels if slices else pixels[0], [BOX], seed=3)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(made.image), plain.image)
    np.testing.assert_array_equal(made.mask, plain.mask)


def test_the_same_pixels_as_from_a_folder(make_input, tiny_model, tmp_path):
    folder = make_input(((0, 60, 60, 100, 110), (1, 150, 30, 190, 80)))
    settings = Settings(model=tiny_model, seed=5, intensity="input")
    run = generate(folder, tmp_path / "out", settings, masks=tmp_path / "masks", progress=False)
    before = read_stack(folder / "77.mha").pixels
    boxes = [Box(0, 60, 60, 100, 110), Box(1, 150, 30, 190, 80)]
    made = Renderer(settings).apply(before, boxes)
    np.testing.assert_array_equal(made.image, read_stack(run.image).pixels)
    np.testing.assert_array_equal(made.mask, read_stack(tmp_path / "masks" / "77.mha").pixels)
    assert made.seed == run.seed == 5


def test_a_seed_is_drawn_from_the_inputs_and_decides_everything(settings):
    image, renderer = radiograph(), Renderer(settings)
    first, second = renderer.apply(image, [BOX]), renderer.apply(image, [BOX])
    assert first.seed == second.seed
    np.testing.assert_array_equal(first.image, second.image)
    assert renderer.apply(radiograph(1), [BOX]).seed != first.seed
    assert (renderer.apply(image, [BOX], seed=first.seed + 1).image != first.image).any()


def test_recipes_are_followed_again(settings):
    image, renderer = radiograph(), Renderer(settings)
    made = renderer.apply(image, [BOX], seed=4)
    (again,) = renderer.render_stack(image, made.recipes, made.seed, "input")
    np.testing.assert_array_equal(again.image, made.image[0])


def test_one_renderer_serves_several_threads(settings):
    images = [radiograph(seed) for seed in range(8)]
    wanted = [Renderer(settings).apply(image, [BOX], seed=2).image for image in images]
    renderer = Renderer(settings)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda image: renderer.apply(image, [BOX], seed=2).image, images))
    for one, other in zip(made, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_renderer_is_pickled_without_what_it_has_opened(settings):
    renderer = Renderer(settings)
    wanted = renderer.apply(radiograph(), [BOX], seed=2).image
    packed = pickle.dumps(renderer)
    assert len(packed) < 2000
    np.testing.assert_array_equal(
        pickle.loads(packed).apply(radiograph(), [BOX], seed=2).image, wanted
    )


def test_a_data_loader_with_two_workers_inserts_nodules_on_the_fly(settings):
    images = [radiograph(seed)[0] for seed in range(4)]
    data = OnTheFly(images, Renderer(settings))
    alone = list(DataLoader(data, batch_size=2))
    # As "spawn", but for a server that imports for both.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch.utils.data", "nodegen.renderer"])
    workers = list(DataLoader(data, batch_size=2, num_workers=2, multiprocessing_context=context))
    assert len(alone) == len(workers) == 2
    for (image, mask), (other, other_mask) in zip(alone, workers, strict=True):
        assert image.shape == (2, 300, 320)
        assert mask.any()
        torch.testing.assert_close(image, other, atol=0, rtol=0)
        torch.testing.assert_close(mask, other_mask)
    data.epoch = 1
    assert (next(iter(DataLoader(data, batch_size=2)))[0] != alone[0][0]).any()


@pytest.mark.parametrize(
    ("image", "boxes", "fault", "says"),
    [
        ("a path", [BOX], StackError, "str"),
        (np.zeros((2, 2, 2, 2), np.uint16), [BOX], StackError, "shape"),
        (np.zeros((0, 5), np.uint16), [BOX], StackError, "empty"),
        (np.zeros((300, 300), np.int64), [BOX], StackError, "int64"),
        (np.full((300, 300), np.nan), [BOX], StackError, "NaN"),
        (np.zeros((50, 50), np.uint16), [BOX], BoxesError, "outside"),
        (np.zeros((300, 300), np.uint16), [Box(1, 0, 0, 9, 9)], BoxesError, "slice 1"),
        (sitk.Image((20, 20), sitk.sitkVectorUInt8, 3), [BOX], StackError, "3 channels"),
    ],
)
def test_what_cannot_be_taken_is_told_in_a_sentence(image, boxes, fault, says):
    with pytest.raises(fault, match=says) as told:
        Renderer(PLAIN).apply(image, boxes, seed=1)
    assert isinstance(told.value, NodegenError)
