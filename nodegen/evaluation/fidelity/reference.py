"""The reference: measured real nodules, which synthetic ones are compared with; no pixels."""

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from nodegen import __version__
from nodegen.dataset.standardise import is_node21, standardise
from nodegen.errors import EvaluationError, SettingError
from nodegen.evaluation.boxed_images import BoxedImage, read_real
from nodegen.evaluation.fidelity.grey_levels import to_grey_levels
from nodegen.evaluation.fidelity.ground import GROUNDS, ground_of, lungs_of
from nodegen.evaluation.fidelity.nodule_crop import RINGS, crop_around
from nodegen.evaluation.fidelity.nodule_measures import (
    MEASURES,
    OF_BOX,
    SIZE_NAMES,
    measure_nodule,
    side_of,
    size_class,
)
from nodegen.io.boxes import Box, fit_boxes
from nodegen.io.files import write_text
from nodegen.io.radiograph import Radiograph, left_out
from nodegen.lungs.fields import Lungs

SHIPPED = Path(__file__).parent / "reference.json"
DIGITS = 4  # significant, in the file
SUMMARY = (5, 25, 50, 75, 95)  # percentiles
REMEDY = "give one that `nodegen reference` wrote"
UNKNOWN = "unknown"  # the annotation source of boxes whose table names none
Tighten = Callable[[np.ndarray, Sequence[Box], Sequence[str]], Iterable[tuple[Box, str, bool]]]


class RealNodule(BaseModel):
    """One measured nodule."""

    model_config = ConfigDict(frozen=True)
    annotation_source: str  # who or what drew its box
    tightened: bool  # its box was loose, and is tightened around the outline found in it
    ground: str  # what it lies on
    radiograph: str  # digest of its pixels
    size_px: FiniteFloat  # side of the square with its box's area
    mm_per_px: FiniteFloat | None  # None where the image does not say
    measures: dict[str, FiniteFloat]  # all of ``MEASURES``
    # Grey levels in rings.
    profile: Annotated[tuple[FiniteFloat, ...], Field(min_length=RINGS, max_length=RINGS)]


class Reference(BaseModel):
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
        table.loc[table["tightened"], list(OF_BOX)] = np.nan
        return table

    def with_sources(self, sources: Sequence[str]) -> Self:
        """The same reference with other main annotation sources; itself, where none is given."""
        for source in sources:
            if source not in self.annotation_sources:
                raise EvaluationError(
                    f"The annotation source {source!r} is not among the real nodules, which have "
                    f"{', '.join(self.annotation_sources)}; choose among them."
                )
        return self.model_copy(update={"main": tuple(sources) or self.main})

    @classmethod
    def load(cls, path: Path = SHIPPED) -> Self:
        """Read a reference; without a path, the one that is shipped."""
        try:
            reference = cls.model_validate_json(path.read_bytes())
            if not set(reference.main) & set(reference.annotation_sources):
                raise ValueError("no nodules")
            if any(nodule.measures.keys() != MEASURES.keys() for nodule in reference.nodules):
                raise ValueError("other measures")
        except OSError as error:
            raise EvaluationError(
                f"The reference {path} cannot be read ({error.strerror}); {REMEDY}."
            ) from error
        except ValueError as error:
            raise EvaluationError(
                f"{path} is no reference of this version of nodegen; {REMEDY}."
            ) from error
        return reference

    def write(self, path: Path) -> None:
        """Write the file, every nodule on a line."""
        head = self.model_dump_json(exclude={"nodules"})[:-1]
        lines = ",\n".join(nodule.model_dump_json() for nodule in self.nodules)
        write_text(path, f'{head},"nodules":[\n{lines}\n]}}\n')

    def summary(self) -> dict[str, dict[str, Any]]:
        """Percentiles of each measure, by source and, of the main ones, by size and ground."""
        groups = {source: self.table(source) for source in self.annotation_sources}
        groups["main"] = main = self.table()
        groups |= {f"main, {kind}": part for kind, part in parts_of(main).items()}
        return {group: _summary(table) for group, table in groups.items() if len(table)}


def parts_of(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """A table of nodules by size, and by ground; what holds none is left out."""
    sizes = table["size_px"].map(size_class)
    parts = {size: table[sizes == size] for size in SIZE_NAMES}
    parts |= {ground: table[table["ground"] == ground] for ground in GROUNDS}
    return {kind: part for kind, part in parts.items() if len(part)}


def _summary(table: pd.DataFrame) -> dict[str, Any]:
    values = table[[*MEASURES]].assign(
        side_px=table["size_px"],
        edge_width_mm=table["edge_width"] * table["mm_per_px"].astype(float),
    )
    levels = values.dropna(axis="columns", how="all").quantile([p / 100 for p in SUMMARY])
    levels = levels.set_axis([f"p{p}" for p in SUMMARY]).map(_short)
    counts = {"nodules": len(table), "radiographs": table["radiograph"].nunique()}
    return counts | {str(name): dict(levels[name]) for name in levels}


def measure_folders(
    folders: Sequence[Path],
    boxes: Sequence[Path],
    *,
    source: str = "",
    main: Sequence[str] = (),
    to_node21: bool = False,
    progress: bool = True,
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
    to_node21 : bool
        Bring radiographs that are not in NODE21's form to it, with their boxes.
    progress : bool
        Show a progress bar.
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
    nodules: list[RealNodule] = []
    for folder, table in zip(folders, boxes, strict=True):
        for image in read_real(folder, table, progress=progress):
            with left_out(image.name):
                nodules += _measured(*_in_grey_levels(image, to_node21), tighten)
    if not nodules:
        raise EvaluationError("No nodule could be measured; give others, or other boxes.")
    name = source or folders[0].resolve().name
    made = Reference(source=name, main=(), nodules=tuple(nodules))
    return made.with_sources(main or made.annotation_sources)


def _in_grey_levels(image: BoxedImage, to_node21: bool) -> tuple[BoxedImage, Lungs | None]:
    """The radiograph in grey levels of 0..4095, and its lungs."""
    if not to_node21 or is_node21(image.pixels):
        pixels = to_grey_levels(image.pixels)
        return replace(image, pixels=pixels), lungs_of(pixels)
    made = standardise(Radiograph(image.pixels, image.spacing, Path(image.name)))
    crop, kept = made.transformation.crop, {}
    for box, source in zip(image.boxes, image.sources, strict=True):
        if corners := crop.apply_box(box.edges):
            kept[Box(0, *corners, box.index)] = source
        else:
            print(f"left out box {box.index} of {image.name}: off the lungs", file=sys.stderr)
    pixels, spacing = made.radiograph.pixels, made.radiograph.spacing
    boxes, sources = tuple(fit_boxes([*kept], (1, *pixels.shape))), tuple(kept.values())
    return BoxedImage(image.name, image.group, pixels, spacing, boxes, sources), made.lungs


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
