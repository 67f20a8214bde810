"""DICOM: ``dicom/images/<split>/*.dcm``, and a segmentation for each in ``dicom/masks/<split>``.

Radiographs that came in DICOM keep their class (CR, DX) and their technique; given in the
original's own space they keep matrix, bits, grey scale and photometric interpretation, too. Others
become secondary captures. Nothing says who the patient is unless that is asked for.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from nodegen import __version__
from nodegen.dataset.dataset_settings import DatasetSettings, derived_seed
from nodegen.dataset.example import Example
from nodegen.dataset.png import windowed
from nodegen.io.radiograph import reads_as_dicom
from nodegen.io.tables import csv_text

COLUMNS = (
    "image", "sop_instance_uid", "masks", "segment", "x_min", "y_min", "x_max", "y_max", "size_mm",
)  # fmt: skip
SERIES = {True: (1, "Synthetic nodules"), False: (3, "Without synthetic nodules")}  # masks are 2


def image_files(
    record: dict[str, Any], example: Example, settings: DatasetSettings
) -> Iterator[tuple[str, bytes]]:
    """Yield the image, the same without nodules where pairs are asked for, and the masks."""
    from nodegen.dicom.segmentation import segmentation
    from nodegen.dicom.write import encoded

    place = f"{record['split']}/{record['name']}.dcm"
    image = _dataset(record, example, settings, with_nodules=True)
    yield f"dicom/images/{place}", encoded(image)
    record["sop_instance_uid"] = str(image.SOPInstanceUID)
    if settings.pairs:
        pair = _dataset(record, example, settings, with_nodules=False)
        yield f"dicom/untouched/{place}", encoded(pair)
    if settings.masks and example.nodules:
        found = [nodule.mask for nodule in example.nodules]
        masks = segmentation(image, found, _key(record, settings))
        yield f"dicom/masks/{place}", encoded(masks)


def index(records: list[dict[str, Any]], settings: DatasetSettings) -> Iterator[tuple[str, str]]:
    """Yield ``dicom/boxes.csv``: a row for each nodule, and one for each image that has none."""
    rows: list[tuple[object, ...]] = []
    for record in records:
        place = f"{record['split']}/{record['name']}.dcm"
        image = (f"images/{place}", record["sop_instance_uid"])
        nodules = []
        for number, nodule in enumerate(record["nodules"], 1):
            mask = (f"masks/{place}", number) if settings.masks else ("", "")
            nodules.append((*image, *mask, *nodule["box"], str(nodule["size_mm"])))
        rows += nodules or [image]
    yield "dicom/boxes.csv", csv_text(COLUMNS, rows)


def _key(record: dict[str, Any], settings: DatasetSettings) -> tuple[str, ...]:
    return (record["source_sha256"], str(settings.seed), record["name"], settings.space)


def _dataset(
    record: dict[str, Any], example: Example, settings: DatasetSettings, with_nodules: bool
) -> Any:
    """One image of a pair."""
    from nodegen.dicom.grey_scale import GreyScale
    from nodegen.dicom.read import stored_frame
    from nodegen.dicom.write import Derivation, in_new_form, in_stored_form

    radiograph, source, frame = example.radiograph, None, None
    study = record["source_sha256"]
    if reads_as_dicom(radiograph.path):
        source, frame = stored_frame(radiograph.path, radiograph.slice)
        study = str(source.get("StudyInstanceUID", study))
    nodules = len(example.nodules) if with_nodules else 0
    derivation = Derivation(
        key=(*_key(record, settings), SERIES[with_nodules][1]),
        study=f"{study} {settings.seed}",
        patient=f"nodegen-{derived_seed(settings.seed, 'patient', record['patient']):016x}",
        number=int(record["name"][1:]) + 1,
        series=SERIES[with_nodules],
        description=_description(record, nodules, settings),
        synthetic=bool(nodules or settings.render.noise_and_blur),
        keep_identity=settings.keep_identity,
    )
    if source is not None and frame is not None and settings.space == "original":
        grey = GreyScale.of(frame, source)
        change = example.change if with_nodules else np.zeros_like(example.change)
        return in_stored_form(source, grey.changed(frame, change), example.mm, derivation)
    pixels = example.image if with_nodules or example.untouched is None else example.untouched
    window = radiograph.window if pixels.dtype.kind == "u" else (0.0, 65535.0)
    crop = record.get("standardised") if settings.space == "drawn" else None
    believed = radiograph.spacing is not None and abs(radiograph.spacing[0] - example.mm) < 1e-3
    return in_new_form(
        source,
        pixels if pixels.dtype == np.uint8 else windowed(pixels, radiograph.window, 16),
        window,
        example.mm,
        derivation,
        resampled=float(crop["scale"]) if crop else 1.0,
        calibrated=not believed,
    )


def _description(record: dict[str, Any], nodules: int, settings: DatasetSettings) -> str:
    parts = [f"{nodules} synthetic lung nodules drawn in by nodegen {__version__}"]
    if settings.standardise:
        form, back = "in NODE21's grey scale and crop", settings.space == "original"
        parts.append(f"drawn {form}, given in the original's" if back else form)
    if settings.render.noise_and_blur:
        parts.append("noise and blur over the whole image")
    return f"{', '.join(parts)}. Image {record['name']} of the set, seed {record['seed']}."
