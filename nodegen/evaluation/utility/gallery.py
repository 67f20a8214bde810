"""The real nodules that are missed most, and the false alarms that are surest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from nodegen.evaluation.utility.cases import Radiograph
from nodegen.evaluation.utility.measures import Scores, Test, hits_of, patch_items
from nodegen.io.boxes import Box
from nodegen.io.preview import around, data_uri, eight_bit, resized

SHOWN = 12  # of each kind
AROUND = 3.0  # a picture shows so many of the box's larger sides
PICTURE_PX = 160
WINDOW_PERCENTILES = (1, 99)


@dataclass(frozen=True)
class Shown:
    """One picture: where it is from, the box, and each arm's figure for it."""

    name: str
    box: Box
    picture: str
    figures: dict[str, float]


def gallery(
    test: Test, scores: Mapping[str, Sequence[Scores]], depth: str, arm: str
) -> tuple[list[Shown], list[Shown]]:
    """Nodules most missed and false alarms most sure, by ``arm``, mean over the seeds.

    A figure of a nodule is the part of the places that score lower than it (``patches``), or its
    best score; that of a false alarm its score.
    """
    if depth == "patches":
        missed, alarms = _patches(test, scores)
    else:
        missed, alarms = _whole(test, scores, arm)
    worst = sorted(missed, key=lambda one: one[2][arm])[:SHOWN]
    surest = sorted(alarms, key=lambda one: -one[2][arm])[:SHOWN]
    return ([_shown(*one) for one in worst], [_shown(*one) for one in surest])


Found = tuple[Radiograph, Box, dict[str, float]]


def _patches(test: Test, scores: Mapping[str, Sequence[Scores]]) -> tuple[list[Found], list[Found]]:
    boxes = [(one, box) for one in test.radiographs for box in (*one.nodules, *one.places)]
    rank: dict[str, np.ndarray] = {}
    labels = np.zeros(len(boxes), dtype=bool)
    for name, of_seeds in scores.items():
        each = []
        for one in of_seeds:
            values, labels, _ = patch_items(test, one)
            places = np.sort(values[~labels])
            each.append(np.searchsorted(places, values) / max(len(places), 1))
        rank[name] = np.mean(each, axis=0)
    found = [
        (one, box, {name: float(values[i]) for name, values in rank.items()})
        for i, (one, box) in enumerate(boxes)
    ]
    return (
        [f for f, nodule in zip(found, labels, strict=True) if nodule],
        [f for f, nodule in zip(found, labels, strict=True) if not nodule],
    )


def _whole(
    test: Test, scores: Mapping[str, Sequence[Scores]], arm: str
) -> tuple[list[Found], list[Found]]:
    nodules = [(one, box) for one in test.radiographs for box in one.nodules]
    best = {
        name: np.mean([hits_of(test, one).true for one in of_seeds], axis=0)
        for name, of_seeds in scores.items()
    }
    missed = [
        (one, box, {name: float(values[i]) for name, values in best.items()})
        for i, (one, box) in enumerate(nodules)
    ]
    alarms: list[Found] = []
    for one, found in zip(test.radiographs, scores[arm][0], strict=True):
        for x, y, width, height, score in found:
            middle = x + width / 2, y + height / 2
            if not any(_holds(box, *middle) for box in (*one.nodules, *one.ignored)):
                box = Box(0, round(x), round(y), round(x + width), round(y + height))
                alarms.append((one, box, {arm: float(score)}))
    return missed, alarms


def _holds(box: Box, x: float, y: float) -> bool:
    return box.left <= int(x) < box.right and box.top <= int(y) < box.bottom


def _shown(one: Radiograph, box: Box, figures: dict[str, float]) -> Shown:
    return Shown(one.name, box, _picture(one.load(), box), figures)


def _picture(pixels: np.ndarray, box: Box) -> str:
    """The surround of a box with the box drawn in, as a ``data:`` URI."""
    rows, columns = around(box, pixels.shape, AROUND)
    grey = Image.fromarray(eight_bit(pixels[rows, columns], WINDOW_PERCENTILES))
    image, scale = resized(grey, PICTURE_PX, Image.Resampling.BICUBIC)
    image = image.convert("RGB")
    corners = np.array([box.left, box.top, box.right, box.bottom])
    start = np.array([columns.start, rows.start] * 2)
    ImageDraw.Draw(image).rectangle(list((corners - start) * scale), outline=(255, 190, 60))
    return data_uri(image)
