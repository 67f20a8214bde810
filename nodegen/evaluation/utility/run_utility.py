"""``nodegen utility`` from Python: read, split, place, train, test, write."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nodegen.errors import UtilityError
from nodegen.evaluation.utility.arms import Arm, parse_arms
from nodegen.evaluation.utility.cases import BoxedRadiograph, read_cases, split
from nodegen.evaluation.utility.fasterrcnn import FASTER_RCNN
from nodegen.evaluation.utility.places import boxes_of, place_all
from nodegen.evaluation.utility.protocol import NetworkJob, Outcome, Trial, jobs
from nodegen.evaluation.utility.results import UtilityResults, summarise, write_results
from nodegen.evaluation.utility.scoring import Scores, TestSet
from nodegen.evaluation.utility.segresnet import SEGRESNET
from nodegen.evaluation.utility.training_images import TrainingImages
from nodegen.evaluation.utility.utility_options import PRIMARY, Options
from nodegen.io.read_box_table import read_box_table
from nodegen.io.store import check_apart
from nodegen.processes import Processes
from nodegen.settings import choose_device
from nodegen.workers import side_by_side, track, workers_for


def utility(
    real: Sequence[Path],
    boxes: Sequence[Path],
    backgrounds: Sequence[Path],
    output: Path,
    options: Options | None = None,
    *,
    place_boxes: Path | None = None,
) -> UtilityResults:
    """Measure what a detector learns from each arm, and write tables and curves.

    Parameters
    ----------
    real : sequence of Path
        Folders of real radiographs, with nodules and without.
    boxes : sequence of Path
        Tables of their boxes; see :func:`nodegen.io.read_box_table.read_box_table`.
    backgrounds : sequence of Path
        Folders of radiographs without nodules; none: a part of those in ``real``.
    output : Path
        Gets the results, and ``store/``, in which a later run finds what is unchanged.
    options : Options, optional
        None: the defaults.
    place_boxes : Path, optional
        Boxes from which places are drawn; None: ``boxes``.

    Raises
    ------
    UtilityError, SettingError
        Where an arm or the comparison is unknown, the detector cannot be loaded, a patient is on
        both sides, or the output lies among the radiographs.
    StackError, BoxesError
        Where no radiograph, table or nodule can be used.
    """
    options = options or Options()
    check_apart([*real, *backgrounds], output)
    arms = parse_arms(options.arms)
    names = [arm.name for arm in arms]
    missing = {*options.primary} - {*names}
    if missing and options.primary != PRIMARY:
        raise UtilityError(
            f"The comparison named beforehand is {' minus '.join(options.primary)}, but "
            f"{' and '.join(sorted(missing))} is no arm of this run; name arms of "
            f"{', '.join(names)}."
        )
    first, reference = (name if name in names else names[0] for name in options.primary)
    store, device = output / "store", str(choose_device(options.settings.device))
    kind = SEGRESNET if options.model == SEGRESNET.name else FASTER_RCNN
    kind.network()  # what it lacks is said now
    detector = replace(kind, device=device, steps=options.steps or kind.steps)
    training, test = _read_sides(real, boxes, backgrounds, options, place_boxes, store)
    maker = TrainingImages(store, options.settings, options.seed)
    trial = Trial(detector, maker, training, test, options.folds)
    scores = _run_jobs(trial, arms, options)
    halved = None
    if options.check_steps:
        fewer = replace(detector, steps=max(detector.steps // 2, 1))
        half, arm = replace(trial, detector=fewer), arms[names.index(first)]
        halved = _run_jobs(half, [arm], options)[first]
    tested = TestSet(test)
    learned_from = {arm.name: trial.learned_from(arm) for arm in arms}
    compared = first, reference
    results = summarise(tested, scores, options.primary, compared, learned_from, halved)
    write_results(output, results, tested, scores, options.model)
    return results


def _read_sides(
    real: Sequence[Path],
    boxes: Sequence[Path],
    backgrounds: Sequence[Path],
    options: Options,
    place_boxes: Path | None,
    store: Path,
) -> tuple[list[BoxedRadiograph], list[BoxedRadiograph]]:
    """Backgrounds with the places of nodules, and test; ``store`` keeps what is standardised."""
    tables = [read_box_table(path) for path in boxes]
    kept = store if options.standardise else None
    known = read_cases(real, kept, tables, options.sizes_px, options.ignored_sources)
    grounds = read_cases(backgrounds, kept) if backgrounds else None
    training, test = split(known, grounds, options.seed)
    source = boxes_of([read_box_table(place_boxes)] if place_boxes else tables, options.sizes_px)
    return place_all(training, source, options.nodules, options.seed), test


def _run_jobs(trial: Trial, arms: Sequence[Arm], options: Options) -> dict[str, list[Scores]]:
    """All arms' scores, seed by seed, of every radiograph of the test."""
    todo = jobs(arms, options.seeds, options.folds)
    count = len(trial.test)
    scores: dict[str, list[list[Any]]] = {
        arm.name: [[np.zeros(0)] * count for _ in range(options.seeds)] for arm in arms
    }
    several = trial.detector.device == "cpu" and sys.platform == "linux"
    workers = workers_for(options.processes, len(todo)) if several else 1
    outcomes = track(_outcomes(trial, todo, workers), len(todo), options.model, "network")
    for job, (tested, found) in zip(todo, outcomes, strict=True):
        for number, values in zip(tested, found, strict=True):
            scores[job.arm.name][job.seed][number] = values
    return {name: list(of_seeds) for name, of_seeds in scores.items()}


def _outcomes(trial: Trial, todo: Sequence[NetworkJob], workers: int) -> Iterator[Outcome]:
    """In the jobs' order, on a CPU from several processes of one thread each."""
    if workers == 1:
        yield from map(trial.outcome, todo)
        return
    processes = Processes(workers, partial(getattr, trial, "outcome"))
    yield from side_by_side(lambda job: processes.run((job,)), todo, workers)
