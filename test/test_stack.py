import resource

import numpy as np
import pytest
import SimpleITK as sitk
import tifffile

from nodegen.errors import OutputError
from nodegen.io.image import ELEMENTS, Geometry
from nodegen.io.stack import find_image, read_stack, stack_writer

SHAPE = (3, 20, 31)  # (slice, row, column)
TILTED = Geometry(
    (0.143, 0.175, 2.5), (-12.5, 40.25, 3.0), (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0), 3
)
FLAT = Geometry((0.143, 0.175), (1.5, -2.0), (0.0, 1.0, -1.0, 0.0), 2)


def pixels_of(dtype, shape=SHAPE):
    values = np.random.default_rng(0).normal(0, 1000, shape)
    if np.issubdtype(dtype, np.floating):
        return values.astype(dtype)
    info = np.iinfo(dtype)
    return np.clip(values, info.min, info.max).astype(dtype)


def fill(writer, slices):
    with writer as put:
        for slice_ in slices:
            put(slice_)


def write(path, pixels, geometry):
    fill(stack_writer(path, geometry, pixels.shape, pixels.dtype), pixels)


def interrupted():
    """One slice, then Ctrl-C."""
    yield pixels_of("uint8")[0]
    raise KeyboardInterrupt


@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
@pytest.mark.parametrize("dtype", ELEMENTS)
def test_what_is_written_is_read_bit_for_bit(tmp_path, suffix, dtype):
    pixels = pixels_of(dtype)
    write(tmp_path / f"a{suffix}", pixels, TILTED)
    stack = read_stack(tmp_path / f"a{suffix}")
    assert stack.pixels.dtype == dtype
    np.testing.assert_array_equal(stack.pixels, pixels)
    assert stack.geometry == TILTED


@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
def test_itk_reads_what_we_write(tmp_path, suffix):
    pixels = pixels_of("uint16")
    write(tmp_path / f"a{suffix}", pixels, TILTED)
    image = sitk.ReadImage(str(tmp_path / f"a{suffix}"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), pixels)
    assert image.GetSpacing() == TILTED.spacing
    assert image.GetOrigin() == TILTED.origin
    assert image.GetDirection() == TILTED.direction


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_we_read_what_itk_writes(tmp_path, dtype, compress):
    pixels = pixels_of(dtype)
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing(TILTED.spacing)
    image.SetOrigin(TILTED.origin)
    image.SetDirection(TILTED.direction)
    sitk.WriteImage(image, str(tmp_path / "a.mha"), useCompression=compress)
    stack = read_stack(tmp_path / "a.mha")
    np.testing.assert_array_equal(stack.pixels, pixels)
    assert stack.geometry == TILTED


def test_a_single_image_is_a_stack_of_one_and_stays_2d_in_its_file(tmp_path):
    pixels = pixels_of("uint16", (1, 20, 31))
    write(tmp_path / "a.mha", pixels, FLAT)
    stack = read_stack(tmp_path / "a.mha")
    assert stack.pixels.shape == (1, 20, 31)
    assert stack.geometry == FLAT
    assert sitk.ReadImage(str(tmp_path / "a.mha")).GetDimension() == 2


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
@pytest.mark.parametrize("slices", [1, 3])
def test_tiff_goes_in_and_out(tmp_path, dtype, slices):
    pixels = pixels_of(dtype, (slices, 20, 31))
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="minisblack", resolution=(20, 40),
        resolutionunit="CENTIMETER",
    )  # fmt: skip
    stack = read_stack(tmp_path / "a.tif")
    np.testing.assert_array_equal(stack.pixels, pixels)
    assert stack.geometry.spacing[:2] == (0.5, 0.25)
    write(tmp_path / "b.tif", stack.pixels, stack.geometry)
    again = read_stack(tmp_path / "b.tif")
    np.testing.assert_array_equal(again.pixels, pixels)
    assert again.geometry.spacing[:2] == (0.5, 0.25)


def test_pixels_outlive_the_stack(tmp_path):
    pixels = pixels_of("uint16")
    write(tmp_path / "a.mha", pixels, TILTED)
    kept = read_stack(tmp_path / "a.mha").pixels
    np.testing.assert_array_equal(kept, pixels)


def test_partial_and_hidden_files_are_no_images(tmp_path):
    write(tmp_path / "a.mha", pixels_of("uint8"), TILTED)
    (tmp_path / ".b.mha").touch()
    (tmp_path / ".a.mha.partial").touch()
    (tmp_path / "nodules.json").touch()
    assert find_image(tmp_path) == tmp_path / "a.mha"


@pytest.mark.parametrize("suffix", [".mha", ".mhd", ".tif"])
def test_an_exception_leaves_the_folder_as_it_was(tmp_path, suffix):
    with pytest.raises(KeyboardInterrupt):
        fill(stack_writer(tmp_path / f"a{suffix}", TILTED, SHAPE, "u1"), interrupted())
    assert list(tmp_path.iterdir()) == []


def test_an_exception_leaves_the_file_of_an_earlier_run(tmp_path):
    pixels = pixels_of("uint8")
    write(tmp_path / "a.mha", pixels, TILTED)
    with pytest.raises(KeyboardInterrupt):
        fill(stack_writer(tmp_path / "a.mha", TILTED, SHAPE, "u1"), interrupted())
    np.testing.assert_array_equal(read_stack(tmp_path / "a.mha").pixels, pixels)


def test_slices_that_are_missing_are_a_fault(tmp_path):
    with (
        pytest.raises(ValueError, match="1 of 3 slices"),
        stack_writer(tmp_path / "a.mha", TILTED, SHAPE, np.dtype("uint8")) as put,
    ):
        put(pixels_of("uint8")[0])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mha", ".mhd", ".tif"])
def test_a_disk_without_room_is_a_fault(tmp_path, suffix):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            write(tmp_path / f"a{suffix}", pixels_of("float64", (50, 20, 31)), TILTED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
