"""The plan of a set: which radiograph, how many nodules, which split and seed each image has.

All of it follows from the settings and the list of radiographs, so every process, shard and later
run draws the same plan.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from nodegen import __version__
from nodegen.dataset.settings import SPLITS, DatasetSettings, derived_seed
from nodegen.dataset.sources import Source, find_files, numbered, sources_of
from nodegen.errors import OutputError
from nodegen.io.store import Store

PLAN, FORMAT = "plan.json", "nodegen-dataset-1"


@dataclass(frozen=True)
class Item:
    """One image of the set.

    Attributes
    ----------
    name : str
    source : int
        Place in the plan's list of radiographs.
    split : str
    nodules : int
    seed : int
        Of its places, nodules and noise and blur.
    """

    name: str
    source: int
    split: str
    nodules: int
    seed: int


@dataclass(frozen=True)
class Plan:
    """The whole set before anything is made."""

    settings: DatasetSettings
    roots: dict[str, Store]  # of each radiograph's file; not part of what is kept
    sources: list[Source]
    items: list[Item]

    def text(self) -> str:
        """The plan as it is kept: the same for the same radiographs, wherever they lie."""
        head = {"format": FORMAT, "nodegen": __version__, "settings": self.settings.described()}
        parts = [json.dumps(head, indent=1)[:-2]]
        for name, entries in (("sources", self.sources), ("items", self.items)):
            lines = ",\n  ".join(json.dumps(asdict(entry)) for entry in entries)
            parts.append(f' "{name}": [\n  {lines}\n ]')
        return ",\n".join(parts) + "\n}\n"

    def root(self, source: Source) -> Store:
        """Where a radiograph's file lies."""
        return self.roots[source.path]

    @cached_property
    def by_source(self) -> dict[int, list[Item]]:
        """The images that are made from each radiograph."""
        found: dict[int, list[Item]] = {}
        for item in self.items:
            found.setdefault(item.source, []).append(item)
        return found


def draw_plan(
    inputs: Sequence[str | Path], settings: DatasetSettings, output: Store | None = None
) -> Plan:
    """Draw the plan.

    Parameters
    ----------
    inputs : sequence of str or pathlib.Path
        Files and folders of radiographs, or fsspec's addresses of such.
    output : Store, optional
        Where a plan may lie already; from one of the same files it is taken how many radiographs
        each holds, so that they need not be opened again.

    Raises
    ------
    StackError
        Where there are no radiographs.
    SettingError
        Where the pattern of patients does not fit, or two files have the same name.
    """
    roots = find_files(inputs)
    sources = _kept_sources(output, roots) or numbered(
        [source for name, root in roots.items() for source in sources_of(name, root, settings)]
    )
    splits = _splits([source.patient for source in sources], settings)
    rng = np.random.default_rng([settings.seed, 1])
    total = settings.images or len(sources) * (settings.copies or 0)
    order = rng.permutation(len(sources))
    low, high = settings.nodules
    counts = rng.integers(low, high + 1, total)
    digits = max(5, len(str(total)))
    items = [
        Item(
            name=f"s{number:0{digits}d}",
            source=int(order[number % len(sources)]),
            split=splits[sources[order[number % len(sources)]].patient],
            nodules=int(counts[number]),
            seed=derived_seed(settings.seed, "image", number),
        )
        for number in range(total)
    ]
    return Plan(settings, roots, sources, items)


def keep_plan(plan: Plan, output: Store) -> None:
    """Write the plan, or see that the one that lies there is the same.

    Raises
    ------
    OutputError
        Where the folder holds another set, or other files.
    """
    with output.locked():  # against a run that begins at the same time
        if _kept(output) is None:
            if not output.is_empty():
                raise OutputError(
                    f"{output} is not empty and holds no set; give an empty --output."
                )
            output.create(PLAN, plan.text().encode())
        if _kept(output) != plan.text():
            raise OutputError(
                f"{output} holds a set with other radiographs or settings; give the same ones to "
                "go on with it, or another --output."
            )


def _kept(output: Store) -> str | None:
    try:
        return output.read(PLAN).decode()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _kept_sources(output: Store | None, roots: Mapping[str, Store]) -> list[Source] | None:
    """The radiographs of the plan that lies there, where they are of these files."""
    try:
        kept = json.loads((_kept(output) if output else None) or "{}")
        sources = [Source(**told) for told in kept.get("sources", [])]
    except (ValueError, TypeError, AttributeError):
        return None  # no plan of ours: said when it is compared
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
