"""The draw of a study: which real nodules, which synthetic ones beside them, in which order.

All randomness is drawn here from the seed. A synthetic nodule takes the size of a real one and its
place in the lungs, in another radiograph of the same group with a similar surround. It is chosen
among several for its contrast-to-noise ratio, so that neither size, place nor contrast gives it
away.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from nodegen.errors import SettingError
from nodegen.evaluation.boxed_images import BoxedImage
from nodegen.evaluation.reader_study.backgrounds import Backgrounds, drawn_into, nearest
from nodegen.evaluation.reader_study.study_plan import Place, StudyCase, StudyPlan, nodules_of
from nodegen.renderer import Renderer
from nodegen.workers import track

BALANCED = ("size", "contrast to noise", "zone")  # nodules are drawn evenly from these strata
UNTOUCHED_SHARE = 1 / 5  # of a rating study's cases: places without a nodule
MARKING_SHARE = 1 / 3  # of a marking study's radiographs: real, synthetic, untouched
MOST_NODULES = 3  # synthetic ones in a radiograph that is marked
T = TypeVar("T")


@dataclass(frozen=True)
class Material:
    """What a study is drawn from."""

    real: Sequence[BoxedImage]  # with the boxes of their nodules
    untouched: Sequence[BoxedImage] = ()  # without nodules
    # With synthetic nodules, as many of each group as can be; without them, renderers draw some.
    made: Sequence[BoxedImage] = ()
    # By method; of several, each draws as many nodules as the others.
    renderers: Mapping[str, Renderer] = field(default_factory=dict)


def plan_study(plan: StudyPlan, material: Material) -> list[StudyCase]:
    """Draw a study's cases, practice first.

    Parameters
    ----------
    plan : StudyPlan
        What is drawn.
    material : Material
        What it is drawn from.

    Raises
    ------
    SettingError
        Where there are fewer nodules or radiographs than the plan asks for.
    """
    rng = np.random.default_rng(plan.seed)
    backgrounds = Backgrounds([*material.real, *material.untouched], rng)
    draw = _whole if plan.kind == "marking" else _places
    return practice_first(draw(plan, material, backgrounds, rng), plan.practice, rng)


def practice_first(
    cases: Sequence[StudyCase], count: int, rng: np.random.Generator
) -> list[StudyCase]:
    """Shuffle the cases; the first ``count`` are practice, with the kinds in the same shares."""
    every, seen, place = Counter(case.kind for case in cases), Counter[str](), {}
    for i in rng.permutation(len(cases)):
        kind = cases[i].kind
        place[i] = (seen[kind] + 0.5) / every[kind], kind  # Sainte-Laguë's apportionment
        seen[kind] += 1
    order = sorted(place, key=lambda i: place[i])
    first = [replace(cases[i], practice=True) for i in order[:count]]
    rest = [cases[i] for i in order[count:]]
    return [part[i] for part in (first, rest) for i in rng.permutation(len(part))]


def _turns(values: Sequence[T], count: int, rng: np.random.Generator) -> list[T]:
    """Each value as often as the others, in rounds by lot."""
    drawn: list[T] = []
    while len(drawn) < count:
        drawn += [values[i] for i in rng.permutation(len(values))]
    return drawn[:count]


def _places(
    plan: StudyPlan, material: Material, backgrounds: Backgrounds, rng: np.random.Generator
) -> list[StudyCase]:
    """Draw real places, a synthetic one beside each, and for ratings untouched ones."""
    total = plan.cases + plan.practice
    empty = round(total * UNTOUCHED_SHARE) if plan.kind == "rating" else 0
    pairs = total if plan.kind == "choice" else (total - empty + 1) // 2
    nodules = nodules_of(plan, material.real)
    if len(nodules) < pairs + empty:
        raise SettingError(
            f"{pairs + empty} real nodules of {plan.sides[0]} to {plan.sides[1]} px are wanted and "
            f"there are {len(nodules)}; ask for fewer cases, or give more nodules."
        )
    strata = stratify(nodules)
    names = ["/".join(words[key] for key in BALANCED) for words in strata]
    chosen = balanced(names, nodules, pairs + empty, rng)
    backgrounds.used.update(nodules[i].image.name for i in chosen[:pairs])
    pool: dict[str, list[Place]] = defaultdict(list)
    for image in material.made:
        pool[image.group] += [
            Place("synthetic", image, box, method=image.group) for box in image.boxes
        ]
    # Methods take turns within each stratum, so that none gets the easier places.
    todo = sorted(chosen[:pairs], key=lambda i: names[i])
    methods = _turns(sorted(pool) if pool else list(material.renderers), pairs, rng)
    left = _turns([False, True], pairs, rng)
    cases: list[StudyCase] = []
    for index, method, first in track(
        list(zip(todo, methods, left, strict=True)), pairs, "nodules", "nodule"
    ):
        nodule, words = nodules[index], strata[index]
        if pool:
            matched = nearest(nodule, pool[method] or [p for rest in pool.values() for p in rest])
            pool[matched.method].remove(matched)
        else:
            renderer = material.renderers[method]
            matched = backgrounds.matched(nodule, method, renderer, plan.candidates)
        both = (nodule, matched) if first else (matched, nodule)
        alone = [(nodule,), (matched,)][: total - empty - len(cases)]
        for places in [both] if plan.kind == "choice" else alone:
            kinds = "/".join(place.kind for place in places)
            method = "".join(place.method for place in places)  # a real one has none
            cases.append(StudyCase(places, kinds, strata={**words, "method": method}))
    for index in chosen[pairs:]:
        place = backgrounds.site(nodules[index])
        cases.append(StudyCase((place,), place.kind, strata=strata[index]))
    return cases


def stratify(places: Sequence[Place]) -> list[dict[str, str]]:
    """Thirds of size and of contrast to noise, zone, group and source of each place."""
    sizes = _thirds([place.size for place in places], ("small", "medium", "large"))
    contrasts = _thirds([place.contrast_to_noise for place in places], ("low", "medium", "high"))
    return [
        dict(zip(BALANCED, (size, contrast, place.zone), strict=True))
        | {"group": place.image.group, "source": place.source}
        for place, size, contrast in zip(places, sizes, contrasts, strict=True)
    ]


def _thirds(values: Sequence[float], names: tuple[str, str, str]) -> list[str]:
    cuts = np.quantile(values, (1 / 3, 2 / 3)) if values else ()
    return [names[int(np.searchsorted(cuts, value, side="right"))] for value in values]


def balanced(
    strata: Sequence[str], places: Sequence[Place], count: int, rng: np.random.Generator
) -> list[int]:
    """Indices of ``count`` places, drawn evenly from the strata, and then from the radiographs."""
    waiting: dict[str, list[int]] = defaultdict(list)
    for index in rng.permutation(len(places)):
        waiting[strata[index]].append(int(index))
    used: Counter[str] = Counter()
    chosen: list[int] = []
    while len(chosen) < count:
        for name in rng.permutation(sorted(waiting)):
            here = waiting[name]
            if here and len(chosen) < count:
                index = min(here, key=lambda i: used[places[i].image.name])
                here.remove(index)
                used[places[index].image.name] += 1
                chosen.append(index)
    # Each part of the list holds all strata: the first are paired, the last stay empty.
    return [chosen[i] for i in rng.permutation(count)]


def _whole(
    plan: StudyPlan, material: Material, backgrounds: Backgrounds, rng: np.random.Generator
) -> list[StudyCase]:
    """Draw whole radiographs: with real nodules, with synthetic ones, and untouched."""
    total = plan.cases + plan.practice
    each = max(1, round(total * MARKING_SHARE))
    empty, made = total - 2 * each, material.made
    real = [image for image in material.real if image.boxes]
    for images, wanted, name in (
        (real, each, "radiographs with real nodules"),
        (material.untouched, empty + (0 if made else each), "untouched radiographs"),
        (made or real, each, "radiographs with synthetic nodules"),
    ):
        if len(images) < wanted:
            raise SettingError(
                f"{wanted} {name} are wanted and there are {len(images)}; ask for fewer cases, or "
                "give more radiographs."
            )
    shown = [real[i] for i in rng.permutation(len(real))[:each]]
    blank = [material.untouched[i] for i in rng.permutation(len(material.untouched))]
    cases = [_case("real", image) for image in shown]
    cases += [_case("untouched", image) for image in blank[:empty]]
    if made:
        chosen = [made[i] for i in rng.permutation(len(made))[:each]]
        return cases + [_case("synthetic", image, image.group) for image in chosen]
    nodules = nodules_of(plan, real)
    methods = _turns(list(material.renderers), each, rng)
    for background, model, method in zip(blank[empty : empty + each], shown, methods, strict=True):
        count = min(len(model.boxes), MOST_NODULES)
        boxes = backgrounds.boxes_in(background, nodules, count)
        seed = int(rng.integers(2**31))
        drawn = drawn_into(background, boxes, seed, method, material.renderers[method])
        cases.append(_case("synthetic", replace(drawn[0].image, boxes=tuple(boxes)), method))
    return cases


def _case(kind: str, image: BoxedImage, method: str = "") -> StudyCase:
    places = tuple(Place(kind, image, box, method=method) for box in image.boxes)
    return StudyCase(places, kind, image=image, strata={"method": method, "group": image.group})
