"""Candidate backgrounds of a synthetic nodule: which radiograph, and where in its lungs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nodegen.errors import SettingError
from nodegen.evaluation.boxed_images import BoxedImage
from nodegen.evaluation.fidelity.ground import lungs_of
from nodegen.evaluation.reader_study.study_plan import Place
from nodegen.io.boxes import Box
from nodegen.lungs.body import Body
from nodegen.lungs.fields import Lungs
from nodegen.lungs.frame import mapped
from nodegen.renderer import Renderer

APART = 0.5  # box sides that must lie between a new nodule and any that is known
LUNG_SHARE = 0.25  # of a box: how much more or less of it may be lung than of the real nodule's
ALIKE = 5  # radiographs from which one is drawn: those whose surround is most like the real one's


class Backgrounds:
    """The radiographs of a study, into which synthetic nodules may be drawn.

    ``used`` counts how often each was shown, by name: a reader who meets one again may remember it.
    """

    def __init__(self, images: Sequence[BoxedImage], rng: np.random.Generator):
        self.images, self.used, self._rng = images, Counter[str](), rng
        self._found: dict[tuple[str, str], tuple[Lungs, Body] | None] = {}

    def _lungs(self, image: BoxedImage) -> tuple[Lungs, Body] | None:
        """Lungs and body of a radiograph, found once; None where no two lungs are found in it."""
        name = image.group, image.name
        if name not in self._found:
            lungs = lungs_of(image.pixels)
            self._found[name] = (lungs, Body.of(lungs, image.pixels)) if lungs else None
        return self._found[name]

    def room(self, nodule: Place, image: BoxedImage) -> Box | None:
        """The box in which a nodule like this would lie in another radiograph.

        As large, and where the real one lies in the lungs' own coordinates. None where it would lie
        off the lungs, on other tissue, or at a known nodule.
        """
        found, own = self._lungs(image), self._lungs(nodule.image)
        if found is None:
            return None
        (lungs, body), box, wanted = found, nodule.box, 1.0
        if own is not None:
            wanted = _lung_share(own[0], box)
            at = np.array(box.centre)[:, None]
            x, y, _ = mapped(at[0], at[1], own[0].frame, lungs.frame)
            left, top = round(float(x[0]) - box.width / 2), round(float(y[0]) - box.height / 2)
            box = replace(box, left=left, top=top, right=left + box.width, bottom=top + box.height)
        if not body.holds(box) or any(
            box.gap(other) < APART * max(box.side, other.side) for other in image.boxes
        ):
            return None
        return box if abs(_lung_share(lungs, box) - wanted) <= LUNG_SHARE else None

    def site(self, nodule: Place) -> Place:
        """Find a nodule's place in another radiograph of its group where no nodule is known.

        Of the five whose surround is most like in brightness and evenness, the one shown least.
        """
        others = [image for image in self.images if image.name != nodule.image.name]
        same = [image for image in others if image.group == nodule.image.group]
        for pool in (same, others):
            rooms = [(image, self.room(nodule, image)) for image in pool]
            fitting = [Place("untouched", image, box) for image, box in rooms if box]
            if fitting:
                fitting.sort(key=lambda place: _unlike(nodule, place))
                alike = [fitting[i] for i in self._rng.permutation(min(ALIKE, len(fitting)))]
                place: Place = min(alike, key=lambda one: self.used[one.image.name])
                self.used[place.image.name] += 1
                return place
        raise SettingError(
            f"No radiograph has room in its lungs for a nodule of {nodule.box.width} x "
            f"{nodule.box.height} px at the place of one in {nodule.image.name}; give more "
            "untouched radiographs."
        )

    def matched(self, nodule: Place, method: str, renderer: Renderer, candidates: int) -> Place:
        """Of several synthetic nodules, the one nearest to the real one in contrast to noise."""
        used, drawn = self.used.copy(), []
        for _ in range(candidates):
            site, seed = self.site(nodule), int(self._rng.integers(2**31))
            drawn += drawn_into(site.image, (site.box,), seed, method, renderer)
        chosen = min(drawn, key=lambda place: _contrast_apart(nodule, place))
        self.used = used + Counter([chosen.image.name])
        return chosen

    def boxes_in(self, image: BoxedImage, nodules: Sequence[Place], count: int) -> list[Box]:
        """Up to ``count`` boxes of real nodules that fit into a radiograph with a like surround."""
        boxes: list[Box] = []
        while len(boxes) < count:
            taken = replace(image, boxes=tuple(boxes))
            fitting = [(n, box) for n in nodules if (box := self.room(n, taken))]
            if not fitting:
                break
            fitting.sort(key=lambda found: _unlike(found[0], Place("untouched", image, found[1])))
            boxes.append(fitting[int(self._rng.integers(min(ALIKE, len(fitting))))][1])
        if not boxes:
            raise SettingError(
                f"No nodule of the sizes asked for has room in {image.name}; give other "
                "untouched radiographs."
            )
        return boxes


def _lung_share(lungs: Lungs, box: Box) -> float:
    """How much of a box is lung, by the labels: what heart and diaphragm hide is none."""
    return float((lungs.labels[box.top : box.bottom, box.left : box.right] > 0).mean())


def _unlike(nodule: Place, place: Place) -> float:
    """How much a place differs from a nodule's in brightness and in evenness around it."""
    (level, deviation), (other, its_deviation) = nodule.surround, place.surround
    return abs(level - other) / deviation + abs(float(np.log(its_deviation / deviation)))


def _contrast_apart(one: Place, other: Place) -> float:
    return abs(one.contrast_to_noise - other.contrast_to_noise)


def drawn_into(
    image: BoxedImage, boxes: Sequence[Box], seed: int, method: str, renderer: Renderer
) -> list[Place]:
    """Nodules drawn into a radiograph, all into one, whose pixels then hold them."""
    pixels = np.asarray(renderer.apply(image.pixels, list(boxes), seed).image)
    drawn = replace(image, pixels=pixels)
    return [Place("synthetic", drawn, box, seed=seed, method=method) for box in boxes]


def nearest(nodule: Place, pool: Sequence[Place]) -> Place:
    """Of given synthetic nodules, the one closest in size, place and contrast to noise."""
    if not pool:
        raise SettingError(
            "There are fewer synthetic nodules than real ones are wanted; give more, or ask for "
            "fewer cases."
        )

    def away(place: Place) -> float:
        (x, y), (u, v) = nodule.box.centre, place.box.centre
        far = np.hypot(x - u, y - v) / max(nodule.image.pixels.shape)
        size = abs(np.log(place.size / nodule.size))
        return float(size + far + _contrast_apart(place, nodule) / 2)

    return min(pool, key=away)
