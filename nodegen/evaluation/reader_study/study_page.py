"""A study's two files: the page that readers answer, and the key that they do not see."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nodegen import __version__
from nodegen.evaluation.boxed_images import BoxedImage
from nodegen.evaluation.reader_study.study_plan import Place, StudyCase, StudyPlan
from nodegen.evaluation.viewer.html_page import Page, slope_of, stored
from nodegen.io.files import write_text
from nodegen.io.image import run_hash

CROP_PX = 400  # side of what is shown around a place: about a third of a lung
AROUND = 3.5  # and at least so many of the box's larger sides


def write_study(
    path: Path,
    cases: Sequence[StudyCase],
    plan: StudyPlan,
    view: str = "crop",
    title: str = "Reader study",
) -> Path:
    """Write the page, and the key beside it, ``NAME.key.json``, whose path is returned.

    Parameters
    ----------
    path, title : Path, str
        Of the page.
    cases : list of StudyCase
        In the order in which they are shown.
    plan : StudyPlan
        What they were drawn by; the key holds it.
    view : {"crop", "radiograph"}
        What is seen around a place; a marking study shows whole radiographs.

    Raises
    ------
    OutputError
        Where they cannot be written.
    """
    page, shown, key = Page(__package__), [], {}
    names = _names(plan.seed, len(cases))
    for name, case in zip(names, cases, strict=True):
        nodules = [_described(place) for place in case.places]
        truth: dict[str, Any] = {"kinds": case.kind.split("/")}
        if case.image is not None:  # marked as a whole
            panes, images = [_pane(page, case.image.pixels, case.image)], [case.image.name]
            truth["boxes"] = [nodule["box"] for nodule in nodules]
        else:
            panes = [_place(page, place, view) for place in case.places]
            images = [place.image.name for place in case.places]
        entry = {"case": name, "practice": case.practice, "panes": panes}
        shown.append({**entry, "truth": truth} if case.practice else entry)
        key[name] = {
            "kind": case.kind,
            "radiograph": "/".join(images),
            "practice": case.practice,
            **case.strata,
            "nodules": nodules,
        }
    study = run_hash(names, key)
    head = {"study": study, "nodegen": __version__, "title": title}
    words = {**head, "kind": plan.kind, "count": plan.cases, "practice": plan.practice}
    page.write(path, {**head, "kind": plan.kind, "cases": shown}, words)
    content = {**head, "plan": asdict(plan), "view": view, "cases": key}
    write_text(key_of(path), json.dumps(content, indent=1) + "\n")
    return key_of(path)


def key_of(page: Path) -> Path:
    """The key beside a page."""
    return page.with_name(f"{page.stem}.key.json")


def _names(seed: int, count: int) -> list[str]:
    """Names that say nothing, in the order in which cases are shown."""
    rng = np.random.default_rng((seed, 1))
    return [f"{place + 1:03d}-{rng.integers(16**6):06x}" for place in range(count)]


def _pane(page: Page, pixels: np.ndarray, image: BoxedImage) -> dict[str, Any]:
    slope = slope_of(pixels)
    name = page.add(stored(pixels, slope))
    sides = dict(zip(("height", "width"), pixels.shape, strict=True))
    return {"pixels": name, **sides, "slope": slope, "spacing": image.spacing}


def _place(page: Page, place: Place, view: str) -> dict[str, Any]:
    """A pane around a place; radiographs and crops alike say nothing of where they come from."""
    box, pixels = place.box, place.image.pixels
    left = top = 0
    if view == "crop":
        side = max(CROP_PX, round(AROUND * place.size))
        height, width = (min(side, length) for length in pixels.shape)
        x, y = box.centre
        left = min(max(round(x - width / 2), 0), pixels.shape[1] - width)
        top = min(max(round(y - height / 2), 0), pixels.shape[0] - height)
        pixels = pixels[top : top + height, left : left + width]
    corners = [box.left - left, box.top - top, box.right - left, box.bottom - top]
    return {**_pane(page, pixels, place.image), "box": corners}


def _described(place: Place) -> dict[str, Any]:
    return {
        **{name: getattr(place, name) for name in ("kind", "source", "zone", "seed", "method")},
        "radiograph": place.image.name,
        "group": place.image.group,
        "box": list(place.box.edges),
        "size_px": place.size,
        "contrast_to_noise": round(place.contrast_to_noise, 3),
    }
