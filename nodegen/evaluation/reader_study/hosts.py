"""Where a synthetic nodule is drawn: into which film, and which of several is taken."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nodegen.errors import SettingError
from nodegen.evaluation.reader_study.films import Film, Place, surround
from nodegen.io.boxes import Box
from nodegen.renderer import Renderer

APART = 0.5  # box sides that must lie between a new nodule and any that is known
FILLED = 0.98  # of a box's pixels must show the film, not the black around it
ALIKE = 5  # films from which one is drawn: those whose ground is most like the real nodule's


def site(
    nodule: Place, hosts: Sequence[Film], used: Counter[str], rng: np.random.Generator
) -> tuple[Film, Box]:
    """A nodule's place in another film of its group where no nodule is known.

    Of all films with room there, one of those whose ground is most like the real nodule's: the same
    place is lung in one film and diaphragm in another, which would give the nodule away. Of these,
    the one that was shown least: who meets a film again may know what was not there before.

    Parameters
    ----------
    used : Counter
        How often each film was shown.
    """
    others = [film for film in hosts if film.name != nodule.film.name]
    same = [film for film in others if film.group == nodule.film.group]
    for pool in (same, others):
        fitting = [film for film in pool if _has_room(film, nodule.box)]
        if fitting:
            fitting.sort(key=lambda film: _unlike(nodule, film))
            alike = [fitting[i] for i in rng.permutation(min(ALIKE, len(fitting)))]
            return min(alike, key=lambda film: used[film.name]), nodule.box
    raise SettingError(
        f"No film has room for a nodule of {nodule.box.width} x {nodule.box.height} px at the "
        f"place of one in {nodule.film.name}; give more untouched films."
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


def twin_of(
    nodule: Place, hosts: Sequence[Film], used: Counter[str], candidates: int, renderer: Renderer,
    rng: np.random.Generator,
) -> Place:  # fmt: skip
    """The synthetic nodule among several, in several films, that is as subtle as the real one."""
    wanted, best = nodule.subtlety, None
    tried = used.copy()
    for _ in range(candidates):
        film, box = site(nodule, hosts, tried, rng)
        tried[film.name] += 1
        place = drawn_into(film, (box,), int(rng.integers(2**31)), renderer)[0]
        if best is None or abs(place.subtlety - wanted) < abs(best.subtlety - wanted):
            best = place
    assert best is not None
    return best


def boxes_in(
    host: Film, nodules: Sequence[Place], count: int, rng: np.random.Generator
) -> list[Box]:
    """Up to ``count`` boxes of real nodules that have room in a film, on a ground like theirs."""
    boxes: list[Box] = []
    order = sorted(nodules, key=lambda nodule: _unlike(nodule, host))
    while len(boxes) < count:
        taken = replace(host, boxes=tuple(boxes))
        fitting = [nodule.box for nodule in order if _has_room(taken, nodule.box)]
        if not fitting:
            break
        boxes.append(fitting[int(rng.integers(min(ALIKE, len(fitting))))])
    if not boxes:
        raise SettingError(
            f"No nodule of the sizes asked for has room in {host.name}; give other untouched films."
        )
    return boxes


def drawn_into(film: Film, boxes: Sequence[Box], seed: int, renderer: Renderer) -> list[Place]:
    """Nodules drawn into a film, all into one."""
    pixels = np.asarray(renderer.apply(film.pixels, list(boxes), seed).image)
    return [Place("synthetic", film, box, pixels, seed=seed) for box in boxes]


def nearest(nodule: Place, pool: Sequence[Place]) -> Place:
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
