"""The reference: measured real nodules, which synthetic ones are held against.

What is kept of a nodule is its measures, its profile and its size; of a radiograph, a digest that
says which nodules share it. No pixel is kept.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from nodegen import __version__
from nodegen.errors import EvaluationError
from nodegen.evaluation.fidelity.measures import (
    MEASURES,
    measure_with_profile,
    side_of,
    size_class,
)
from nodegen.evaluation.fidelity.profile import RADII
from nodegen.evaluation.fidelity.real import RealRadiograph, read_real
from nodegen.io.files import write_text

SHIPPED = Path(__file__).parent / "reference.json"
FORMAT = 1
DIGITS = 4  # significant, in the file
SUMMARY = (5, 25, 50, 75, 95)  # percentiles that the file states
COLUMNS = ("trust", "radiograph", "side_px", "mm_per_px", *MEASURES)
REMEDY = "give one that `nodegen reference` wrote"


@dataclass(frozen=True)
class RealNodule:
    """One measured nodule.

    Attributes
    ----------
    trust : str
        Where its box comes from.
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

    trust: str
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
        The kinds of trust that synthetic nodules are held against.
    nodules : tuple of RealNodule
        All of them.
    """

    source: str
    main: tuple[str, ...]
    nodules: tuple[RealNodule, ...]

    def of_trust(self, *trusts: str) -> list[RealNodule]:
        """The nodules of some kinds of trust; of the main ones, where none is named."""
        wanted = trusts or self.main
        return [nodule for nodule in self.nodules if nodule.trust in wanted]

    def against(self, trusts: Sequence[str]) -> Self:
        """The same reference with other main kinds of trust; itself, where none is given.

        Raises
        ------
        EvaluationError
            Where one does not occur.
        """
        kinds = tuple(dict.fromkeys(nodule.trust for nodule in self.nodules))
        for trust in trusts:
            if trust not in kinds:
                raise EvaluationError(
                    f"The kind of trust {trust!r} is not among the real nodules, which have "
                    f"{', '.join(kinds)}; choose among them."
                )
        return replace(self, main=tuple(trusts) or self.main)

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
        if not reference.of_trust():
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
        """Percentiles of each measure, by trust and, of the main ones, by size."""
        groups = {trust: self.of_trust(trust) for trust in {n.trust: None for n in self.nodules}}
        main = self.of_trust()
        groups["main"] = main
        for name in {size_class(nodule.side): None for nodule in sorted(main, key=_side)}:
            groups[f"main, {name}"] = [n for n in main if size_class(n.side) == name]
        table: dict[str, Any] = {}
        for group, nodules in groups.items():
            radiographs = len({nodule.radiograph for nodule in nodules})
            table[group] = {"nodules": len(nodules), "radiographs": radiographs}
            values = {name: [n.measures[name] for n in nodules] for name in MEASURES}
            values["side_px"] = [n.side for n in nodules]
            values["edge_width_mm"] = [
                n.measures["edge_width"] * n.mm_per_px for n in nodules if n.mm_per_px
            ]
            for name, column in values.items():
                if column:
                    levels = np.percentile(column, SUMMARY)
                    table[group][name] = {
                        f"p{p}": _short(v) for p, v in zip(SUMMARY, levels, strict=True)
                    }
        return table


def measure_folder(
    folder: Path,
    boxes: Path,
    *,
    source: str = "",
    main: Sequence[str] = (),
    progress: bool = True,
) -> Reference:
    """Measure a folder of real radiographs.

    Parameters
    ----------
    folder, boxes : Path
        As :func:`nodegen.evaluation.fidelity.real.read_real` takes them.
    source : str
        What the reference says of where it comes from.
    main : list of str
        The kinds of trust that nodules are held against; all, where none is given.

    Raises
    ------
    EvaluationError, StackError, BoxesError
        As ``read_real`` does; and where a main kind of trust does not occur.
    """
    nodules = tuple(
        nodule
        for radiograph in read_real(folder, boxes, progress=progress)
        for nodule in measure_radiograph(radiograph)
    )
    kinds = tuple(dict.fromkeys(nodule.trust for nodule in nodules))
    return Reference(source or folder.resolve().name, kinds, nodules).against(main)


def measure_radiograph(radiograph: RealRadiograph) -> Iterator[RealNodule]:
    """Measure every nodule of a real radiograph, in as many digits as its file has."""
    digest = digest_of(radiograph.pixels)
    for box, trust in zip(radiograph.boxes, radiograph.trusts, strict=True):
        measures, profile = measure_with_profile(radiograph.pixels, box)
        mm = radiograph.mm_per_px
        yield RealNodule(
            trust,
            digest,
            _short(side_of(box)),
            None if mm is None else _short(mm),
            {name: _short(value) for name, value in measures.items()},
            tuple(round(float(level), 1) for level in profile),
        )


def digest_of(pixels: np.ndarray) -> str:
    """Know a radiograph again by its pixels (row, column), in grey levels of 0..4095."""
    levels = np.ascontiguousarray(np.rint(pixels).astype(np.int32))
    return hashlib.sha256(levels.tobytes()).hexdigest()[:12]


def _side(nodule: RealNodule) -> float:
    return nodule.side


def _row(nodule: RealNodule) -> list[Any]:
    values = (nodule.measures[name] for name in MEASURES)
    return [nodule.trust, nodule.radiograph, nodule.side, nodule.mm_per_px, *values]


def _nodule(row: list[Any], profile: list[float]) -> RealNodule:
    trust, radiograph, side, mm, *values = row
    if len(profile) != len(RADII):
        raise ValueError("another profile")
    measures = {name: float(value) for name, value in zip(MEASURES, values, strict=True)}
    if not np.all(np.isfinite([side, *measures.values(), *profile])):
        raise ValueError("not finite")
    return RealNodule(
        str(trust), str(radiograph), float(side), mm, measures, tuple(map(float, profile))
    )


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
