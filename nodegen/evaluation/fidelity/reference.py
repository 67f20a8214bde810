"""The reference: measured real nodules, which synthetic ones are compared with.

What is kept of a nodule is its measures, its profile, its size and its ground; of a radiograph, a
digest that says which nodules share it. No pixel is kept.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from nodegen import __version__
from nodegen.errors import EvaluationError, SettingError
from nodegen.evaluation.fidelity.ground import GROUNDS, ground_of, lungs_of
from nodegen.evaluation.fidelity.loose_boxes import tightened
from nodegen.evaluation.fidelity.measures import (
    MEASURES,
    OF_BOX,
    SIZE_NAMES,
    measure_with_profile,
    side_of,
    size_class,
)
from nodegen.evaluation.fidelity.profile import RINGS
from nodegen.evaluation.fidelity.real import RealRadiograph, read_real, without_repeats
from nodegen.io.files import write_text

SHIPPED = Path(__file__).parent / "reference.json"
DIGITS = 4  # significant, in the file
SUMMARY = (5, 25, 50, 75, 95)  # percentiles
REMEDY = "give one that `nodegen reference` wrote"


class RealNodule(BaseModel):
    """One measured nodule.

    Attributes
    ----------
    annotation_source : str
        Who or what drew its box.
    tightened : bool
        Whether that box was loose, and is tightened around the outline that was found in it.
    ground : str
        What it lies on, see :mod:`nodegen.evaluation.fidelity.ground`.
    radiograph : str
        Digest of its pixels.
    size_px : float
        Side of the square with its box's area.
    mm_per_px : float or None
        None where the image does not say (a spacing of 1).
    measures : dict
        The keys of ``MEASURES``.
    profile : tuple of float
        In rings, grey levels.
    """

    model_config = ConfigDict(frozen=True)
    annotation_source: str
    tightened: bool
    ground: str
    radiograph: str
    size_px: FiniteFloat
    mm_per_px: FiniteFloat | None
    measures: dict[str, FiniteFloat]
    profile: Annotated[tuple[FiniteFloat, ...], Field(min_length=RINGS, max_length=RINGS)]


class Reference(BaseModel):
    """Measured real nodules.

    Attributes
    ----------
    source : str
        Which radiographs and boxes, in words.
    main : tuple of str
        The annotation sources that synthetic nodules are compared with.
    nodules : tuple of RealNodule
        All of them.
    """

    model_config = ConfigDict(frozen=True)
    format: Literal[3] = 3
    nodegen: str = __version__
    source: str
    main: tuple[str, ...]
    nodules: tuple[RealNodule, ...]

    def of_source(self, *sources: str) -> list[RealNodule]:
        """The nodules of some annotation sources; of the main ones, where none is named."""
        wanted = sources or self.main
        return [nodule for nodule in self.nodules if nodule.annotation_source in wanted]

    def with_sources(self, sources: Sequence[str]) -> Self:
        """The same reference with other main annotation sources; itself, where none is given.

        Raises
        ------
        EvaluationError
            Where one does not occur.
        """
        kinds = tuple(dict.fromkeys(nodule.annotation_source for nodule in self.nodules))
        for source in sources:
            if source not in kinds:
                raise EvaluationError(
                    f"The annotation source {source!r} is not among the real nodules, which have "
                    f"{', '.join(kinds)}; choose among them."
                )
        return self.model_copy(update={"main": tuple(sources) or self.main})

    @classmethod
    def load(cls, path: Path = SHIPPED) -> Self:
        """Read a reference; without a path, the one that is shipped.

        Raises
        ------
        EvaluationError
            Where the file cannot be read or is no reference.
        """
        try:
            reference = cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise EvaluationError(
                f"The reference {path} cannot be read ({error.strerror}); {REMEDY}."
            ) from error
        except ValidationError as error:
            raise EvaluationError(
                f"{path} is no reference of this version of nodegen; {REMEDY}."
            ) from error
        measured = all(nodule.measures.keys() == MEASURES.keys() for nodule in reference.nodules)
        if not measured or not reference.of_source():
            raise EvaluationError(
                f"The reference {path} holds no nodule, or other measures; {REMEDY}."
            )
        return reference

    def dump(self) -> str:
        """The file's text, every nodule on a line."""
        head = self.model_dump_json(exclude={"nodules"})[:-1]
        lines = ",\n".join(nodule.model_dump_json() for nodule in self.nodules)
        return f'{head},"nodules":[\n{lines}\n]}}\n'

    def write(self, path: Path) -> None:
        """Write the file.

        Raises
        ------
        OutputError
            Where it cannot be written.
        """
        write_text(path, self.dump())

    def summary(self) -> dict[str, Any]:
        """Percentiles of each measure, by source and, of the main ones, by size and ground."""
        main = self.of_source()
        groups = {
            source: self.of_source(source)
            for source in {nodule.annotation_source: None for nodule in self.nodules}
        }
        groups["main"] = main
        for size in SIZE_NAMES:
            groups[f"main, {size}"] = [n for n in main if size_class(n.size_px) == size]
        for ground in GROUNDS:
            groups[f"main, {ground}"] = [n for n in main if n.ground == ground]
        return {group: _summary(nodules) for group, nodules in groups.items() if nodules}


def measure_folders(
    folders: Sequence[Path],
    boxes: Sequence[Path],
    *,
    source: str = "",
    main: Sequence[str] = (),
    loose: Sequence[str] = (),
    to_node21: bool = False,
    progress: bool = True,
) -> Reference:
    """Measure folders of real radiographs.

    Parameters
    ----------
    folders, boxes : list of Path
        As many of each, as :func:`nodegen.evaluation.fidelity.real.read_real` takes them.
    source : str
        What the reference says of where it comes from.
    main : list of str
        The annotation sources that nodules are compared with; all, where none is given.
    loose : list of str
        The annotation sources whose boxes are loose. Of those, nodules are kept whose outline is
        certain, in boxes tightened around it.
    to_node21 : bool
        Bring radiographs of another form to NODE21's.
    progress : bool
        Show a progress bar.

    Raises
    ------
    SettingError
        Where there are not as many tables as folders.
    EvaluationError, StackError, BoxesError
        As ``read_real`` does; and where a main annotation source does not occur.
    """
    if len(folders) != len(boxes):
        raise SettingError(
            f"There are {len(folders)} folders of radiographs and {len(boxes)} tables of boxes; "
            "give a table for each folder, in the same order."
        )
    nodules = tuple(
        nodule
        for folder, table in zip(folders, boxes, strict=True)
        for radiograph in read_real(folder, table, to_node21=to_node21, progress=progress)
        for nodule in measure_radiograph(radiograph, loose)
    )
    kinds = tuple(dict.fromkeys(nodule.annotation_source for nodule in nodules))
    name = source or folders[0].resolve().name
    return Reference(source=name, main=kinds, nodules=nodules).with_sources(main)


def measure_radiograph(
    radiograph: RealRadiograph, loose: Sequence[str] = ()
) -> Iterator[RealNodule]:
    """Measure the nodules of a real radiograph, in as many digits as its file has.

    Parameters
    ----------
    radiograph : RealRadiograph
        Pixels (row, column) in grey levels of 0..4095, with the boxes of its nodules.
    loose : list of str
        See :func:`measure_folders`.
    """
    pixels, sources = radiograph.pixels, radiograph.annotation_sources
    digest, mm = digest_of(pixels), radiograph.mm_per_px
    lungs = radiograph.lungs or lungs_of(pixels)
    for box, source in without_repeats(radiograph.boxes, sources, loose):
        measured = tightened(pixels, box) if source in loose else box
        if measured is None:
            continue
        measures, profile = measure_with_profile(pixels, measured)
        yield RealNodule(
            annotation_source=source,
            tightened=source in loose,
            ground=ground_of(lungs, pixels, measured),
            radiograph=digest,
            size_px=_short(side_of(measured)),
            mm_per_px=None if mm is None else _short(mm),
            measures={name: _short(value) for name, value in measures.items()},
            profile=tuple(round(float(level), 1) for level in profile),
        )


def digest_of(pixels: np.ndarray) -> str:
    """Know a radiograph again by its pixels (row, column), in grey levels of 0..4095."""
    levels = np.ascontiguousarray(np.rint(pixels).astype(np.int32))
    return hashlib.sha256(levels.tobytes()).hexdigest()[:12]


def _summary(nodules: Sequence[RealNodule]) -> dict[str, Any]:
    values = {
        name: [n.measures[name] for n in nodules if not (n.tightened and name in OF_BOX)]
        for name in MEASURES
    }
    values["side_px"] = [n.size_px for n in nodules]
    values["edge_width_mm"] = [
        n.measures["edge_width"] * n.mm_per_px for n in nodules if n.mm_per_px
    ]
    table: dict[str, Any] = {
        "nodules": len(nodules),
        "radiographs": len({nodule.radiograph for nodule in nodules}),
    }
    for name, column in values.items():
        if column:
            levels = np.percentile(column, SUMMARY)
            table[name] = {f"p{p}": _short(v) for p, v in zip(SUMMARY, levels, strict=True)}
    return table


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
