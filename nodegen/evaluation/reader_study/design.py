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
from nodegen.evaluation.reader_study.films import Film, Place, surround
from nodegen.io.boxes import Box
from nodegen.progress import track
from nodegen.renderer import Renderer

KINDS = ("choice", "rating", "marking")
APART = 0.5  # box sides that must lie between a new nodule and any that is known
FILLED = 0.98  # of a box's pixels must show the film, not the black around it
ALIKE = 5  # films from which one is drawn: those whose ground is most like the real nodule's
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
    nodules = [
        Place("real", film, box, film.pixels, trust)
        for film in real
        for box, trust in zip(film.boxes, film.trust or [""] * len(film.boxes), strict=True)
        if plan.sides[0]
        <= min(box.width, box.height)
        <= max(box.width, box.height)
        <= plan.sides[1]
    ]
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
    cases, shown, todo = [], 0, chosen[:pairs]
    pool = [Place("synthetic", film, box, film.pixels) for film in made for box in film.boxes]
    for index in track(todo, len(todo), "nodules", "nodule"):
        nodule, words = nodules[index], {k: v for k, v in strata[index].items() if k != "stratum"}
        if made:
            twin = _nearest(nodule, pool)
            pool.remove(twin)
        else:
            twin = _twin(nodule, hosts, plan.candidates, renderer, rng)
        if plan.kind == "choice":
            both = (nodule, twin) if rng.random() < 0.5 else (twin, nodule)
            cases.append(Case(both, strata=words))
            continue
        for place in (nodule, twin)[: total - empty - shown]:
            cases.append(Case((place,), strata=words))
            shown += 1
    for index in chosen[pairs:]:
        film, box = _site(nodules[index], hosts, rng)
        words = {k: v for k, v in strata[index].items() if k != "stratum"}
        cases.append(Case((Place("untouched", film, box, film.pixels),), strata=words))
    return cases


def stratify(places: Sequence[Place]) -> list[dict[str, str]]:
    """Size, subtlety (thirds of those given) and zone of each place, and the three in one."""
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
        found.append({**words, "stratum": "/".join(words.values())})
    return found


def _thirds(values: np.ndarray, names: tuple[str, str, str]) -> list[str]:
    cuts = np.quantile(values, (1 / 3, 2 / 3)) if len(values) else ()
    return [names[int(np.searchsorted(cuts, value, side="right"))] for value in values]


def balanced(
    strata: Sequence[str], places: Sequence[Place], count: int, rng: np.random.Generator
) -> list[int]:
    """Indices of ``count`` places, as evenly from all strata, and then from all films, as can be."""
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


def _site(nodule: Place, hosts: Sequence[Film], rng: np.random.Generator) -> tuple[Film, Box]:
    """A nodule's place in another film of its group where no nodule is known.

    Of all films with room there, one of those whose ground is most like the real nodule's: the same
    place is lung in one film and diaphragm in another, which would give the nodule away.
    """
    others = [film for film in hosts if film.name != nodule.film.name]
    same = [film for film in others if film.group == nodule.film.group]
    for pool in (same, others):
        fitting = [film for film in pool if _has_room(film, nodule.box)]
        if fitting:
            fitting.sort(key=lambda film: _unlike(nodule, film))
            return fitting[int(rng.integers(min(ALIKE, len(fitting))))], nodule.box
    raise SettingError(
        f"No film has room for a nodule of {nodule.box.width} x {nodule.box.height} px at the place "
        f"of one in {nodule.film.name}; give more untouched films."
    )


def _has_room(film: Film, box: Box) -> bool:
    part = film.pixels[box.top : box.bottom, box.left : box.right]
    whole = part.shape == (box.height, box.width) and (part > 0).mean() >= FILLED
    return bool(whole) and not any(_near(box, other) for other in film.boxes)


def _unlike(nodule: Place, film: Film) -> float:
    """How much brighter or darker, and how much more or less even, a film is around a place."""
    level, spread, _ = surround(nodule.pixels, nodule.box)
    other_level, other_spread, _ = surround(film.pixels, nodule.box)
    if not spread or not other_spread:
        return np.inf
    return abs(level - other_level) / spread + abs(float(np.log(other_spread / spread)))


def _near(box: Box, other: Box) -> bool:
    gap = APART * max(box.side, other.side)
    return (
        box.left < other.right + gap
        and other.left < box.right + gap
        and box.top < other.bottom + gap
        and other.top < box.bottom + gap
    )


def _twin(
    nodule: Place, hosts: Sequence[Film], candidates: int, renderer: Renderer,
    rng: np.random.Generator,
) -> Place:  # fmt: skip
    """The synthetic nodule among several that is as subtle as the real one."""
    wanted, best = nodule.subtlety, None
    for _ in range(candidates):
        film, box = _site(nodule, hosts, rng)
        place = _drawn(film, (box,), int(rng.integers(2**31)), renderer)[0]
        if best is None or abs(place.subtlety - wanted) < abs(best.subtlety - wanted):
            best = place
    assert best is not None
    return best


def _drawn(film: Film, boxes: Sequence[Box], seed: int, renderer: Renderer) -> list[Place]:
    """Nodules drawn into a film, all into one."""
    pixels = np.asarray(renderer.apply(film.pixels, list(boxes), seed).image)
    return [Place("synthetic", film, box, pixels, seed=seed) for box in boxes]


def _nearest(nodule: Place, pool: Sequence[Place]) -> Place:
    """Of those made already the one closest in size, place and subtlety."""
    if not pool:
        raise SettingError(
            "There are fewer synthetic nodules than real ones are wanted; give more, or ask for "
            "fewer cases."
        )

    def away(place: Place) -> float:
        (x, y), (u, v) = nodule.box.centre, place.box.centre
        far = np.hypot(x - u, y - v) / max(nodule.pixels.shape)
        return float(
            abs(np.log(place.size / nodule.size)) + far + abs(place.subtlety - nodule.subtlety) / 2
        )

    return min(pool, key=away)


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
    for host, model in zip(blank[empty : empty + each], shown, strict=True):
        fitting = [b for b in model.boxes if plan.sides[0] <= b.side <= plan.sides[1]]
        places = [Place("real", model, b, model.pixels) for b in (fitting or model.boxes)]
        boxes: list[Box] = []
        for place in places[:MOST_NODULES]:
            _, box = _site(place, [replace(host, name="", boxes=tuple(boxes))], rng)
            boxes.append(box)
        drawn = _drawn(host, boxes, int(rng.integers(2**31)), renderer)
        cases.append(
            _film_case("synthetic", replace(host, pixels=drawn[0].pixels, boxes=tuple(boxes)))
        )
    return cases


def _film_case(kind: str, film: Film) -> Case:
    places = tuple(Place(kind, film, box, film.pixels) for box in film.boxes)
    return Case(places, kind=kind, film=film)
