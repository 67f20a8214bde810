"""The draw of a study: which real nodules, which synthetic ones beside them, in which order.

Everything random is drawn here from the seed. A synthetic nodule takes the size and the place of a
real one, in another film of the same group with a like ground there, and is chosen among several
for being as subtle, so that neither size, place nor subtlety tells the two apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nodegen.errors import SettingError
from nodegen.evaluation.reader_study.films import Film, Place
from nodegen.evaluation.reader_study.hosts import boxes_in, drawn_into, nearest, site, twin_of
from nodegen.progress import track
from nodegen.renderer import Renderer

KINDS = ("choice", "rating", "marking")
UNTOUCHED_SHARE = 1 / 5  # of a rating study's cases: places without a nodule
FILM_SHARE = 1 / 3  # of a marking study's films: real, synthetic, untouched
MOST_NODULES = 3  # synthetic ones in a film that is marked


@dataclass(frozen=True)
class Plan:
    """What is drawn.

    Attributes
    ----------
    kind : {"choice", "rating", "marking"}
    cases : int
        Pairs of a choice study, places of a rating study, films of a marking study.
    practice : int
        Cases before these, told after each answer, that do not count.
    sides : (int, int)
        Smallest and largest side, px, that a real box may have.
    candidates : int
        Synthetic nodules drawn for each, of which the one as subtle as the real one is taken; with
        1 each is taken as it comes.
    """

    kind: str = "rating"
    cases: int = 60
    practice: int = 6
    sides: tuple[int, int] = (30, 130)
    candidates: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SettingError(f"kind is {self.kind!r}, where {', '.join(KINDS)} are allowed.")
        for name, least in (("cases", 2), ("practice", 0), ("candidates", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise SettingError(
                    f"{name} is {getattr(self, name)}, where {least} or more is allowed; give more."
                )


@dataclass(frozen=True)
class Case:
    """What a reader judges at once: one place, a pair of them, or a whole film with its nodules."""

    places: tuple[Place, ...]
    practice: bool = False
    kind: str = ""  # of a marked film: real, synthetic, untouched
    film: Film | None = None  # of a marked film; its pixels with the nodules
    strata: dict[str, str] = field(default_factory=dict)


def plan_study(
    plan: Plan, real: Sequence[Film], untouched: Sequence[Film], made: Sequence[Film],
    renderer: Renderer,
) -> list[Case]:  # fmt: skip
    """Draw a study's cases, practice first.

    Parameters
    ----------
    real : list of Film
        With the boxes of their nodules.
    untouched : list of Film
        Without nodules.
    made : list of Film
        With synthetic nodules; where there are none, ``renderer`` draws them.

    Raises
    ------
    SettingError
        Where there are fewer nodules or films than asked for.
    """
    rng = np.random.default_rng(plan.seed)
    if plan.kind == "marking":
        cases = _films(plan, real, untouched, made, renderer, rng)
    else:
        cases = _places(plan, real, untouched, made, renderer, rng)
    order = rng.permutation(len(cases))
    cases = [replace(cases[i], practice=place < plan.practice) for place, i in enumerate(order)]
    return cases


# --- places: choice and rating --------------------------------------------------------------------


def _places(
    plan: Plan, real: Sequence[Film], untouched: Sequence[Film], made: Sequence[Film],
    renderer: Renderer, rng: np.random.Generator,
) -> list[Case]:  # fmt: skip
    total = plan.cases + plan.practice
    empty = round(total * UNTOUCHED_SHARE) if plan.kind == "rating" else 0
    pairs = total if plan.kind == "choice" else (total - empty + 1) // 2
    nodules = _nodules(plan, real)
    if len(nodules) < pairs + empty:
        raise SettingError(
            f"{pairs + empty} real nodules of {plan.sides[0]} to {plan.sides[1]} px are wanted and "
            f"there are {len(nodules)}; ask for fewer cases, or give more nodules."
        )
    strata = stratify(nodules)
    chosen = balanced(
        [strata[i]["stratum"] for i in range(len(nodules))], nodules, pairs + empty, rng
    )
    hosts = [*real, *untouched]
    used = Counter(nodules[i].film.name for i in chosen[:pairs])
    cases, shown, todo = [], 0, chosen[:pairs]
    pool = [Place("synthetic", film, box, film.pixels) for film in made for box in film.boxes]
    for index in track(todo, len(todo), "nodules", "nodule"):
        nodule, words = nodules[index], {k: v for k, v in strata[index].items() if k != "stratum"}
        if made:
            twin = nearest(nodule, pool)
            pool.remove(twin)
        else:
            twin = twin_of(nodule, hosts, used, plan.candidates, renderer, rng)
            used[twin.film.name] += 1
        if plan.kind == "choice":
            both = (nodule, twin) if rng.random() < 0.5 else (twin, nodule)
            cases.append(Case(both, strata=words))
            continue
        for place in (nodule, twin)[: total - empty - shown]:
            cases.append(Case((place,), strata=words))
            shown += 1
    for index in chosen[pairs:]:
        film, box = site(nodules[index], hosts, used, rng)
        used[film.name] += 1
        words = {k: v for k, v in strata[index].items() if k != "stratum"}
        cases.append(Case((Place("untouched", film, box, film.pixels),), strata=words))
    return cases


def _nodules(plan: Plan, real: Sequence[Film]) -> list[Place]:
    """The real nodules of the sizes asked for."""
    least, most = plan.sides
    return [
        Place("real", film, box, film.pixels, trust)
        for film in real
        for box, trust in zip(film.boxes, film.trust or [""] * len(film.boxes), strict=True)
        if least <= box.side and max(box.width, box.height) <= most
    ]


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


# --- whole films: marking -------------------------------------------------------------------------


def _films(
    plan: Plan, real: Sequence[Film], untouched: Sequence[Film], made: Sequence[Film],
    renderer: Renderer, rng: np.random.Generator,
) -> list[Case]:  # fmt: skip
    total = plan.cases + plan.practice
    each = max(1, round(total * FILM_SHARE))
    empty = total - 2 * each
    with_nodules = [film for film in real if film.boxes]
    for films, wanted, name in (
        (with_nodules, each, "films with real nodules"),
        (untouched, empty + (0 if made else each), "untouched films"),
        (made or with_nodules, each, "films with synthetic nodules"),
    ):
        if len(films) < wanted:
            raise SettingError(
                f"{wanted} {name} are wanted and there are {len(films)}; ask for fewer cases, or "
                "give more films."
            )
    shown = [with_nodules[i] for i in rng.permutation(len(with_nodules))[:each]]
    blank = [untouched[i] for i in rng.permutation(len(untouched))]
    cases = [_film_case("real", film) for film in shown]
    cases += [_film_case("untouched", film) for film in blank[:empty]]
    if made:
        cases += [_film_case("synthetic", made[i]) for i in rng.permutation(len(made))[:each]]
        return cases
    nodules = _nodules(plan, real)
    for host, model in zip(blank[empty : empty + each], shown, strict=True):
        boxes = boxes_in(host, nodules, min(len(model.boxes), MOST_NODULES), rng)
        drawn = drawn_into(host, boxes, int(rng.integers(2**31)), renderer)
        made_film = replace(host, pixels=drawn[0].pixels, boxes=tuple(boxes))
        cases.append(_film_case("synthetic", made_film))
    return cases


def _film_case(kind: str, film: Film) -> Case:
    places = tuple(Place(kind, film, box, film.pixels) for box in film.boxes)
    return Case(places, kind=kind, film=film)
