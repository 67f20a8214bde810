"""Small radiographs for tests: the phantom sample at a quarter of its pixels, a file a patient."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image

SAMPLE = Path(__file__).parent / "sample" / "input" / "phantom.mha"
SAMPLE_SEED = 23  # of `python -m research.phantom`


def phantoms() -> list[np.ndarray]:
    """Three simulated radiographs, 512 x 512 px, uint16; the third is the first one mirrored."""
    stack = sitk.GetArrayFromImage(sitk.ReadImage(str(SAMPLE)))
    small = [np.rint(s.reshape(512, 2, 512, 2).mean((1, 3))).astype(np.uint16) for s in stack]
    return [*small, np.ascontiguousarray(small[0][:, ::-1])]


def write_radiographs(folder: Path) -> Path:
    """Write them as PNG of 16 bit, with NIH's names: two films of one patient, one of another."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("00000001_000", "00000002_000", "00000001_001")
    for name, pixels in zip(names, phantoms(), strict=True):
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


def from_run_lengths(code: dict) -> np.ndarray:
    """The mask of a run-length code of COCO."""
    values = np.arange(len(code["counts"])) % 2 == 1
    return np.repeat(values, code["counts"]).reshape(code["size"], order="F")
