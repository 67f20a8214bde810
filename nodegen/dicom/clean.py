"""Elements as DICOM wants them, whatever a file holds: read by a tolerant reader, once."""

import math
import re
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
SPACING_MM = (0.005, 10.0)  # sizes of a pixel that are believed
UTF_8 = "ISO_IR 192"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.A)


def clean(dataset: "Dataset") -> None:
    """Mend or remove, in place, what cannot be read or may not be written.

    Decimals are read with a comma for the point as well, and shortened to what DICOM allows; sizes
    of a pixel with one value count for both sides, and such as no radiograph has are removed, as
    are dates that are none and elements that cannot be read. Text is brought to UTF-8.
    """
    from pydicom.valuerep import DA, DT, TM

    for tag in list(dataset.keys()):
        if tag.group == 0:  # of a message, not of a file: zeros behind the last element
            del dataset[tag]
            continue
        if tag.group == 0x7FE0:
            continue
        vr = _vr(dataset, tag)
        if vr == "DS":
            _mend_decimals(dataset, tag)
            continue
        try:
            element = dataset[tag]
            if element.VR == "SQ":
                for item in element.value:
                    clean(item)
            elif element.VR in ("DA", "TM", "DT") and element.value:
                for value in element.value if element.VM > 1 else [element.value]:
                    {"DA": DA, "TM": TM, "DT": DT}[element.VR](value)
        except Exception:  # each kind of value has faults of its own
            del dataset[tag]
    with suppress(Exception):
        dataset.decode()
    if "SpecificCharacterSet" in dataset:
        dataset.SpecificCharacterSet = UTF_8


def _vr(dataset: "Dataset", tag: int) -> str:
    from pydicom.datadict import dictionary_VR

    vr = getattr(dataset.get_item(tag), "VR", None)
    if vr in (None, "UN"):
        with suppress(KeyError):
            return str(dictionary_VR(tag))
    return str(vr)


def _mend_decimals(dataset: "Dataset", tag: int) -> None:
    from pydicom.datadict import keyword_for_tag
    from pydicom.valuerep import format_number_as_ds, is_valid_ds

    given = dataset.get_item(tag).value
    if isinstance(given, bytes):
        text = given.decode("latin-1")
    else:
        many = given if isinstance(given, (list, tuple)) or hasattr(given, "append") else [given]
        text = "" if given is None else "\\".join(map(str, many))
    words = [word.strip(" \0") for word in text.split("\\")]
    if len(words) == 1 and re.fullmatch(r"[^,]*\.[^,]*(,[^,]*\.[^,]*)+", words[0]):
        words = [word.strip() for word in words[0].split(",")]  # commas between, not within
    words = [word.replace(",", ".") for word in words]
    if not any(words):
        del dataset[tag]
        return
    name = keyword_for_tag(tag)
    numbers = [float(w) if _NUMBER.fullmatch(w) else math.nan for w in words]
    good = all(map(math.isfinite, numbers))
    if name in SPACINGS:
        if len(numbers) == 1:
            numbers, words = numbers * 2, words * 2
        good = len(numbers) == 2 and all(SPACING_MM[0] <= v <= SPACING_MM[1] for v in numbers)
    if not good:
        del dataset[tag]
        return
    pairs = zip(words, numbers, strict=True)
    short = [word if is_valid_ds(word) else format_number_as_ds(value) for word, value in pairs]
    dataset.add_new(tag, "DS", short if len(short) > 1 else short[0])
