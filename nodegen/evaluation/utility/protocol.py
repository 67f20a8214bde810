"""The protocol: each arm's networks are trained, and all are tested on the same real radiographs.

An arm of synthetic nodules trains one network for each seed. An arm that trains on real nodules is
cross-validated: each fold of patients is tested by a network that has seen none of them.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import torch

from nodegen.evaluation.boxed_images import read_synthetic
from nodegen.evaluation.utility.arms import Arm, Shown
from nodegen.evaluation.utility.cache import Arrays, content_hash, once
from nodegen.evaluation.utility.cases import BoxedRadiograph, check_leaks
from nodegen.evaluation.utility.scoring import Scores
from nodegen.evaluation.utility.trained_detector import Detector, ScaledRadiograph, State, scaled
from nodegen.evaluation.utility.training_images import TrainingImages


@dataclass(frozen=True)
class NetworkJob:
    """One network: an arm, a seed, and the fold that it is tested on; None: all radiographs."""

    arm: Arm
    seed: int
    fold: int | None


def jobs(arms: Sequence[Arm], seeds: int, folds: int) -> list[NetworkJob]:
    """All networks that are to be trained, seed by seed, so that early results show all arms."""
    return [
        NetworkJob(arm, seed, fold)
        for seed in range(seeds)
        for arm in arms
        for fold in (range(folds) if arm.real else [None])
    ]


def folds_of(test: Sequence[BoxedRadiograph], folds: int) -> np.ndarray:
    """The fold of each radiograph, by patient; nodules are spread evenly.

    Patients come by their number of nodules, the most first, and go to the fold with the fewest.
    """
    nodules = Counter[str]()
    for one in test:
        nodules[one.patient] += len(one.nodules)
    fold_of: dict[str, int] = {}
    load = [(0, 0)] * folds  # nodules, patients
    for patient in sorted(nodules, key=lambda p: (-nodules[p], content_hash(p))):
        fold = load.index(min(load))
        fold_of[patient] = fold
        load[fold] = (load[fold][0] + nodules[patient], load[fold][1] + 1)
    return np.array([fold_of[one.patient] for one in test])


Network = tuple[Callable[[], State], str]  # gives its weights when it is called; its key
Outcome = tuple[list[int], Scores]  # the radiographs that are tested, and their boxes with scores


@dataclass
class Trial:
    """Trains and tests networks of one detector, and keeps all that they are made of."""

    detector: Detector
    maker: TrainingImages
    backgrounds: list[BoxedRadiograph]  # of other patients than the test's
    test: list[BoxedRadiograph]
    folds: int  # of the cross-validation of arms that train on real nodules
    _made: dict[str, list[ScaledRadiograph]] = field(default_factory=dict, init=False)

    @cached_property
    def fold(self) -> np.ndarray:
        """The fold of each real radiograph."""
        return folds_of(self.test, self.folds)

    @cached_property
    def real(self) -> list[ScaledRadiograph]:
        """The real radiographs at the networks' size."""
        return [scaled(one.load(), one.nodules) for one in self.test]

    def learned_from(self, arm: Arm) -> dict[str, int]:
        """Radiographs and nodules that an arm's network learns from; of real ones, folds' mean."""
        made, part = self._synthetic(arm), arm.real * (1 - 1 / len(set(self.fold)))
        return {
            "synthetic radiographs": len(made),
            "synthetic nodules": sum(len(one.boxes) for one in made),
            "real radiographs": round(part * len(self.test)),
            "real nodules": round(part * sum(len(one.nodules) for one in self.test)),
        }

    def outcome(self, job: NetworkJob) -> Outcome:
        """Train and test one network."""
        tested = [i for i, fold in enumerate(self.fold) if job.fold in (None, fold)]
        images = [self.real[i] for i in tested]
        state, key = self._network(job)

        def scores() -> Arrays:
            return {f"{i}": found for i, found in enumerate(self.detector.detect(state(), images))}

        kept = once(self.maker.store, "scores", [key, _content_of(images)], scores)
        return tested, [kept[f"{i}"] for i in range(len(tested))]

    def _network(self, job: NetworkJob) -> Network:
        """The network of a job, which is trained when it is asked for."""
        arm, seed = job.arm, job.seed
        made, real = self._synthetic(arm), self._others(job) if arm.real else []
        if arm.then:
            start = self._trained(made, seed, arm.shown)
            return self._trained(real, seed, arm.shown, start)
        if arm.ratio is not None:  # a radiograph keeps all its nodules
            order = np.random.default_rng(seed).permutation(len(made))
            made = [made[i] for i in order[: round(arm.ratio * len(real))]]
        return self._trained([*made, *real], seed, arm.shown)

    def _trained(
        self,
        images: Sequence[ScaledRadiograph],
        seed: int,
        shown: Shown,
        start: Network | None = None,
    ) -> Network:
        how = self.detector.name, self.detector.steps, self.detector.batch, torch.__version__
        key = content_hash(_content_of(images), seed, *how, shown, start[1] if start else None)

        def train() -> Arrays:
            begin = start[0]() if start else None
            learned = self.detector.train(images, seed, shown, begin)
            return {name: value.numpy() for name, value in learned.items()}

        def state() -> State:
            kept = once(self.maker.store, "trained", [key], train)
            return {name: torch.from_numpy(np.asarray(value)) for name, value in kept.items()}

        return state, key

    def _synthetic(self, arm: Arm) -> list[ScaledRadiograph]:
        """Radiographs with the arm's synthetic nodules; the last that were asked for are held."""
        if arm.made is None:
            return []
        if arm.made not in self._made:
            self._made.clear()
            if arm.folder:
                made = list(read_synthetic(arm.folder))
                sources = [
                    BoxedRadiograph(one.name, one.patient, partial(np.asarray, one.pixels))
                    for one in made
                ]
                check_leaks(sources, self.test)
                self._made[arm.made] = [scaled(one.pixels, one.boxes) for one in made]
            else:
                self._made[arm.made] = [self.maker.image(arm, one) for one in self.backgrounds]
        return self._made[arm.made]

    def _others(self, job: NetworkJob) -> list[ScaledRadiograph]:
        """The real radiographs of the other folds, or the part of them that the arm takes."""
        others = np.flatnonzero(self.fold != job.fold)
        names = sorted({self.test[i].patient for i in others})
        order = np.random.default_rng((job.seed, 1)).permutation(len(names))
        taken = {names[i] for i in order[: max(round(job.arm.real * len(names)), 1)]}
        return [self.real[i] for i in others if self.test[i].patient in taken]


def _content_of(images: Sequence[ScaledRadiograph]) -> str:
    return content_hash(
        *(part for one in images for part in (one.image, one.boxes, one.change, one.visibility))
    )
