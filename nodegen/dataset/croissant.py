"""The data card: Croissant, in which data sets for machine learning are described."""

import hashlib
import json

from nodegen import __version__
from nodegen.dataset.formats.table import COLUMNS
from nodegen.dataset.plan import Plan
from nodegen.dataset.write import Record

INTEGERS = ("x_min", "y_min", "x_max", "y_max", "given_x_min", "given_y_min", "given_x_max",
            "given_y_max", "slice", "seed", "order")  # fmt: skip
FLOATS = ("size_mm", "contrast", "visibility")
ENCODINGS = {".json": "application/json", ".csv": "text/csv", ".jsonl": "application/jsonlines"}


def croissant(plan: Plan, records: list[Record], files: dict[str, bytes]) -> str:
    """The card's text, JSON-LD.

    Parameters
    ----------
    plan : Plan
        Of the whole set, which says how many radiographs it is made from.
    records : list of dict
        Of the images that were made.
    files : dict
        Name and content of the files of the whole set.
    """
    import mlcroissant

    def kind(name: str) -> str:
        types = mlcroissant.DataType
        return str(
            types.INTEGER if name in INTEGERS else types.FLOAT if name in FLOATS else types.TEXT
        )

    nodules = sum(len(record["nodules"]) for record in records)
    patients = {record["patient"] for record in records}
    card = mlcroissant.Metadata(
        name="radiographs-with-synthetic-nodules",
        description=(
            f"{len(records)} chest radiographs with {nodules} synthetic lung nodules, drawn by "
            f"nodegen {__version__} into {len(plan.sources)} radiographs of {len(patients)} "
            "patients. The nodules are synthetic: the set is for training detectors, not for "
            "diagnosis. The license is that of the radiographs, which nodegen does not know."
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
                encoding_formats=[ENCODINGS[name[name.rfind(".") :]]],
                sha256=hashlib.sha256(content).hexdigest(),
            )
            for name, content in sorted(files.items())
            if name[name.rfind(".") :] in ENCODINGS
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
                        data_types=[kind(name)],
                        source=mlcroissant.Source(
                            file_object="boxes.csv", extract=mlcroissant.Extract(column=name)
                        ),
                    )
                    for name in COLUMNS
                ],
            )
        ],
        data_collection=f"Settings: {json.dumps(plan.settings.described())}",
        data_limitations=["Synthetic nodules in radiographs that may hold findings of their own."],
    )
    return json.dumps(card.to_json(), indent=1) + "\n"
