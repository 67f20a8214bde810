"""The cases of a marking study: whole films."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nodegen.errors import SettingError
from nodegen.evaluation.reader_study.backgrounds import Grounds, boxes_in, drawn_into
from nodegen.evaluation.reader_study.plan import StudyCase, StudyPlan, nodules_of, turns
from nodegen.evaluation.reader_study.radiographs import Film, Place
from nodegen.renderer import Renderer

FILM_SHARE = 1 / 3  # of a marking study's films: real, synthetic, untouched
MOST_NODULES = 3  # synthetic ones in a film that is marked


def draw_films(
    plan: StudyPlan, real: Sequence[Film], untouched: Sequence[Film], made: Sequence[Film],
    renderers: Mapping[str, Renderer], grounds: Grounds, rng: np.random.Generator,
) -> list[StudyCase]:  # fmt: skip
    """Draw whole films: with real nodules, with synthetic ones, and untouched.

    Parameters and faults as :func:`nodegen.evaluation.reader_study.plan_study`.
    """
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
        drawn_films = [made[i] for i in rng.permutation(len(made))[:each]]
        cases += [_film_case("synthetic", film, film.group) for film in drawn_films]
        return cases
    nodules = nodules_of(plan, real)
    methods = turns(list(renderers), each, rng)
    for host, model, method in zip(blank[empty : empty + each], shown, methods, strict=True):
        boxes = boxes_in(host, nodules, min(len(model.boxes), MOST_NODULES), grounds, rng)
        seed = int(rng.integers(2**31))
        drawn = drawn_into(host, boxes, seed, method, renderers[method])
        made_film = replace(host, pixels=drawn[0].pixels, boxes=tuple(boxes))
        cases.append(_film_case("synthetic", made_film, method))
    return cases


def _film_case(kind: str, film: Film, method: str = "") -> StudyCase:
    places = tuple(Place(kind, film, box, film.pixels, method=method) for box in film.boxes)
    return StudyCase(places, kind=kind, film=film, strata={"method": method})
