"""The reference: measured real nodules, which synthetic ones are compared with; no pixels."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import pandas as pd
from pydantic import ConfigDict, Field

from nodegen import __version__
from nodegen.dataset.standardise import is_node21, standardise
from nodegen.errors import EvaluationError, SettingError
from nodegen.evaluation.boxed_images import BoxedImage, read_real
from nodegen.evaluation.fidelity.grey_levels import to_grey_levels
from nodegen.evaluation.fidelity.ground import GROUNDS, ground_of, lungs_of
from nodegen.evaluation.fidelity.nodule_crop import RINGS, crop_around
from nodegen.evaluation.fidelity.nodule_measures import MEASURES, SIZES_PX, measure_nodule, side_of
from nodegen.io.boxes import Box
from nodegen.io.files import write_text
from nodegen.io.radiograph import Radiograph, left_out
from nodegen.io.read_box_table import read_box_table
from nodegen.lungs.fields import Lungs
from nodegen.schemas import JsonModel, read_json

SHIPPED = Path(__file__).parent / "reference.json"
# Measured against the box: of a nodule whose loose box was tightened they say nothing.
OF_BOX = ["half_height", "radius", "offset"]
DIGITS = 4  # significant, in the file
REMEDY = "give one that `nodegen reference` wrote"
UNKNOWN = "unknown"  # the annotation source of boxes whose table names none
Tighten = Callable[[np.ndarray, Sequence[Box], Sequence[str]], Iterable[tuple[Box, str, bool]]]


class RealNodule(JsonModel):
    """One measured nodule."""

    annotation_source: str  # who or what drew its box
    tightened: bool  # its box was loose, and is tightened around the outline found in it
    ground: str  # what it lies on
    radiograph: str  # digest of its pixels
    size_px: float  # side of the square with its box's area
    mm_per_px: float | None  # None where the image does not say
    measures: dict[str, float]  # all of ``MEASURES``
    # Grey levels in rings.
    profile: Annotated[tuple[float, ...], Field(min_length=RINGS, max_length=RINGS)]


class Reference(JsonModel):
    """Measured real nodules, of which those from the ``main`` annotation sources are compared."""

    model_config = ConfigDict(frozen=True)
    format: Literal[3] = 3
    nodegen: str = __version__
    source: str  # which radiographs and boxes, in words
    main: tuple[str, ...]
    nodules: tuple[RealNodule, ...]

    @property
    def annotation_sources(self) -> tuple[str, ...]:
        """All that occur, in the order of the nodules."""
        return tuple(dict.fromkeys(nodule.annotation_source for nodule in self.nodules))

    def table(self, *sources: str) -> pd.DataFrame:
        """The nodules of some annotation sources (none named: the main ones), a row each.

        Columns are the fields and ``measures``; what a tightened nodule does not say is NaN.
        """
        wanted = sources or self.main
        table = pd.DataFrame(
            {**nodule.model_dump(exclude={"measures"}), **nodule.measures}
            for nodule in self.nodules
            if nodule.annotation_source in wanted
        )
        table.loc[table["tightened"], OF_BOX] = np.nan
        return table

    def with_sources(self, sources: Sequence[str]) -> Self:
        """The same reference with other main annotation sources.

        Parameters
        ----------
        sources : list of str
            None given: the main ones stay.

        Raises
        ------
        EvaluationError
            Where one of them does not occur.
        """
        for source in sources:
            if source not in self.annotation_sources:
                raise EvaluationError(
                    f"The annotation source {source!r} is not among the real nodules, which have "
                    f"{', '.join(self.annotation_sources)}; choose among them."
                )
        return self.model_copy(update={"main": tuple(sources) or self.main})

    @classmethod
    def load(cls, path: Path = SHIPPED) -> Self:
        """Read a reference.

        Parameters
        ----------
        path : Path
            What ``write`` wrote; the default is the one that is shipped.

        Raises
        ------
        EvaluationError
            Where it cannot be read, or is no reference of this version.
        """
        _, reference = read_json(cls, path, EvaluationError, REMEDY)
        others = any(nodule.measures.keys() != MEASURES.keys() for nodule in reference.nodules)
        if others or not set(reference.main) & set(reference.annotation_sources):
            raise EvaluationError(f"{path} is no reference of this version of nodegen; {REMEDY}.")
        return reference

    def write(self, path: Path) -> None:
        """Write the file, every nodule on a line."""
        head = self.model_dump_json(exclude={"nodules"})[:-1]
        lines = ",\n".join(nodule.model_dump_json() for nodule in self.nodules)
        write_text(path, f'{head},"nodules":[\n{lines}\n]}}\n')


def parts_of(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """A table of nodules by size, and by ground; what holds none is left out."""
    sizes = pd.cut(
        table["size_px"].astype(float),
        [*SIZES_PX.values(), np.inf],
        right=False,
        labels=[*SIZES_PX],
    )
    parts = {size: table[sizes == size] for size in SIZES_PX}
    parts |= {ground: table[table["ground"] == ground] for ground in GROUNDS}
    return {kind: part for kind, part in parts.items() if len(part)}


def measure_folders(
    folders: Sequence[Path],
    boxes: Sequence[Path],
    *,
    source: str = "",
    main: Sequence[str] = (),
    standardise: bool = False,
    tighten: Tighten | None = None,
) -> Reference:
    """Measure folders of real radiographs. One that cannot be used is named and left out.

    Parameters
    ----------
    folders, boxes : list of Path
        As many of each, as :func:`nodegen.evaluation.boxed_images.read_real` takes them; of an
        annotation source the first word counts, and ``-loose`` is added where it says so.
    source : str
        What the reference says of where it comes from.
    main : list of str
        The annotation sources that nodules are compared with; all, where none is given.
    standardise : bool
        Bring radiographs that are not in NODE21's form to it, with their boxes.
    tighten : callable, optional
        From pixels (row, column), boxes and their sources to the boxes that are measured, the
        source of each, and whether it was tightened. None: the boxes as they are.

    Raises
    ------
    SettingError, EvaluationError, StackError, BoxesError
        Where there are not as many tables as folders, as ``read_real`` does, where nothing could be
        measured, and where a main annotation source does not occur.
    """
    if len(folders) != len(boxes):
        raise SettingError(
            f"There are {len(folders)} folders of radiographs and {len(boxes)} tables of boxes; "
            "give a table for each folder, in the same order."
        )
    bring = _standardised if standardise else _in_grey_levels
    nodules: list[RealNodule] = []
    for folder, table in zip(folders, boxes, strict=True):
        for image in read_real([folder], [read_box_table(table)]):
            with left_out(image.name):
                nodules += _measured(*bring(image), tighten)
    if not nodules:
        raise EvaluationError("No nodule could be measured; give others, or other boxes.")
    name = source or folders[0].resolve().name
    made = Reference(source=name, main=(), nodules=tuple(nodules))
    return made.with_sources(main or made.annotation_sources)


def _in_grey_levels(image: BoxedImage) -> tuple[BoxedImage, Lungs | None]:
    """The radiograph in grey levels of 0..4095, and its lungs."""
    pixels = to_grey_levels(image.pixels)
    return replace(image, pixels=pixels), lungs_of(pixels)


def _standardised(image: BoxedImage) -> tuple[BoxedImage, Lungs | None]:
    """The radiograph in NODE21's form, and its lungs."""
    if is_node21(image.pixels):
        return _in_grey_levels(image)
    made = standardise(Radiograph(image.pixels, image.spacing, Path(image.name)))
    pixels, spacing = made.radiograph.pixels, made.radiograph.spacing
    return image.in_crop(pixels, made.transformation.crop, spacing), made.lungs


def _measured(
    image: BoxedImage, lungs: Lungs | None, tighten: Tighten | None
) -> Iterator[RealNodule]:
    """The nodules of a radiograph, in as many digits as the file has."""
    pixels, digest = image.pixels, digest_of(image.pixels)
    sources = []
    for whole in image.sources:
        first, *others = whole.replace(",", " ").split() or [UNKNOWN]
        sources.append(f"{first}-loose" if "loose" in others else first)
    given = zip(image.boxes, sources, [False] * len(sources), strict=True)
    for box, source, tightened in tighten(pixels, image.boxes, sources) if tighten else given:
        crop = crop_around(pixels, box)
        yield RealNodule(
            annotation_source=source,
            tightened=tightened,
            ground=ground_of(lungs, pixels, box),
            radiograph=digest,
            size_px=_short(side_of(box)),
            mm_per_px=_short(image.spacing[0]) if image.spacing else None,
            measures={name: _short(value) for name, value in measure_nodule(crop).items()},
            profile=tuple(round(float(level), 1) for level in crop.profile),
        )


def digest_of(pixels: np.ndarray) -> str:
    """Know a radiograph again by its pixels (row, column), in grey levels of 0..4095."""
    levels = np.ascontiguousarray(np.rint(pixels).astype(np.int32))
    return hashlib.sha256(levels.tobytes()).hexdigest()[:12]


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
