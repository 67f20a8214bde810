"""Where a synthetic nodule is drawn: into which film, and where in its lungs."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nodegen.errors import SettingError, StackError
from nodegen.evaluation.reader_study.radiographs import Film, Place, surround
from nodegen.io.boxes import Box
from nodegen.lungs.fields import Lungs, find_lungs
from nodegen.lungs.frame import Frame, mapped
from nodegen.lungs.prior import Allowed
from nodegen.renderer import Renderer

APART = 0.5  # box sides that must lie between a new nodule and any that is known
LUNG_SHARE = 0.25  # of a box: how much more or less of it may be lung than of the real nodule's
ALIKE = 5  # films from which one is drawn: those whose ground is most like the real nodule's


@dataclass(frozen=True)
class Ground:
    """The lungs of a film, and where in it a box may lie."""

    lungs: Lungs
    allowed: Allowed

    def share(self, box: Box) -> float:
        """How much of a box is lung, by the labels: what heart and diaphragm hide is none."""
        return float((self.lungs.labels[box.top : box.bottom, box.left : box.right] > 0).mean())


class Grounds:
    """The grounds of the films of a study, each found once.

    Parameters
    ----------
    find : callable
        As :func:`nodegen.lungs.fields.find_lungs`.
    """

    def __init__(self, find: Callable[[np.ndarray], Lungs] = find_lungs):
        self._find = find
        self._found: dict[tuple[str, str], Ground | None] = {}

    def of(self, film: Film) -> Ground | None:
        """The ground of a film; None where no two lungs are found in it."""
        name = film.group, film.name
        if name not in self._found:
            try:
                lungs = self._find(film.pixels)
                self._found[name] = Ground(lungs, Allowed.of(lungs, film.pixels))
            except StackError:
                self._found[name] = None
        return self._found[name]

    def room(self, nodule: Place, film: Film) -> Box | None:
        """The box in which a nodule like this would lie in another film.

        It is as large, and lies where the real one lies in the lungs' own coordinates: in the lung,
        behind the heart, or under the diaphragm, as that one does.

        Returns
        -------
        Box or None
            None where it would lie off the lungs, on other tissue, or at a known nodule.
        """
        ground, own = self.of(film), self.of(nodule.film)
        if ground is None:
            return None
        box = nodule.box
        if own is not None:
            frames = Frame.of(own.lungs), Frame.of(ground.lungs)
            x, y, _ = mapped(np.array([box.centre[0]]), np.array([box.centre[1]]), *frames)
            left, top = round(float(x[0]) - box.width / 2), round(float(y[0]) - box.height / 2)
            box = replace(box, left=left, top=top, right=left + box.width, bottom=top + box.height)
        if not ground.allowed.holds(box) or any(
            box.gap(other) < APART * max(box.side, other.side) for other in film.boxes
        ):
            return None
        wanted = 1.0 if own is None else own.share(nodule.box)
        return box if abs(ground.share(box) - wanted) <= LUNG_SHARE else None


def site(
    nodule: Place, hosts: Sequence[Film], used: Counter[str], grounds: Grounds,
    rng: np.random.Generator,
) -> tuple[Film, Box]:  # fmt: skip
    """A nodule's place in another film of its group where no nodule is known.

    Of all films with room there, one of those whose ground is most like the real nodule's in
    brightness and evenness; of these, the one that was shown least: who meets a film again may know
    what was not there before.

    Parameters
    ----------
    used : Counter
        How often each film was shown.
    """
    others = [film for film in hosts if film.name != nodule.film.name]
    same = [film for film in others if film.group == nodule.film.group]
    for pool in (same, others):
        fitting = [(film, box) for film in pool if (box := grounds.room(nodule, film))]
        if fitting:
            fitting.sort(key=lambda found: _unlike(nodule, *found))
            alike = [fitting[int(i)] for i in rng.permutation(min(ALIKE, len(fitting)))]
            film, box = min(alike, key=lambda found: used[found[0].name])
            return film, box
    raise SettingError(
        f"No film has room in its lungs for a nodule of {nodule.box.width} x {nodule.box.height} "
        f"px at the place of one in {nodule.film.name}; give more untouched films."
    )


def _unlike(nodule: Place, film: Film, box: Box) -> float:
    """How much brighter or darker, and how much more or less even, a film is around a place."""
    level, spread, _ = surround(nodule.pixels, nodule.box)
    other_level, other_spread, _ = surround(film.pixels, box)
    if not spread or not other_spread:
        return np.inf
    return abs(level - other_level) / spread + abs(float(np.log(other_spread / spread)))


def twin_of(
    nodule: Place, hosts: Sequence[Film], used: Counter[str], candidates: int, method: str,
    renderer: Renderer, grounds: Grounds, rng: np.random.Generator,
) -> Place:  # fmt: skip
    """The synthetic nodule among several, in several films, that is as subtle as the real one."""
    wanted, best = nodule.subtlety, None
    tried = used.copy()
    for _ in range(candidates):
        film, box = site(nodule, hosts, tried, grounds, rng)
        tried[film.name] += 1
        place = drawn_into(film, (box,), int(rng.integers(2**31)), method, renderer)[0]
        if best is None or abs(place.subtlety - wanted) < abs(best.subtlety - wanted):
            best = place
    assert best is not None
    return best


def boxes_in(
    host: Film, nodules: Sequence[Place], count: int, grounds: Grounds, rng: np.random.Generator
) -> list[Box]:
    """Up to ``count`` boxes of real nodules that have room in a film, on a ground like theirs."""
    boxes: list[Box] = []
    while len(boxes) < count:
        taken = replace(host, boxes=tuple(boxes))
        fitting = [(n, box) for n in nodules if (box := grounds.room(n, taken))]
        if not fitting:
            break
        fitting.sort(key=lambda found: _unlike(found[0], host, found[1]))
        boxes.append(fitting[int(rng.integers(min(ALIKE, len(fitting))))][1])
    if not boxes:
        raise SettingError(
            f"No nodule of the sizes asked for has room in {host.name}; give other untouched films."
        )
    return boxes


def drawn_into(
    film: Film, boxes: Sequence[Box], seed: int, method: str, renderer: Renderer
) -> list[Place]:
    """Nodules drawn into a film, all into one."""
    pixels = np.asarray(renderer.apply(film.pixels, list(boxes), seed).image)
    return [Place("synthetic", film, box, pixels, seed=seed, method=method) for box in boxes]


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
