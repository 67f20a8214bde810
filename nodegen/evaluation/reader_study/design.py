"""The draw of a study: which real nodules, which synthetic ones beside them, in which order.

Everything random is drawn here from the seed. A synthetic nodule takes the size of a real one and
its place in the lungs, in another film of the same group with a like ground there, and is chosen
among several for being as subtle, so that neither size, place nor subtlety tells the two apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nodegen.evaluation.reader_study.backgrounds import Grounds
from nodegen.evaluation.reader_study.marking_cases import draw_films
from nodegen.evaluation.reader_study.place_cases import draw_places
from nodegen.evaluation.reader_study.plan import StudyCase, StudyPlan
from nodegen.evaluation.reader_study.radiographs import Film
from nodegen.renderer import Renderer


def plan_study(
    plan: StudyPlan, real: Sequence[Film], untouched: Sequence[Film], made: Sequence[Film],
    renderers: Mapping[str, Renderer], grounds: Grounds | None = None,
) -> list[StudyCase]:  # fmt: skip
    """Draw a study's cases, practice first.

    Parameters
    ----------
    real : list of Film
        With the boxes of their nodules.
    untouched : list of Film
        Without nodules.
    made : list of Film
        With synthetic nodules, of each group as many as can be; where there are none,
        ``renderers`` draw them.
    renderers : dict of Renderer
        By the name of its method; of several, each draws as many nodules as the others.
    grounds : Grounds, optional
        Where the lungs lie; None: as the shipped network finds them.

    Raises
    ------
    SettingError
        Where there are fewer nodules or films than asked for.
    """
    rng = np.random.default_rng(plan.seed)
    grounds = grounds or Grounds()
    draw = draw_films if plan.kind == "marking" else draw_places
    cases = draw(plan, real, untouched, made, renderers, grounds, rng)
    return practice_first(cases, plan.practice, rng)


def practice_first(
    cases: Sequence[StudyCase], count: int, rng: np.random.Generator
) -> list[StudyCase]:
    """Cases in an order by lot, the first ``count`` of them practice, which has all kinds too.

    Practice and what is left hold the kinds of case (real, synthetic, untouched; the real one left
    or right) in like shares, so that practice teaches no wrong odds and takes none from the rest.
    """
    kinds: dict[str, list[StudyCase]] = defaultdict(list)
    for i in rng.permutation(len(cases)):
        kinds[cases[i].sort].append(cases[i])
    shares = {name: count * len(here) / len(cases) for name, here in sorted(kinds.items())}
    quota = {name: int(share) for name, share in shares.items()}
    by_rest = sorted(shares, key=lambda name: int(shares[name]) - shares[name])
    for name in by_rest[: count - sum(quota.values())]:
        quota[name] += 1
    first = [replace(case, practice=True) for n, here in kinds.items() for case in here[: quota[n]]]
    rest = [case for name, here in kinds.items() for case in here[quota[name] :]]
    return [part[i] for part in (first, rest) for i in rng.permutation(len(part))]
