"""Write the files of a whole set: index files, manifest, data card, report, contact sheet."""

import hashlib
import json

from nodegen import __version__
from nodegen.dataset.contact_sheet import contact_sheet
from nodegen.dataset.dataset_plan import PLAN, DatasetPlan
from nodegen.dataset.dataset_report import dataset_report
from nodegen.dataset.formats import FORMATS, boxes_csv
from nodegen.dataset.records import Record
from nodegen.io.files import write_bytes
from nodegen.io.store import Store

SUMS = "SHA256SUMS"  # written last
ENCODINGS = {".json": "application/json", ".csv": "text/csv", ".jsonl": "application/jsonlines"}
DESCRIPTION = (
    "{images} chest radiographs with {nodules} synthetic lung nodules, drawn by nodegen {version} "
    "into {sources} radiographs of {patients} patients. The nodules are synthetic: the set is for "
    "training detectors, not for diagnosis. The license is that of the radiographs, which nodegen "
    "does not know."
)


def finalise_set(plan: DatasetPlan, output: Store, records: list[Record]) -> None:
    """Write the files of the whole set; no byte of them depends on who made which image.

    Parameters
    ----------
    plan : DatasetPlan
        Of the whole set.
    output : Store
        Where the set lies, with the files of its images.
    records : list of dict
        Of all images, in the plan's order.

    Raises
    ------
    OutputError
        Where a file cannot be written.
    """
    # Shards may see the set complete at the same time.
    with output.locked(), output.staged(SUMS) as folder:
        made = [record for record in records if "skipped" not in record]
        texts = dict(boxes_csv.index(made, plan.settings))
        for name in plan.settings.formats:
            texts |= dict(FORMATS[name].index(made, plan.settings))
        texts["manifest.jsonl"] = "".join(map(_line, records))
        texts["report.md"] = dataset_report(plan, records)
        written = {PLAN: plan.text().encode()} | {n: text.encode() for n, text in texts.items()}
        written["croissant.json"] = data_card(plan, made, written).encode()
        written["contact_sheet.png"] = contact_sheet(output, made)
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


def data_card(plan: DatasetPlan, records: list[Record], files: dict[str, bytes]) -> str:
    """The data card: Croissant, in which data sets for machine learning are described, JSON-LD.

    Parameters
    ----------
    plan : DatasetPlan
        Of the whole set, which says how many radiographs it is made from.
    records : list of dict
        Of the images that were made.
    files : dict
        Name and content of the files of the whole set.
    """
    import mlcroissant

    types = mlcroissant.DataType
    kinds = dict.fromkeys(boxes_csv.INTEGERS, types.INTEGER)
    kinds |= dict.fromkeys(boxes_csv.FLOATS, types.FLOAT)
    card = mlcroissant.Metadata(
        name="radiographs-with-synthetic-nodules",
        description=DESCRIPTION.format(
            images=len(records),
            nodules=sum(len(record["nodules"]) for record in records),
            version=__version__,
            sources=len(plan.sources),
            patients=len({record["patient"] for record in records}),
        ),
        version="1.0.0",
        license=["https://choosealicense.com/no-permission/"],
        url="https://node21.grand-challenge.org/",
        cite_as=(
            "Synthetic lung nodules by nodegen; cite the radiographs' own source and NODE21 "
            "(Sogancioglu et al., 2024)."
        ),
        distribution=[
            mlcroissant.FileObject(
                id=name,
                name=name,
                content_url=name,
                encoding_formats=[encoding],
                sha256=hashlib.sha256(content).hexdigest(),
            )
            for name, content in sorted(files.items())
            if name != PLAN and (encoding := ENCODINGS.get(name[name.rfind(".") :]))
        ],
        record_sets=[
            mlcroissant.RecordSet(
                id="nodules",
                name="nodules",
                description="A row for each nodule; an image without any has one without a box.",
                fields=[
                    mlcroissant.Field(
                        id=f"nodules/{name}",
                        name=name,
                        data_types=[str(kinds.get(name, types.TEXT))],
                        source=mlcroissant.Source(
                            file_object="boxes.csv", extract=mlcroissant.Extract(column=name)
                        ),
                    )
                    for name in boxes_csv.COLUMNS
                ],
            )
        ],
        data_collection=f"Settings: {json.dumps(plan.settings.described())}",
        data_limitations=["Synthetic nodules in radiographs that may hold findings of their own."],
    )
    return json.dumps(card.to_json(), indent=1) + "\n"
