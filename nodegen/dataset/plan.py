"""The plan of a set: which radiograph, how many nodules, which split and seed each image has.

All of it follows from the settings and the list of radiographs, so every process, shard and later
run draws the same plan.
"""

import hashlib
import json
import re
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nodegen import __version__
from nodegen.dataset.settings import SPLITS, DatasetSettings, derived_seed
from nodegen.errors import OutputError, SettingError
from nodegen.io.files import write_text
from nodegen.io.radiograph import DICOM, count_slices, find_radiographs

PLAN, FORMAT = "plan.json", "nodegen-dataset-1"
NIH_PATIENT = re.compile(r"^(\d{8})_\d{3}$")  # ChestX-ray14: patient, follow-up


@dataclass(frozen=True)
class Source:
    """One radiograph that images are made from.

    Attributes
    ----------
    path : str
        Of the file, relative to the folder that was given.
    slice : int
    patient : str
        From the file's name; images of one patient stay in one split.
    """

    path: str
    slice: int
    patient: str


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
        Of its places, nodules and finish.
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
    roots: dict[str, Path]  # of each radiograph's file; not part of what is kept
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

    def path(self, source: Source) -> Path:
        """Where a radiograph lies."""
        return self.roots[source.path] / source.path

    def of_source(self, number: int) -> list[Item]:
        """The images that are made from one radiograph."""
        return [item for item in self.items if item.source == number]


def draw_plan(inputs: list[Path], settings: DatasetSettings) -> Plan:
    """Draw the plan.

    Parameters
    ----------
    inputs : list of pathlib.Path
        Files and folders of radiographs.

    Raises
    ------
    StackError
        Where there are no radiographs.
    SettingError
        Where the pattern of patients does not fit, or two files have the same name.
    """
    sources: list[Source] = []
    roots: dict[str, Path] = {}
    for path, root in find_radiographs(inputs):
        name = path.relative_to(root).as_posix()
        if name in roots:
            raise SettingError(
                f"{root / name} and {roots[name] / name} have the same name; give the folder above "
                "both."
            )
        roots[name] = root
        patient = _patient(path, settings.patient_pattern)
        sources += [Source(name, number, patient) for number in range(count_slices(path))]
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


def keep_plan(plan: Plan, output: Path) -> None:
    """Write the plan, or see that the one that lies there is the same.

    Raises
    ------
    OutputError
        Where the folder holds another set, or other files.
    """
    kept = output / PLAN
    if kept.is_file():
        if kept.read_text() == plan.text():
            return
        raise OutputError(
            f"{output} holds a set with other radiographs or settings; give the same ones to go on "
            "with it, or another --output."
        )
    if output.is_dir() and any(not p.name.startswith(".") for p in output.iterdir()):
        raise OutputError(f"{output} is not empty and holds no set; give an empty --output.")
    write_text(kept, plan.text())


def _patient(path: Path, pattern: str | None) -> str:
    if pattern is None:
        if path.suffix.lower() in DICOM:
            from nodegen.io.dicom import patient_of

            return patient_of(path) or path.stem
        nih = NIH_PATIENT.match(path.stem)
        return nih.group(1) if nih else path.stem
    try:
        found = re.search(pattern, path.name)
    except re.error as error:
        raise SettingError(
            f"--patient-pattern {pattern!r} is no regular expression ({error}); mend it."
        ) from error
    if not found or not found.groups():
        raise SettingError(
            f"--patient-pattern {pattern!r} finds no group in {path.name}; give one whose first "
            "group is the patient, such as '^([0-9]+)_'."
        )
    return found.group(1)


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
