"""The report's page out of judged stacks: what it holds, and writing it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage.measure import find_contours

from nodegen import __version__
from nodegen.evaluation.fidelity import judge, verdict_table
from nodegen.evaluation.fidelity.before_after import region_of
from nodegen.evaluation.fidelity.comparison import Comparison
from nodegen.evaluation.fidelity.judge import Measured, StackPair, Verdict
from nodegen.evaluation.fidelity.nodule_measures import JUDGED, title_of
from nodegen.evaluation.fidelity.reference import Reference
from nodegen.evaluation.viewer.html_page import Page, slope_of, stored
from nodegen.io.boxes import Box
from nodegen.io.image import run_hash
from nodegen.io.preview import around, data_uri, eight_bit
from nodegen.pipeline import Run
from nodegen.workers import track

THUMB_PX = 56  # side of a box's small picture
THUMB_AROUND = 2.0  # it shows so many of the box's larger sides
THUMB_QUALITY = 70
OUTLINE_AROUND = 1.5  # an outline is sought within so many of the box's sides
FEW_SLICES = 20  # packed within a few seconds, without a word
LABELS = {  # methods as people know them
    "singan": "nodegen (SinGAN)",
    "singan-paper": "SinGAN as in the paper",
    "poisson": "Poisson blending",
    "paste": "pasted",
    "none": "no generator",
}
Polygon = list[list[float]]  # of [x, y], px of the slice


@dataclass(frozen=True)
class Treated:
    """A stack before and after one treatment, as the report shows it."""

    method: str  # the treatment's name; runs of one method are judged together
    stack: str  # the stack's name; runs of one stack share its pictures
    pair: StackPair
    header: Mapping[str, Any] = field(default_factory=dict)  # what recipes.json says beside recipes
    recipes: Sequence[Mapping[str, Any]] = ()  # as in recipes.json; empty where none are known

    @classmethod
    def by(cls, run: Run, input_dir: Path, method: str = "", stack: str = "") -> "Treated":
        """The stack of a folder, as a run of :func:`nodegen.pipeline.generate` treated it.

        Parameters
        ----------
        run : Run
            What ``generate`` returned.
        input_dir : Path
            The folder that it read.
        method, stack : str
            Names on the page; empty: the run's method, the image's name.

        Raises
        ------
        StackError, BoxesError
            See :func:`nodegen.evaluation.fidelity.judge.read_pair`.
        """
        pair = judge.read_pair(input_dir, run.image)
        method = method or run.header["settings"]["method"]
        return cls(method, stack or run.image.stem, pair, run.header, run.recipes)

    @property
    def seed(self) -> str | None:
        """As text, like the recipe: a browser's numbers end at 53 bits."""
        return str(self.header["seed"]) if "seed" in self.header else None


class Report:
    """Collects treated stacks one by one, keeping of each only what the page shows."""

    def __init__(self) -> None:
        self.page = Page(__package__)
        self.slices: dict[str, dict[str, Any]] = {}
        self.cases: list[dict[str, Any]] = []
        self.headers: list[dict[str, Any]] = []

    def add(self, treated: Treated, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add a treated stack, with the measures of each of its boxes, in the boxes' order."""
        header, pair = treated.header, treated.pair
        self.headers.append({"method": treated.method, "stack": treated.stack, **header})
        recipes = {recipe["index"]: recipe for recipe in treated.recipes}
        # Every slice, so that one scrolls through the stack as it is; without boxes there is no
        # reading at all.
        count = len(pair.before) if pair.boxes else 0
        numbers = track(range(count), count, "report", "slice", show=count > FEW_SLICES)
        changes = [self._slice(treated, number) for number in numbers]
        for box, row in zip(pair.boxes, rows, strict=True):
            before, after = pair.before[box.slice], pair.after[box.slice]
            recipe = recipes.get(box.index, {})
            self.cases.append(
                {
                    **{name: getattr(treated, name) for name in ("method", "stack", "seed")},
                    **{name: row[name] for name in ("slice", "index", "box")},
                    "signal": recipe.get("signal", "unknown"),
                    "where": f"{treated.stack}/{box.slice}",
                    "change": changes[box.slice],
                    "nodule": nodule_outline(before, after, box),
                    "thumb": _thumb(after, box),
                    "measures": {name: float(row[name]) for name in JUDGED},
                    "recipe": {key: str(value) for key, value in recipe.items()},
                }
            )

    def _slice(self, treated: Treated, number: int) -> str:
        """Keep a slice, once, and its change by this treatment; return the change's key."""
        before, after = treated.pair.before[number], treated.pair.after[number]
        where = f"{treated.stack}/{number}"
        if where not in self.slices:
            slope = slope_of(before, after)
            lungs = treated.pair.lungs.get(number)
            self.slices[where] = {
                "stack": treated.stack,
                "slice": number,
                "width": before.shape[1],
                "height": before.shape[0],
                "slope": slope,
                "spacing": treated.pair.spacing,
                "right": treated.pair.right,
                "pixels": self.page.add(stored(before, slope)),
                "treatments": [],
                "lungs": outlines(lungs.labels > 0) if lungs else [],
            }
        shown = self.slices[where]
        # Modulo 65536; where nothing was changed it is zero, which takes no room.
        change = self.page.add(stored(after, shown["slope"]) - stored(before, shown["slope"]))
        treatment = {"method": treated.method, "seed": treated.seed, "change": change}
        shown["treatments"].append(treatment)
        return change

    def write(self, path: Path, verdicts: Mapping[str, Verdict]) -> None:
        """Write the page, and say what was found of each method."""
        measures = _measures(next(iter(verdicts.values())).comparison)
        labels = {method: LABELS.get(method, method) for method in verdicts}
        data = {
            "cases": self.cases,
            "slices": self.slices,
            "measures": measures,
            "labels": labels,
            "methods": list(verdicts),
        }
        runs = [header["run"] for header in self.headers if "run" in header]
        self.page.write(
            path,
            # The page's own name, under which a browser keeps its marks.
            {"id": run_hash(data), **data},
            {
                "version": __version__,
                "headers": self.headers,
                "run": runs[0] if len(runs) == 1 else runs and run_hash(runs),
                "labels": labels,
                "verdicts": verdicts,
                "table": verdict_table,
                "measures": measures,
                "signals": sorted({case["signal"] for case in self.cases}),
            },
        )


def write_report(
    path: Path, treated: Iterable[Treated], reference: Reference | None = None
) -> dict[str, Verdict]:
    """Judge treated stacks, one held at a time, write the report, return verdicts by method.

    Parameters
    ----------
    path : Path
        The page to write.
    treated : iterable of Treated
        One at least; stacks of one method are judged together.
    reference : Reference, optional
        Real nodules to compare with; None: those that are shipped.

    Raises
    ------
    OutputError
        Where the report cannot be written.
    """
    report = Report()
    measured: dict[str, list[Measured]] = {}
    for one in treated:
        found = judge.measure(one.pair)
        measured.setdefault(one.method, []).append(found)
        report.add(one, found.rows)
    verdicts = {method: judge.verdict_on(found, reference) for method, found in measured.items()}
    report.write(path, verdicts)
    return verdicts


def _measures(real: Comparison) -> dict[str, dict[str, Any]]:
    """Each measure in ``JUDGED`` as the page shows it: its fields, title and real range."""
    shown: dict[str, dict[str, Any]] = {
        name: {**asdict(measure), "title": title_of(name), "reference": None}
        for name, measure in JUDGED.items()
    }
    for name, levels in real.real.items():
        low, middle, high = levels.values()
        n = real.rests_on[name]
        shown[name]["reference"] = {"low": low, "middle": middle, "high": high, "n": n}
    return shown


def _thumb(slice_: np.ndarray, box: Box) -> str:
    """A box and its surround as a small picture, a ``data:`` address."""
    grey = Image.fromarray(eight_bit(slice_[around(box, slice_.shape, THUMB_AROUND)]))
    return data_uri(grey.resize((THUMB_PX, THUMB_PX), Image.Resampling.LANCZOS), THUMB_QUALITY)


def nodule_outline(before: np.ndarray, after: np.ndarray, box: Box) -> list[Polygon]:
    """Outlines of the region that a nodule has changed in a slice (row, column)."""
    window = around(box, before.shape, OUTLINE_AROUND)
    region, _ = region_of(after[window].astype(np.float64) - before[window])
    return outlines(region, (window[1].start, window[0].start))


def outlines(mask: np.ndarray, origin: tuple[int, int] = (0, 0)) -> list[Polygon]:
    """Outlines of the parts of a mask (row, column) that lies at ``origin`` (x, y), px."""
    # A pixel's value stands at its middle, half a pixel on; the pad closes what touches the rim.
    lines = find_contours(np.pad(mask.astype(np.float32), 1), 0.5)
    shift = np.array(origin) - 0.5
    return [np.round(line[:-1, ::-1] + shift, 1).tolist() for line in lines]
