"""Candidate backgrounds of a synthetic nodule: which radiograph, and where in its lungs."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nodegen.errors import SettingError, StackError
from nodegen.evaluation.reader_study.radiographs import Place, StudyImage, surround
from nodegen.io.boxes import Box
from nodegen.lungs.body import Body
from nodegen.lungs.fields import Lungs, find_lungs
from nodegen.lungs.frame import Frame, mapped
from nodegen.renderer import Renderer

APART = 0.5  # box sides that must lie between a new nodule and any that is known
LUNG_SHARE = 0.25  # of a box: how much more or less of it may be lung than of the real nodule's
ALIKE = (
    5  # radiographs from which one is drawn: those whose surround is most like the real nodule's
)


class Grounds:
    """Lungs and body of a study's radiographs, each found once.

    Parameters
    ----------
    find : callable
        As :func:`nodegen.lungs.fields.find_lungs`.
    """

    def __init__(self, find: Callable[[np.ndarray], Lungs] = find_lungs):
        self._find = find
        self._found: dict[tuple[str, str], tuple[Lungs, Body] | None] = {}

    def of(self, image: StudyImage) -> tuple[Lungs, Body] | None:
        """Lungs and body of a radiograph; None where no two lungs are found in it."""
        name = image.group, image.name
        if name not in self._found:
            try:
                lungs = self._find(image.pixels)
                self._found[name] = lungs, Body.of(lungs, image.pixels)
            except StackError:
                self._found[name] = None
        return self._found[name]

    def room(self, nodule: Place, image: StudyImage) -> Box | None:
        """The box in which a nodule like this would lie in another radiograph.

        It is as large, and lies where the real one lies in the lungs' own coordinates: in the lung,
        behind the heart, or under the diaphragm, as that one does.

        Returns
        -------
        Box or None
            None where it would lie off the lungs, on other tissue, or at a known nodule.
        """
        found, own = self.of(image), self.of(nodule.image)
        if found is None:
            return None
        (lungs, body), box, wanted = found, nodule.box, 1.0
        if own is not None:
            wanted = _lung_share(own[0], box)
            frames = Frame.of(own[0]), Frame.of(lungs)
            x, y, _ = mapped(np.array([box.centre[0]]), np.array([box.centre[1]]), *frames)
            left, top = round(float(x[0]) - box.width / 2), round(float(y[0]) - box.height / 2)
            box = replace(box, left=left, top=top, right=left + box.width, bottom=top + box.height)
        if not body.holds(box) or any(
            box.gap(other) < APART * max(box.side, other.side) for other in image.boxes
        ):
            return None
        return box if abs(_lung_share(lungs, box) - wanted) <= LUNG_SHARE else None


def _lung_share(lungs: Lungs, box: Box) -> float:
    """How much of a box is lung, by the labels: what heart and diaphragm hide is none."""
    return float((lungs.labels[box.top : box.bottom, box.left : box.right] > 0).mean())


def site(
    nodule: Place, backgrounds: Sequence[StudyImage], used: Counter[str], grounds: Grounds,
    rng: np.random.Generator,
) -> tuple[StudyImage, Box]:  # fmt: skip
    """Find a nodule's place in another radiograph of its group where no nodule is known.

    Of all radiographs with room there, those five are taken whose surround is most like the real
    nodule's in brightness and evenness; of these, the one that was shown least: a reader who meets
    a radiograph again may remember it. ``used`` counts how often each was shown.
    """
    others = [image for image in backgrounds if image.name != nodule.image.name]
    same = [image for image in others if image.group == nodule.image.group]
    for pool in (same, others):
        fitting = [(image, box) for image in pool if (box := grounds.room(nodule, image))]
        if fitting:
            fitting.sort(key=lambda found: _unlike(nodule, *found))
            alike = [fitting[int(i)] for i in rng.permutation(min(ALIKE, len(fitting)))]
            image, box = min(alike, key=lambda found: used[found[0].name])
            return image, box
    raise SettingError(
        f"No radiograph has room in its lungs for a nodule of {nodule.box.width} x "
        f"{nodule.box.height} px at the place of one in {nodule.image.name}; give more untouched "
        "radiographs."
    )


def _unlike(nodule: Place, image: StudyImage, box: Box) -> float:
    """How much a radiograph differs around a place in brightness and in evenness."""
    level, spread, _ = surround(nodule.pixels, nodule.box)
    other_level, other_spread, _ = surround(image.pixels, box)
    if not spread or not other_spread:
        return np.inf
    return abs(level - other_level) / spread + abs(float(np.log(other_spread / spread)))


def matched_nodule(
    nodule: Place, backgrounds: Sequence[StudyImage], used: Counter[str], candidates: int,
    method: str, renderer: Renderer, grounds: Grounds, rng: np.random.Generator,
) -> Place:  # fmt: skip
    """Of several synthetic nodules, the one nearest to the real one in contrast to noise."""
    drawn = []
    tried = used.copy()
    for _ in range(candidates):
        image, box = site(nodule, backgrounds, tried, grounds, rng)
        tried[image.name] += 1
        drawn += drawn_into(image, (box,), int(rng.integers(2**31)), method, renderer)
    return min(drawn, key=lambda place: _contrast_apart(nodule, place))


def _contrast_apart(one: Place, other: Place) -> float:
    return abs(one.contrast_to_noise - other.contrast_to_noise)


def boxes_in(
    background: StudyImage,
    nodules: Sequence[Place],
    count: int,
    grounds: Grounds,
    rng: np.random.Generator,
) -> list[Box]:
    """Up to ``count`` boxes of real nodules that fit into a radiograph, with a like surround."""
    boxes: list[Box] = []
    while len(boxes) < count:
        taken = replace(background, boxes=tuple(boxes))
        fitting = [(n, box) for n in nodules if (box := grounds.room(n, taken))]
        if not fitting:
            break
        fitting.sort(key=lambda found: _unlike(found[0], background, found[1]))
        boxes.append(fitting[int(rng.integers(min(ALIKE, len(fitting))))][1])
    if not boxes:
        raise SettingError(
            f"No nodule of the sizes asked for has room in {background.name}; give other "
            "untouched radiographs."
        )
    return boxes


def drawn_into(
    image: StudyImage, boxes: Sequence[Box], seed: int, method: str, renderer: Renderer
) -> list[Place]:
    """Nodules drawn into a radiograph, all into one."""
    pixels = np.asarray(renderer.apply(image.pixels, list(boxes), seed).image)
    return [Place("synthetic", image, box, pixels, seed=seed, method=method) for box in boxes]


def nearest(nodule: Place, pool: Sequence[Place]) -> Place:
    """Of given synthetic nodules, the one closest in size, place and contrast to noise."""
    if not pool:
        raise SettingError(
            "There are fewer synthetic nodules than real ones are wanted; give more, or ask for "
            "fewer cases."
        )

    def away(place: Place) -> float:
        (x, y), (u, v) = nodule.box.centre, place.box.centre
        far = np.hypot(x - u, y - v) / max(nodule.pixels.shape)
        size = abs(np.log(place.size / nodule.size))
        return float(size + far + _contrast_apart(place, nodule) / 2)

    return min(pool, key=away)
