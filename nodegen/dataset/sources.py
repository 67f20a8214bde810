"""The radiographs that a set is made from: their files, and the patient of each."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from nodegen.dicom.read import START_BYTES, begins_as_dicom
from nodegen.errors import OutputError, SettingError, StackError
from nodegen.io.radiograph import find_radiographs, reads_as_dicom
from nodegen.io.stack import PICTURES, READABLE, bare_name, count_slices, may_be_radiograph
from nodegen.io.store import Store

BY_ID = "id "  # before what stands for a patient's ID until it has a number
NIH_PATIENT = re.compile(r"^(\d{8})_\d{3}$")  # ChestX-ray14: patient, follow-up
# A folder of CheXpert (patient00001) or MIMIC-CXR (p10000032).
PATIENT_FOLDER = re.compile(r"(?:^|/)(p(?:atient)?\d{5,})/")
MIDDLE_BYTES = 1 << 12  # of files of one size, by which most are told to differ


@dataclass(frozen=True)
class Source:
    """One radiograph that images are made from; images of one patient stay in one split."""

    path: str  # of the file, relative to the folder that was given
    slice: int
    patient: str  # from the DICOM file, or the file's name or folder


def find_files(inputs: Sequence[str | Path]) -> dict[str, Store]:
    """Find radiographs in files, folders and at addresses: name and store of each, sorted."""
    stores = [Store.at(given) for given in inputs]
    folders = [store.folder for store in stores if store.folder is not None]
    found: dict[str, tuple[str, Store]] = {}
    for path, folder in find_radiographs(folders) if folders else ():
        found[str(path)] = path.relative_to(folder).as_posix(), Store(str(folder))
    for store in stores:
        if store.folder is None:
            for name, root in _find_remote(store):
                found.setdefault(f"{root}/{name}", (name, root))
    roots: dict[str, Store] = {}
    for whole in sorted(found, key=PurePosixPath):
        name, store = found[whole]
        if name in roots:
            raise SettingError(
                f"{whole} and {roots[name]}/{name} have the same name; give the folder above both."
            )
        roots[name] = store
    return roots


def _find_remote(store: Store) -> list[tuple[str, Store]]:
    """Find files as local ones are found: by their suffix, or by how they begin."""
    names = list(store.sizes())
    if names == [""]:  # a file itself
        folder, _, name = store.address.rpartition("/")
        return [(name, Store(folder))]
    found = [name for name in names if may_be_radiograph(PurePosixPath(name))]
    odd = [name for name in found if PurePosixPath(name).suffix.lower() not in READABLE]
    starts = dict(zip(odd, store.parts([(name, 0, START_BYTES) for name in odd]), strict=True))
    found = [name for name in found if name not in starts or begins_as_dicom(starts[name])]
    if not found:
        raise StackError(
            f"There is no radiograph in {store}; give files or folders of {', '.join(READABLE)}, "
            "or of DICOM under any name."
        )
    return [(name, store) for name in found]


def read_sources(roots: Mapping[str, Store], pattern: str | None) -> tuple[list[Source], int]:
    """Find each file's slices and patient, by a pattern or as its format says.

    Copies of a file belong to one patient; how many files are copies is returned, too. A patient
    known by an ID gets a number instead, since a hash of an ID can be found out.
    """
    sources = [one for name, root in roots.items() for one in _sources_of(name, root, pattern)]
    patient_of = {source.path: source.patient for source in sources}
    together = {patient: [patient] for patient in patient_of.values()}
    copies = _copies(roots)
    for one, *others in copies:
        mine = together[patient_of[one]]
        for other in others:
            theirs = together[patient_of[other]]
            if theirs is not mine:
                mine += theirs
                together |= dict.fromkeys(theirs, mine)
    numbers: dict[str, str] = {}
    for place, source in enumerate(sources):
        patient = together[source.patient][0]
        if patient.startswith(BY_ID):
            patient = numbers.setdefault(patient, f"patient-{len(numbers) + 1:05d}")
        sources[place] = replace(source, patient=patient)
    return sources, sum(len(same) - 1 for same in copies)


def _sources_of(name: str, root: Store, pattern: str | None) -> Iterator[Source]:
    """The radiographs of one file; one of PNG and JPEG is not opened for it."""
    if PurePosixPath(name).suffix.lower() in PICTURES:
        yield Source(name, 0, find_patient(Path(name), name, pattern))
        return
    try:
        with root.local(name) as path:
            patient, slices = find_patient(path, name, pattern), count_slices(path)
    except SettingError:
        raise
    except Exception:  # said when it is read, and then it is left out
        patient, slices = bare_name(name), 1
    for number in range(slices):
        yield Source(name, number, patient)


def _copies(roots: Mapping[str, Store]) -> list[list[str]]:
    """Names of files with the same content, in groups of two and more.

    Files of one size are compared by a few bytes of their middle first, so that few are read: there
    are pixels, where the beginning of one scanner's files may be alike.
    """
    sizes: dict[str, int] = {}
    for store, names in _by_store(roots, roots).items():
        sizes |= _sizes(store, names)
    seen = Counter(sizes.values())
    alike = [name for name, size in sizes.items() if seen[size] > 1]
    middles: dict[object, list[str]] = {}
    for store, names in _by_store(alike, roots).items():
        starts = [sizes[name] // 2 for name in names]
        parts = [(n, start, start + MIDDLE_BYTES) for n, start in zip(names, starts, strict=True)]
        for name, part in zip(names, store.parts(parts), strict=True):
            middles.setdefault((sizes[name], part or name), []).append(name)
    whole: dict[object, list[str]] = {}
    for same in middles.values():
        for name in same if len(same) > 1 else ():
            whole.setdefault(_digest(name, roots[name]), []).append(name)
    return [same for same in whole.values() if len(same) > 1]


def _digest(name: str, store: Store) -> object:
    try:
        return hashlib.sha256(store.read(name)).digest()
    except (OSError, OutputError):
        return name  # no copy of another: said when it is read


def _by_store(names: Iterable[str], roots: Mapping[str, Store]) -> dict[Store, list[str]]:
    stores: dict[Store, list[str]] = {}
    for name in names:
        stores.setdefault(roots[name], []).append(name)
    return stores


def _sizes(store: Store, names: list[str]) -> dict[str, int]:
    """Bytes of each file that can be seen."""
    if store.folder is None:
        found = store.sizes()
        return {name: found[name] for name in names if name in found}
    sizes = {}
    for name in names:
        with suppress(OSError):  # said when it is read
            sizes[name] = (store.folder / name).stat().st_size
    return sizes


def find_patient(path: Path, name: str, pattern: str | None = None) -> str:
    """Find the patient of a radiograph's file; a file that says none is a patient of its own.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Its path in the folder that was given, with ``/``.
    pattern : str, optional
        Regular expression whose first group is the patient, in the file's name or else in ``name``.
        None: DICOM's Patient ID, NIH's file names, folders of CheXpert and MIMIC-CXR.

    Raises
    ------
    SettingError
        Where the pattern is none, or finds nothing.
    """
    if pattern is None:
        if reads_as_dicom(path):
            from nodegen.dicom.read import patient_of

            known = " ".join((patient_of(path) or "").split())
            return f"{BY_ID}{known}" if known else bare_name(name)
        nih, folder = NIH_PATIENT.match(path.stem), PATIENT_FOLDER.search(name)
        return nih.group(1) if nih else folder.group(1) if folder else bare_name(name)
    try:
        found = re.search(pattern, path.name) or re.search(pattern, name)
    except re.error as error:
        raise SettingError(
            f"--patient-pattern {pattern!r} is no regular expression ({error}); mend it."
        ) from error
    if not found or not found.groups() or not found.group(1):
        raise SettingError(
            f"--patient-pattern {pattern!r} finds no group in {name}; give one whose first group "
            "is the patient, such as '^([0-9]+)_'."
        )
    return found.group(1)
