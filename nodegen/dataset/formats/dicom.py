"""DICOM: ``dicom/images/<split>/*.dcm``, and a segmentation for each in ``dicom/masks/<split>``.

Radiographs that came in DICOM keep their class (CR, DX) and their technique; given in the
original's own space they keep matrix, bits, grey scale and photometric interpretation, too. Others
become secondary captures. Nothing tells who the patient is unless that is asked for.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nodegen import __version__
from nodegen.dataset.example import Example
from nodegen.dataset.images import windowed
from nodegen.dataset.settings import DatasetSettings, derived_seed
from nodegen.io.files import write_bytes
from nodegen.io.radiograph import Radiograph, reads_as_dicom

COLUMNS = (
    "image", "sop_instance_uid", "masks", "segment", "x_min", "y_min", "x_max", "y_max", "size_mm",
)  # fmt: skip
SERIES = {True: (1, "Synthetic nodules"), False: (3, "Without synthetic nodules")}  # masks are 2


def write_image(
    output: Path,
    record: dict[str, Any],
    radiograph: Radiograph,
    example: Example,
    settings: DatasetSettings,
) -> list[str]:
    """Write the image, the same without nodules where pairs are asked for, and the masks."""
    from nodegen.dicom.segmentation import segmentation
    from nodegen.dicom.write import encoded

    place = f"{record['split']}/{record['name']}.dcm"
    names = [f"dicom/images/{place}"]
    image = _dataset(record, radiograph, example, settings, with_nodules=True)
    write_bytes(output / names[0], encoded(image))
    record["sop_instance_uid"] = str(image.SOPInstanceUID)
    if settings.pairs:
        names.append(f"dicom/untouched/{place}")
        pair = _dataset(record, radiograph, example, settings, with_nodules=False)
        write_bytes(output / names[-1], encoded(pair))
    if settings.masks and example.nodules:
        names.append(f"dicom/masks/{place}")
        found = [nodule.mask for nodule in example.nodules]
        masks = segmentation(image, found, _key(record, settings), __version__)
        write_bytes(output / names[-1], encoded(masks))
    return names


def index(records: list[dict[str, Any]], settings: DatasetSettings) -> Iterator[tuple[str, str]]:
    """Yield ``dicom/boxes.csv``: a row for each nodule, and one for each image that has none."""
    made = io.StringIO()
    writer = csv.DictWriter(made, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for record in records:
        place = f"{record['split']}/{record['name']}.dcm"
        image = {"image": f"images/{place}", "sop_instance_uid": record["sop_instance_uid"]}
        for number, nodule in enumerate(record["nodules"], 1):
            row = {**image, **dict(zip(COLUMNS[4:8], nodule["box"], strict=True))}
            if settings.masks:
                row |= {"masks": f"masks/{place}", "segment": number}
            writer.writerow({**row, "size_mm": nodule["size_mm"]})
        if not record["nodules"]:
            writer.writerow(image)
    yield "dicom/boxes.csv", made.getvalue()


def _key(record: dict[str, Any], settings: DatasetSettings) -> tuple[str, ...]:
    return (record["source_sha256"], str(settings.seed), record["name"], settings.space)


def _dataset(
    record: dict[str, Any],
    radiograph: Radiograph,
    example: Example,
    settings: DatasetSettings,
    with_nodules: bool,
) -> Any:
    """One image of a pair."""
    from nodegen.dicom.read import GreyScale, stored_frame
    from nodegen.dicom.write import Told, in_new_form, in_stored_form

    source = frame = None
    study = record["source_sha256"]
    if reads_as_dicom(radiograph.path):
        source, frame = stored_frame(radiograph.path, radiograph.slice)
        study = str(source.get("StudyInstanceUID", study))
    nodules = example.nodules if with_nodules else []
    told = Told(
        key=(*_key(record, settings), SERIES[with_nodules][1]),
        study=f"{study} {settings.seed}",
        patient=f"nodegen-{derived_seed(settings.seed, 'patient', record['patient']):016x}",
        number=int(record["name"][1:]) + 1,
        series=SERIES[with_nodules],
        derivation=_derivation(record, len(nodules), settings),
        version=__version__,
        synthetic=bool(nodules) or settings.render.noise_and_blur,
        keep_identity=settings.keep_identity,
    )
    if source is not None and frame is not None and settings.space == "original":
        grey = GreyScale.of(frame, source)
        change = example.change if with_nodules else np.zeros_like(example.change)
        return in_stored_form(source, grey.changed(frame, change), example.mm, told)
    pixels = example.image if with_nodules or example.untouched is None else example.untouched
    form = pixels if pixels.dtype == np.uint8 else windowed(pixels, radiograph.window, 16)
    window = radiograph.window if pixels.dtype.kind == "u" else (0.0, 65535.0)
    given = record.get("standardised") if settings.space == "drawn" else None
    believed = radiograph.spacing is not None and abs(radiograph.spacing[0] - example.mm) < 1e-3
    return in_new_form(
        source,
        form,
        window,
        example.mm,
        told,
        resampled=float(given["scale"]) if given else 1.0,
        calibrated=not believed,
    )


def _derivation(record: dict[str, Any], nodules: int, settings: DatasetSettings) -> str:
    parts = [f"{nodules} synthetic lung nodules drawn in by nodegen {__version__}"]
    if settings.standardise:
        form = "in NODE21's grey scale and crop"
        parts.append(
            f"drawn {form}, given in the original's" if settings.space == "original" else form
        )
    if settings.render.noise_and_blur:
        parts.append("noise and blur over the whole image")
    return f"{', '.join(parts)}. Image {record['name']} of the set, seed {record['seed']}."
