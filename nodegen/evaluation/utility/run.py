"""``nodegen utility`` from Python: read, split, place, train, test, write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.errors import UtilityError
from nodegen.evaluation.utility import cases, places
from nodegen.evaluation.utility.arms import Arm, parse_arms
from nodegen.evaluation.utility.bootstrap import patient_weights
from nodegen.evaluation.utility.cases import Radiograph
from nodegen.evaluation.utility.depths import Depth, PatchDepth, WholeDepth
from nodegen.evaluation.utility.detector import DetectorTraining
from nodegen.evaluation.utility.fasterrcnn import FasterRCNNTraining
from nodegen.evaluation.utility.made import Maker
from nodegen.evaluation.utility.measures import MEASURES, Scores, Test, patients
from nodegen.evaluation.utility.options import PRIMARY, Options
from nodegen.evaluation.utility.patches import PatchTraining
from nodegen.evaluation.utility.protocol import Protocol, jobs
from nodegen.evaluation.utility.results import Results, summarise
from nodegen.evaluation.utility.store import Store, content_hash
from nodegen.evaluation.utility.subgroups import kinds
from nodegen.io.box_tables import read_box_table
from nodegen.progress import track
from nodegen.settings import choose_device

BACKGROUND_SHARE = 0.75  # of the radiographs without a nodule, where no backgrounds are given


def split(
    real: Sequence[Radiograph], backgrounds: Sequence[Radiograph] | None, seed: int
) -> tuple[list[Radiograph], list[Radiograph]]:
    """Part radiographs into backgrounds and test, no patient on both sides.

    Parameters
    ----------
    backgrounds : list of Radiograph or None
        None: three quarters of the patients of ``real`` that have no nodule.

    Raises
    ------
    UtilityError
        Where a patient, or a radiograph, is on both sides; or one side, or a class of the test,
        is empty.
    """
    test = list(real)
    if backgrounds is None:
        sick = {one.patient for one in real if one.nodules or one.ignored}
        healthy = [name for name in patients(real) if name not in sick]
        order = sorted(healthy, key=lambda name: content_hash("split", name, seed))
        taken = set(order[: round(BACKGROUND_SHARE * len(order))])
        backgrounds = [one for one in real if one.patient in taken]
        test = [one for one in real if one.patient not in taken]
    if not backgrounds:
        raise UtilityError(
            "There are no radiographs to draw nodules into; give a folder of backgrounds, or real "
            "radiographs without a nodule."
        )
    cases.check_leaks(backgrounds, test)
    return list(backgrounds), test


def read_cases(
    real: Path, boxes: Path, backgrounds: Sequence[Path], options: Options, place_boxes: Path | None
) -> tuple[list[Radiograph], list[Radiograph]]:
    """Read all radiographs, split them, and draw the places: backgrounds and test.

    Raises
    ------
    NodegenError
        Where something cannot be read, or does not do; see the modules of the steps.
    """
    table = read_box_table(boxes)
    known = cases.with_boxes(cases.read_folder(real), table, options.sizes_px)
    grounds = [one for folder in backgrounds for one in cases.read_folder(folder)]
    training, test = split(known, grounds if backgrounds else None, options.seed)
    source = places.boxes_of(
        read_box_table(place_boxes) if place_boxes else table, options.sizes_px
    )
    return (
        places.place_all(training, source, options.nodules, options.without, options.seed),
        places.place_all(test, source, 0, options.without, options.seed),
    )


def utility(
    real: Path,
    boxes: Path,
    backgrounds: Sequence[Path],
    output: Path,
    options: Options | None = None,
    *,
    place_boxes: Path | None = None,
    progress: bool = True,
) -> Results:
    """Measure what a detector learns from each arm, and write tables, plots and a page.

    Parameters
    ----------
    real : Path
        Folder of real radiographs, with nodules and without.
    boxes : Path
        Their boxes; see :func:`nodegen.io.box_tables.read_box_table`.
    backgrounds : list of Path
        Folders of radiographs without nodules; none: a part of those in ``real``.
    output : Path
        Gets the results, and ``store/``, in which a later run finds what it needs not make anew.
    place_boxes : Path, optional
        Boxes from which places are drawn; None: ``boxes``.

    Raises
    ------
    NodegenError
        One of its classes, for each kind of fault.
    """
    options = options or Options()
    arms = parse_arms(options.arms)
    missing = {*options.primary} - {arm.name for arm in arms}
    if missing and options.primary != PRIMARY:
        raise UtilityError(
            f"The comparison named beforehand is {' minus '.join(options.primary)}, but "
            f"{' and '.join(sorted(missing))} is no arm of this run; name arms of "
            f"{', '.join(arm.name for arm in arms)}."
        )
    depth = make_depth(options)
    training, test = read_cases(real, boxes, backgrounds, options, place_boxes)
    store = Store(output / "store")
    maker = Maker(store, replace(options.settings, intensity="input"), options.seed)
    protocol = Protocol(depth, maker, store, training, test, options.folds, options.on_the_fly)
    weights = patient_weights(len(patients(test)))
    scores = run_jobs(protocol, arms, options, progress)
    tested = Test(test, kinds(test), weights)
    results = summarise(tested, scores, MEASURES[options.depth], options.primary)
    from nodegen.evaluation.utility.page import write_results

    write_results(output, results, tested, scores, options.depth)
    return results


def run_jobs(
    protocol: Protocol, arms: Sequence[Arm], options: Options, progress: bool
) -> dict[str, list[Scores]]:
    """All arms' scores, seed by seed, of every radiograph of the test."""
    todo = jobs(arms, options.seeds, options.folds)
    count = len(protocol.radiographs)
    scores: dict[str, list[list[Any]]] = {
        arm.name: [[np.zeros(0)] * count for _ in range(options.seeds)] for arm in arms
    }
    for job, tested, found in track(
        protocol.outcomes(todo), len(todo), options.depth, "network", show=progress
    ):
        for number, values in zip(tested, found, strict=True):
            scores[job.arm.name][job.seed][number] = values
    return {name: list(of_seeds) for name, of_seeds in scores.items()}


def make_depth(options: Options) -> Depth:
    """The depth that the options ask for."""
    steps = options.steps
    device = str(choose_device(options.settings.device))
    if options.depth == "patches":
        training = PatchTraining(steps=steps) if steps else PatchTraining()
        return PatchDepth(training, device)
    if options.depth == "detector":
        whole = DetectorTraining(steps=steps) if steps else DetectorTraining()
        return WholeDepth("detector", whole, device)
    epochs = FasterRCNNTraining(epochs=steps) if steps else FasterRCNNTraining()
    return WholeDepth("fasterrcnn", epochs, device)
