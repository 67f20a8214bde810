"""The plan of a set: which radiograph, how many nodules, which split and seed each image has.

All of it follows from the settings and the list of radiographs, so every process, shard and later
run draws the same plan.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nodegen import __version__
from nodegen.dataset.dataset_settings import NONE, SPLITS, DatasetSettings, derived_seed
from nodegen.dataset.sources import Source, find_files, read_sources
from nodegen.errors import OutputError
from nodegen.io.files import write_bytes
from nodegen.io.store import Store, check_apart

PLAN, FORMAT, RECORDS = "plan.json", "nodegen-dataset-2", "records/"


@dataclass(frozen=True)
class PlannedImage:
    """One image of the set."""

    name: str
    source: int  # place in the plan's list of radiographs
    split: str
    nodules: int
    seed: int  # of its places, nodules and noise and blur

    @property
    def record(self) -> str:
        """The name of its record in the set."""
        return f"{RECORDS}{self.name}.json"


@dataclass(frozen=True)
class DatasetPlan:
    """The whole set before anything is made."""

    settings: DatasetSettings
    roots: dict[str, Store]  # where each radiograph's file lies; not kept
    sources: list[Source]
    images: list[PlannedImage]
    copies: int = 0  # files that are copies of others; not kept, and 0 in a plan that is resumed

    def text(self) -> str:
        """The plan as it is kept: the same for the same radiographs, wherever they lie."""
        head = {"format": FORMAT, "nodegen": __version__, "settings": self.settings.described()}
        parts = [json.dumps(head, indent=1)[:-2]]
        for name, entries in (("sources", self.sources), ("images", self.images)):
            lines = ",\n  ".join(json.dumps(asdict(entry)) for entry in entries)
            parts.append(f' "{name}": [\n  {lines}\n ]')
        return ",\n".join(parts) + "\n}\n"


def draw_plan(
    inputs: Sequence[str | Path], settings: DatasetSettings, output: Store | None = None
) -> DatasetPlan:
    """Draw the plan of a set from radiographs in files, folders and at addresses.

    A plan of the same files that lies in the output says how many radiographs each holds, so that
    they need not be opened again.
    """
    if output is not None:
        check_apart(inputs, output.address)
    roots = find_files(inputs)
    kept = _kept_sources(output, roots, settings)
    sources, copies = (kept, 0) if kept else read_sources(roots, settings.patient_pattern)
    splits = _splits([source.patient for source in sources], settings)
    rng = np.random.default_rng([settings.seed, 1])
    total = settings.images or len(sources) * (settings.copies or 0)
    order = rng.permutation(len(sources))
    low, high = settings.per_image
    digits = max(5, len(str(total)))
    images = [
        PlannedImage(
            name=f"s{number:0{digits}d}",
            source=int(source),
            split=splits[sources[source].patient],
            nodules=int(rng.integers(low, high + 1)),
            seed=derived_seed(settings.seed, "image", number),
        )
        for number, source in enumerate(np.resize(order, total))
    ]
    return DatasetPlan(settings, roots, sources, images, copies)


def keep_plan(plan: DatasetPlan, output: Store, *, overwrite: bool = False) -> None:
    """Write the plan, or check that the one that lies there is the same, or the beginning of it.

    With `overwrite` any plan that lies there is replaced.
    """
    with output.locked():  # against a run that begins at the same time
        kept = _kept(output)
        if kept is None:
            if output.sizes():
                raise OutputError(
                    f"{output} is not empty and holds no set; give an empty --output."
                )
            output.create(PLAN, plan.text().encode())
            kept = _kept(output)
        if kept != plan.text():
            try:
                why = _difference(json.loads(kept or ""), json.loads(plan.text()))
            except (ValueError, KeyError, TypeError, AttributeError):
                why = "whose plan.json cannot be read; give that file back"
            if why and not overwrite:
                raise OutputError(
                    f"{output} holds a set {why}, another --output, or --overwrite to replace it."
                )
            with output.staged(PLAN) as folder:
                write_bytes(folder / PLAN, plan.text().encode())


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str | None:
    """What a plan that lies there has otherwise, with the remedy; None where it may be extended."""
    version, known = one["nodegen"], one["settings"]
    if (one["format"], version) != (other["format"], other["nodegen"]):
        return f"that nodegen {version} began, and this is {__version__}; finish it by that version"
    extended = len(one["images"]) <= len(other["images"])
    differing = [
        f"{name} {known.get(name, NONE)} (now {value})"
        for name, value in other["settings"].items()
        if known.get(name) != value and not (extended and name in ("--images", "--copies"))
    ]
    if differing:
        return f"that was begun with {', '.join(differing)}; give the same"
    if one["sources"] != other["sources"]:
        paths = [
            {(s["path"], s["slice"], s["patient"]) for s in p["sources"]} for p in (one, other)
        ]
        odd = sorted(paths[0] ^ paths[1])
        which = f"{odd[0][0]} for one" if odd else "in another order"
        return f"of other radiographs, {which}; give the same"
    return None


def _kept(output: Store) -> str | None:
    try:
        return output.read(PLAN).decode()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _kept_sources(
    output: Store | None, roots: Mapping[str, Store], settings: DatasetSettings
) -> list[Source] | None:
    """The radiographs of the plan that lies there, where they are of these files and patients."""
    try:
        kept = json.loads((_kept(output) if output else None) or "{}")
        sources = [Source(**entry) for entry in kept.get("sources", [])]
        pattern = kept.get("settings", {}).get("--patient-pattern")
    except (ValueError, TypeError, AttributeError):
        return None  # no plan of ours: said when it is compared
    if pattern != settings.described()["--patient-pattern"]:
        return None
    return sources if [s.path for s in sources if s.slice == 0] == list(roots) else None


def _splits(patients: list[str], settings: DatasetSettings) -> dict[str, str]:
    """Give each patient to the split that lacks most; with few patients, train comes first."""
    radiographs = Counter(patients)
    ordered = sorted(
        radiographs, key=lambda p: hashlib.sha256(f"{settings.seed} {p}".encode()).digest()
    )
    shares = np.array(settings.split) / sum(settings.split)
    filled = np.zeros(len(SPLITS))
    splits = {}
    for patient in ordered:
        lacking = shares * len(patients) - filled
        lacking[shares == 0] = -np.inf
        chosen = int(lacking.argmax())
        filled[chosen] += radiographs[patient]
        splits[patient] = SPLITS[chosen]
    return splits
