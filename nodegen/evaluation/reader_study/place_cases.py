"""The cases of a choice or a rating study: single places, or pairs of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from nodegen.errors import SettingError
from nodegen.evaluation.reader_study.backgrounds import Grounds, nearest, site, twin_of
from nodegen.evaluation.reader_study.plan import StudyCase, StudyPlan, nodules_of, turns
from nodegen.evaluation.reader_study.radiographs import Film, Place
from nodegen.progress import track
from nodegen.renderer import Renderer

UNTOUCHED_SHARE = 1 / 5  # of a rating study's cases: places without a nodule


def draw_places(
    plan: StudyPlan, real: Sequence[Film], untouched: Sequence[Film], made: Sequence[Film],
    renderers: Mapping[str, Renderer], grounds: Grounds, rng: np.random.Generator,
) -> list[StudyCase]:  # fmt: skip
    """Draw real places, a synthetic one beside each, and for ratings untouched ones.

    Parameters and faults as :func:`nodegen.evaluation.reader_study.plan_study`.
    """
    total = plan.cases + plan.practice
    empty = round(total * UNTOUCHED_SHARE) if plan.kind == "rating" else 0
    pairs = total if plan.kind == "choice" else (total - empty + 1) // 2
    nodules = nodules_of(plan, real)
    if len(nodules) < pairs + empty:
        raise SettingError(
            f"{pairs + empty} real nodules of {plan.sides[0]} to {plan.sides[1]} px are wanted and "
            f"there are {len(nodules)}; ask for fewer cases, or give more nodules."
        )
    strata = stratify(nodules)
    names = [words.pop("stratum") for words in strata]
    chosen = balanced(names, nodules, pairs + empty, rng)
    hosts = [*real, *untouched]
    used = Counter(nodules[i].film.name for i in chosen[:pairs])
    pool: dict[str, list[Place]] = defaultdict(list)
    for film in made:
        pool[film.group] += [
            Place("synthetic", film, box, film.pixels, method=film.group) for box in film.boxes
        ]
    # Methods take turns within each stratum, so that none gets the easier places.
    todo = sorted(chosen[:pairs], key=lambda i: names[i])
    methods = turns(sorted(pool) if made else list(renderers), pairs, rng)
    left = turns([False, True], pairs, rng)
    cases, shown = [], 0
    for index, method, first in track(
        list(zip(todo, methods, left, strict=True)), pairs, "nodules", "nodule"
    ):
        nodule, words = nodules[index], strata[index]
        if made:
            twin = nearest(nodule, pool[method] or [p for rest in pool.values() for p in rest])
            pool[twin.method].remove(twin)
        else:
            twin = twin_of(
                nodule, hosts, used, plan.candidates, method, renderers[method], grounds, rng
            )
            used[twin.film.name] += 1
        if plan.kind == "choice":
            both = (nodule, twin) if first else (twin, nodule)
            cases.append(StudyCase(both, strata={**words, "method": twin.method}))
            continue
        for place in (nodule, twin)[: total - empty - shown]:
            cases.append(StudyCase((place,), strata={**words, "method": place.method}))
            shown += 1
    for index in chosen[pairs:]:
        film, box = site(nodules[index], hosts, used, grounds, rng)
        used[film.name] += 1
        cases.append(StudyCase((Place("untouched", film, box, film.pixels),), strata=strata[index]))
    return cases


def stratify(places: Sequence[Place]) -> list[dict[str, str]]:
    """Size, subtlety (thirds of those given) and zone of each place; group and trust of its box.

    A synthetic nodule is told of with the words of the real one that it stands beside. ``stratum``
    is the first three in one.
    """
    sizes = np.array([place.size for place in places], dtype=float)
    subtle = np.array([place.subtlety for place in places])
    found = []
    for place, size, seen in zip(
        places,
        _thirds(sizes, ("small", "medium", "large")),
        _thirds(subtle, ("subtle", "middling", "obvious")),
        strict=True,
    ):
        words = {"size": size, "subtlety": seen, "zone": place.zone}
        stratum = "/".join(words.values())
        found.append({**words, "group": place.film.group, "trust": place.trust, "stratum": stratum})
    return found


def _thirds(values: np.ndarray, names: tuple[str, str, str]) -> list[str]:
    cuts = np.quantile(values, (1 / 3, 2 / 3)) if len(values) else ()
    return [names[int(np.searchsorted(cuts, value, side="right"))] for value in values]


def balanced(
    strata: Sequence[str], places: Sequence[Place], count: int, rng: np.random.Generator
) -> list[int]:
    """Indices of ``count`` places, as evenly from all strata, and then all films, as can be."""
    waiting: dict[str, list[int]] = defaultdict(list)
    for index in rng.permutation(len(places)):
        waiting[strata[index]].append(int(index))
    used: Counter[str] = Counter()
    chosen: list[int] = []
    while len(chosen) < count:
        for name in rng.permutation(sorted(waiting)):
            here = waiting[name]
            if here and len(chosen) < count:
                index = min(here, key=lambda i: used[places[i].film.name])
                here.remove(index)
                used[places[index].film.name] += 1
                chosen.append(index)
    # Each part of the list holds all strata: the first are paired, the last stay empty.
    return [chosen[i] for i in rng.permutation(count)]
