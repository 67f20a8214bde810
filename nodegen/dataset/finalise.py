"""Write the files of a whole set: index files, manifest, data card, report, contact sheet."""

import hashlib
import json
from collections import Counter
from pathlib import PurePath

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nodegen import __version__
from nodegen.dataset.dataset_plan import PLAN, DatasetPlan
from nodegen.dataset.dataset_settings import SPLITS
from nodegen.dataset.formats import COLUMNS, FLOATS, INDEX, INTEGERS, Record, by_split
from nodegen.dataset.png import png
from nodegen.io.boxes import Box
from nodegen.io.files import write_bytes
from nodegen.io.preview import around, eight_bit, resized
from nodegen.io.radiograph import read_radiograph
from nodegen.io.store import Store
from nodegen.io.tables import markdown_table

SUMS = "SHA256SUMS"  # written last
ENCODINGS = {".json": "application/json", ".csv": "text/csv", ".jsonl": "application/jsonlines"}
# Of the report: percentiles, and what is measured, with its digits.
AT = (5, 25, 50, 75, 95)
MEASURED = (
    ("larger side of what is visible, mm", 1, "size_mm"),
    ("contrast, of the image's range", 3, "contrast"),
    ("visibility, contrast to noise", 2, "visibility"),
)
# Of the contact sheet.
SHOWN = 24  # images, spread over the set
ACROSS = 6
TILE_PX = 256
ENLARGED = 96  # height of the lower part of a tile, which shows its nodules, px
HEAD_PX = 24  # height of the line that says how many images are shown
INK = (255, 176, 0)


def finalise_set(plan: DatasetPlan, output: Store, records: list[Record]) -> None:
    """Write the files of the whole set, from the records of all images in the plan's order.

    No byte of them depends on who made which image.
    """
    # Shards may see the set complete at the same time.
    with output.locked(), output.staged(SUMS) as folder:
        made = [record for record in records if "skipped" not in record]
        texts: dict[str, str] = {}
        for name in ("csv", *plan.settings.formats):
            texts |= INDEX[name](made, plan.settings)
        texts["manifest.jsonl"] = "".join(map(_line, records))
        texts["report.md"] = _report(plan, records)
        written = {PLAN: plan.text().encode()} | {n: text.encode() for n, text in texts.items()}
        written["croissant.json"] = _data_card(plan, made, written).encode()
        written["contact_sheet.png"] = _contact_sheet(output, made)
        sums = {name: file["sha256"] for r in made for name, file in r["files"].items()}
        sums |= {name: hashlib.sha256(content).hexdigest() for name, content in written.items()}
        written[SUMS] = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()
        for name, content in written.items():
            write_bytes(folder / name, content)


def _line(record: Record) -> str:
    """A record in the manifest, without masks and tracebacks."""
    kept = {name: value for name, value in record.items() if name != "traceback"}
    kept["nodules"] = [
        {name: value for name, value in nodule.items() if name != "rle"}
        for nodule in record.get("nodules", [])
    ]
    return json.dumps(kept) + "\n"


def _data_card(plan: DatasetPlan, records: list[Record], files: dict[str, bytes]) -> str:
    """Croissant, in which data sets for machine learning are described, JSON-LD."""
    from mlcroissant import DataType, Extract, Field, FileObject, Metadata, RecordSet, Source

    kinds = dict.fromkeys(INTEGERS, DataType.INTEGER) | dict.fromkeys(FLOATS, DataType.FLOAT)
    listed = [
        FileObject(
            id=name,
            name=name,
            content_url=name,
            encoding_formats=[ENCODINGS[PurePath(name).suffix]],
            sha256=hashlib.sha256(files[name]).hexdigest(),
        )
        for name in sorted(files)
        if name != PLAN and PurePath(name).suffix in ENCODINGS
    ]
    fields = [
        Field(
            id=f"nodules/{name}",
            name=name,
            data_types=[str(kinds.get(name, DataType.TEXT))],
            source=Source(file_object="boxes.csv", extract=Extract(column=name)),
        )
        for name in COLUMNS
    ]
    rows = RecordSet(
        id="nodules",
        name="nodules",
        description="A row for each nodule; an image without any has one without a box.",
        fields=fields,
    )
    card = Metadata(
        name="radiographs-with-synthetic-nodules",
        description=(
            f"{len(records)} chest radiographs with {sum(len(r['nodules']) for r in records)} "
            f"synthetic lung nodules, drawn by nodegen {__version__} into {len(plan.sources)} "
            f"radiographs of {len({r['patient'] for r in records})} patients. The nodules are "
            "synthetic: the set is for training detectors, not for diagnosis. The license is that "
            "of the radiographs, which nodegen does not know."
        ),
        version="1.0.0",
        license=["https://choosealicense.com/no-permission/"],
        url="https://node21.grand-challenge.org/",
        cite_as=(
            "Synthetic lung nodules by nodegen; cite the radiographs' own source and NODE21 "
            "(Sogancioglu et al., 2024)."
        ),
        distribution=listed,
        record_sets=[rows],
        data_collection=f"Settings: {json.dumps(plan.settings.described())}",
        data_limitations=["Synthetic nodules in radiographs that may hold findings of their own."],
    )
    return json.dumps(card.to_json(), indent=1) + "\n"


def _report(plan: DatasetPlan, records: list[Record]) -> str:
    """What came out, against what was asked, as a page of Markdown."""
    made = [record for record in records if "skipped" not in record]
    skipped = {record["source"]: record["skipped"] for record in records if "skipped" in record}
    nodules = [nodule for record in made for nodule in record["nodules"]]
    parts = [
        "# Training set",
        f"{len(made)} images with {len(nodules)} synthetic nodules, by nodegen {__version__}. "
        "See `contact_sheet.png` for its look, `manifest.jsonl` for each image's source, recipe "
        "and hashes, `plan.json` for all settings.",
        markdown_table(
            ("split", "patients", "radiographs", "images", "without nodules", "nodules"),
            [_counts(split, by_split(made).get(split, [])) for split in SPLITS],
        ),
    ]
    if nodules:
        measured = [
            (name, *(f"{v:.{digits}f}" for v in np.percentile([n[key] for n in nodules], AT)))
            for name, digits, key in MEASURED
        ]
        places, classes = (
            ", ".join(f"{name} {count}" for name, count in sorted(Counter(names).items()))
            for names in ([n["region"] for n in nodules], [n["recipe"]["signal"] for n in nodules])
        )
        parts += [
            markdown_table(("of the nodules", *(f"{p}th percentile" for p in AT)), measured),
            f"Places: {places}. Classes: {classes}.",
        ]
    if empty := plan.settings.empty({record["split"] for record in made}):
        parts.append(f"No images in {' and '.join(empty)}: too few patients for that split.")
    again = sum(len(record["faults"]) > 1 for record in made)
    kept = [record["name"] for record in made if not record["passed"]]
    parts.append(
        f"Gate: {again} images had nodules drawn again; {len(kept)} were kept though they did not "
        f"pass{': ' + ', '.join(kept[:20]) if kept else ''}."
    )
    if skipped:
        parts.append(f"{len(skipped)} radiographs could not be used:")
        parts.append("\n".join(f"- `{name}`: {why}" for name, why in sorted(skipped.items())))
    return "\n\n".join(parts) + "\n"


def _counts(split: str, here: list[Record]) -> tuple[object, ...]:
    return (
        split,
        len({record["patient"] for record in here}),
        len({(record["source"], record["slice"]) for record in here}),
        len(here),
        sum(not record["nodules"] for record in here),
        sum(len(record["nodules"]) for record in here),
    )


def _contact_sheet(output: Store, records: list[Record]) -> bytes:
    """A PNG: of each image the whole with its boxes, and under it its nodules enlarged."""
    step = max(len(records) / SHOWN, 1)
    chosen = [records[int(i * step)] for i in range(min(SHOWN, len(records)))]
    height, down = TILE_PX + ENLARGED, -(-max(len(chosen), 1) // ACROSS)
    sheet = Image.new("RGB", (ACROSS * TILE_PX, HEAD_PX + down * height))
    said = f"{len(chosen)} of {len(records)} images; each nodule below, windowed by itself"
    ImageDraw.Draw(sheet).text((4, 4), said, fill=INK, font=ImageFont.load_default(14))
    for number, record in enumerate(chosen):
        row, column = divmod(number, ACROSS)
        sheet.paste(_tile(output, record), (column * TILE_PX, HEAD_PX + row * height))
    return png(np.asarray(sheet))


def _tile(output: Store, record: Record) -> Image.Image:
    pixels = _pixels(output, record)
    tile = Image.new("RGB", (TILE_PX, TILE_PX + ENLARGED))
    small, scale = resized(Image.fromarray(pixels), TILE_PX, Image.Resampling.BOX)
    grey = np.asarray(small)
    shown = grey[grey > grey.min()] if (grey > grey.min()).any() else grey
    tile.paste(Image.fromarray(eight_bit(grey, (1, 99.5), of=shown)))
    pen, side = ImageDraw.Draw(tile), TILE_PX // 3
    for number, nodule in enumerate(record["nodules"]):
        pen.rectangle([value * scale for value in nodule["box"]], outline=INK)
        if number < TILE_PX // side:
            cut = pixels[around(Box(0, *nodule["given"]), pixels.shape, 2)]
            close, _ = resized(Image.fromarray(eight_bit(cut)), side, Image.Resampling.BICUBIC)
            tile.paste(close, (number * side, TILE_PX))
    pen.text((4, 4), record["name"], fill=INK, font=ImageFont.load_default(12))
    return tile


def _pixels(output: Store, record: Record) -> np.ndarray:
    """The image, float32 (row, column), from whichever of its files is there."""
    image = next(name for name in sorted(record["files"]) if "/images" in f"/{name}")
    with output.local(image) as path:
        return read_radiograph(path).pixels.astype(np.float32)
