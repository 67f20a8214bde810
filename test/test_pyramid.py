import pytest
import torch
from torch.nn.functional import interpolate

from nodegen.cascade.pyramid import resize, resize_matrix, scale_sizes


def test_sizes_are_the_papers():
    assert scale_sizes() == (
        *(25, 29, 34, 40, 46, 54, 63, 74),
        *(86, 101, 118, 138, 161, 188, 219, 256),
    )


@pytest.mark.parametrize("crop_px", [1, 17, 100, 256, 400, 1024])
def test_sizes_of_other_crops_keep_the_ratios(crop_px):
    sizes = scale_sizes(crop_px)
    assert sizes[-1] == crop_px
    assert list(sizes) == sorted(sizes)
    assert all(size >= 1 for size in sizes)


@pytest.mark.parametrize(
    ("size_in", "size_out"), [(256, 54), (54, 63), (219, 256), (9, 40), (7, 7)]
)
def test_resizing_is_torchs_antialiased_bicubic(size_in, size_out):
    image = torch.rand(1, 1, size_in, size_in, generator=torch.Generator().manual_seed(0))
    wanted = interpolate(image, (size_out,) * 2, mode="bicubic", antialias=True)
    torch.testing.assert_close(resize(image, size_out, size_out), wanted, atol=5e-5, rtol=0)


@pytest.mark.parametrize(("size_in", "size_out"), [(256, 25), (25, 29), (100, 101)])
def test_resizing_keeps_a_flat_image_flat(size_in, size_out):
    rows = resize_matrix(size_in, size_out).sum(axis=1)
    torch.testing.assert_close(torch.from_numpy(rows), torch.ones(size_out))
