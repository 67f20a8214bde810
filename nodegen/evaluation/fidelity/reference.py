"""The reference: measured real nodules, which synthetic ones are compared with.

What is kept of a nodule is its measures, its profile, its size and its ground; of a radiograph, a
digest that says which nodules share it. No pixel is kept.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

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
from nodegen.evaluation.fidelity.profile import RADII
from nodegen.evaluation.fidelity.real import RealRadiograph, read_real, without_repeats
from nodegen.io.files import write_text

SHIPPED = Path(__file__).parent / "reference.json"
FORMAT = 2
DIGITS = 4  # significant, in the file
SUMMARY = (5, 25, 50, 75, 95)  # percentiles that the file states
COLUMNS = (
    "annotation_source", "tightened", "ground", "radiograph", "side_px", "mm_per_px", *MEASURES,
)  # fmt: skip
REMEDY = "give one that `nodegen reference` wrote"


@dataclass(frozen=True)
class RealNodule:
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
    side : float
        Of the square with its box's area, px.
    mm_per_px : float or None
        None where the image does not say (a spacing of 1).
    measures : dict
        The keys of ``MEASURES``.
    profile : tuple of float
        In rings, grey levels.
    """

    annotation_source: str
    tightened: bool
    ground: str
    radiograph: str
    side: float
    mm_per_px: float | None
    measures: dict[str, float]
    profile: tuple[float, ...]


@dataclass(frozen=True)
class Reference:
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
        return replace(self, main=tuple(sources) or self.main)

    @classmethod
    def load(cls, path: Path = SHIPPED) -> Self:
        """Read a reference; without a path, the one that is shipped.

        Raises
        ------
        EvaluationError
            Where the file cannot be read or is no reference.
        """
        try:
            content = json.loads(path.read_bytes())
        except OSError as error:
            raise EvaluationError(
                f"The reference {path} cannot be read ({error.strerror}); {REMEDY}."
            ) from error
        except (ValueError, RecursionError) as error:
            raise EvaluationError(f"The reference {path} is not JSON; {REMEDY}.") from error
        try:
            if content["format"] != FORMAT or tuple(content["columns"]) != COLUMNS:
                raise ValueError("other columns")
            nodules = tuple(
                _nodule(row, profile)
                for row, profile in zip(content["nodules"], content["profiles"], strict=True)
            )
            reference = cls(str(content["source"]), tuple(content["main"]), nodules)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EvaluationError(
                f"{path} is no reference of this version of nodegen; {REMEDY}."
            ) from error
        if not reference.of_source():
            raise EvaluationError(f"The reference {path} holds no nodule; {REMEDY}.")
        return reference

    def dump(self) -> str:
        """The file's text: a summary to be read, then every nodule in a line."""
        head = {
            "format": FORMAT,
            "nodegen": __version__,
            "source": self.source,
            "main": list(self.main),
            "radii": [float(radius) for radius in RADII],
            "summary": self.summary(),
        }
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
        lines.append(f'  "columns": {json.dumps(COLUMNS)}')
        for name, rows in (
            ("nodules", [_row(nodule) for nodule in self.nodules]),
            ("profiles", [list(nodule.profile) for nodule in self.nodules]),
        ):
            body = ",\n".join(f"    {json.dumps(row)}" for row in rows)
            lines.append(f'  "{name}": [\n{body}\n  ]')
        return "{\n" + ",\n".join(lines) + "\n}\n"

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
            groups[f"main, {size}"] = [n for n in main if size_class(n.side) == size]
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
    return Reference(source or folders[0].resolve().name, kinds, nodules).with_sources(main)


def measure_radiograph(
    radiograph: RealRadiograph, loose: Sequence[str] = ()
) -> Iterator[RealNodule]:
    """Measure the nodules of a real radiograph, in as many digits as its file has.

    Parameters
    ----------
    radiograph : RealRadiograph
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
            source,
            source in loose,
            ground_of(lungs, pixels, measured),
            digest,
            _short(side_of(measured)),
            None if mm is None else _short(mm),
            {name: _short(value) for name, value in measures.items()},
            tuple(round(float(level), 1) for level in profile),
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
    values["side_px"] = [n.side for n in nodules]
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


def _row(nodule: RealNodule) -> list[Any]:
    return [
        *(nodule.annotation_source, nodule.tightened, nodule.ground, nodule.radiograph),
        *(nodule.side, nodule.mm_per_px, *(nodule.measures[name] for name in MEASURES)),
    ]


def _nodule(row: list[Any], profile: list[float]) -> RealNodule:
    source, tight, ground, radiograph, side, mm, *values = row
    if len(profile) != len(RADII):
        raise ValueError("another profile")
    measures = {name: float(value) for name, value in zip(MEASURES, values, strict=True)}
    if not np.all(np.isfinite([side, *measures.values(), *profile])):
        raise ValueError("not finite")
    return RealNodule(
        *(str(source), bool(tight), str(ground), str(radiograph), float(side), mm),
        measures,
        tuple(map(float, profile)),
    )


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
