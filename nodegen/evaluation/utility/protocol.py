"""The protocol: each arm's networks are trained, and all are tested on the same real radiographs.

An arm of synthetic nodules trains one network for each seed, which is tested on every real
radiograph. An arm that trains on real nodules is cross-validated: the real patients are parted into
folds, and each fold is tested by a network that has seen none of its patients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from nodegen.evaluation.utility.arms import UNTOUCHED, Arm
from nodegen.evaluation.utility.cases import Radiograph
from nodegen.evaluation.utility.depths import Depth, Fly, State
from nodegen.evaluation.utility.made import Maker
from nodegen.evaluation.utility.measures import Scores, patients
from nodegen.evaluation.utility.store import Store, content_hash


@dataclass(frozen=True)
class Job:
    """One network: an arm, a seed, and the fold that it is tested on; None: all radiographs."""

    arm: Arm
    seed: int
    fold: int | None


def jobs(arms: Sequence[Arm], seeds: int, folds: int) -> list[Job]:
    """All networks that are to be trained, seed by seed, so that early results show all arms."""
    return [
        Job(arm, seed, fold)
        for seed in range(seeds)
        for arm in arms
        for fold in (range(folds) if arm.real else [None])
    ]


def folds_of(test: Sequence[Radiograph], folds: int) -> np.ndarray:
    """The fold of each radiograph, by patient; nodules are spread evenly.

    Patients come by their number of nodules, the most first, and go to the fold with the fewest.
    """
    nodules = dict.fromkeys(patients(test), 0)
    for one in test:
        nodules[one.patient] += len(one.nodules)
    fold_of: dict[str, int] = {}
    load = [(0, 0)] * folds  # nodules, patients
    for patient in sorted(nodules, key=lambda p: (-nodules[p], content_hash(p))):
        fold = load.index(min(load))
        fold_of[patient] = fold
        load[fold] = (load[fold][0] + nodules[patient], load[fold][1] + 1)
    return np.array([fold_of[one.patient] for one in test])


class Protocol:
    """Trains and tests networks, and keeps all that they are made of.

    Parameters
    ----------
    backgrounds, test : list of Radiograph
        With their places; of different patients.
    folds : int
        Of the cross-validation of arms that train on real nodules.
    on_the_fly : bool
        Whether nodules are drawn anew in every round; for depths of whole radiographs, and arms of
        synthetic nodules alone.
    """

    def __init__(
        self,
        depth: Depth,
        maker: Maker,
        store: Store,
        backgrounds: Sequence[Radiograph],
        test: Sequence[Radiograph],
        folds: int,
        on_the_fly: bool = False,
    ):
        self.depth, self.maker, self.store = depth, maker, store
        self.backgrounds, self.radiographs = list(backgrounds), list(test)
        self.fold = folds_of(self.radiographs, folds)
        self.on_the_fly = on_the_fly
        self._prepared: dict[str, tuple[Any, str]] = {}
        self._identities: dict[str, str] = {}

    def outcomes(self, todo: Sequence[Job]) -> Iterator[tuple[Job, list[int], Scores]]:
        """Do the jobs: each one's radiographs of the test by number, and the scores on them."""
        for job in todo:
            tested = [
                number
                for number in range(len(self.radiographs))
                if job.fold is None or self.fold[number] == job.fold
            ]
            yield job, tested, self.scores(job, tested)

    def scores(self, job: Job, tested: Sequence[int]) -> Scores:
        """The scores of a job's network on the radiographs with the numbers ``tested``."""
        state, key = self.network(job)
        radiographs = [self.radiographs[number] for number in tested]
        parts = [key, *(self._identity_of(one) for one in radiographs)]
        kept = self.store.once(
            "scores",
            parts,
            lambda: {f"{i}": s for i, s in enumerate(self.depth.test(state(), radiographs))},
        )
        return [kept[f"{i}"] for i in range(len(radiographs))]

    def network(self, job: Job) -> tuple[Any, str]:
        """A function that gives the job's trained network, and its key."""
        start = None
        made = self._made(job.arm, job.seed) if job.arm.made else None
        if job.arm.real:
            real = self._real(job)
            if made and job.arm.then:
                start = self._trained(*made, job.seed, None)
                data, content = real
            elif made:
                data = self.depth.mix(made[0], real[0], job.arm.ratio, job.seed)
                content = self.depth.content(data)
            else:
                data, content = real
        else:
            assert made is not None  # an arm has the one or the other
            data, content = made
            if job.arm.after:
                start = self._trained(*made, job.seed, None)
                data, content = self._made(replace(job.arm, made=job.arm.after), job.seed)
        return self._trained(data, content, job.seed, start)

    def _trained(
        self, data: Any, content: str, seed: int, start: tuple[Any, str] | None
    ) -> tuple[Any, str]:
        key = content_hash(content, seed, self.depth.identity(), start[1] if start else None)

        def state() -> State:
            kept = self.store.load("trained", key)
            if kept is None:
                begin = start[0]() if start else None
                learned = self.depth.learn(data, seed, begin, self.store, key)
                kept = {name: value.numpy() for name, value in learned.items()}
                self.store.save("trained", key, kept)
            return {name: torch.from_numpy(np.asarray(value)) for name, value in kept.items()}

        return state, key

    def _made(self, arm: Arm, seed: int) -> tuple[Any, str]:
        """What an arm's synthetic nodules are trained on; the last arm's is held."""
        fly = self.on_the_fly and not (arm.real or arm.folder or arm.made == UNTOUCHED)
        name = f"{arm.made} {fly} {seed if arm.made == UNTOUCHED else ''}"
        if name not in self._prepared:
            self._prepared.clear()
            data: Any
            if fly:
                data = Fly(self.maker, arm, self.backgrounds)
            else:
                data = self.depth.prepare(self.maker.examples(arm, self.backgrounds, seed))
            self._prepared[name] = data, self.depth.content(data)
        return self._prepared[name]

    def _real(self, job: Job) -> tuple[Any, str]:
        """The real radiographs of the other folds, or the part of them that the arm takes."""
        others = [one for one, fold in zip(self.radiographs, self.fold, strict=True)
                  if fold != job.fold]  # fmt: skip
        names = patients(others)
        order = np.random.default_rng((job.seed, 1)).permutation(len(names))
        count = max(round(job.arm.real * len(names)), 1)
        taken = {names[i] for i in order[:count]}
        data = self.depth.prepare([one for one in others if one.patient in taken])
        return data, self.depth.content(data)

    def _identity_of(self, one: Radiograph) -> str:
        if one.name not in self._identities:
            boxes = [str(one.nodules), str(one.places)]
            self._identities[one.name] = content_hash(one.load(), boxes)
        return self._identities[one.name]
