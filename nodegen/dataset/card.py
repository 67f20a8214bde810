"""The data card: Croissant 1.0, JSON-LD, in which data sets for machine learning are described."""

import hashlib
import json
from typing import Any

from nodegen import __version__
from nodegen.dataset.formats.table import COLUMNS
from nodegen.dataset.plan import Plan
from nodegen.dataset.write import Record

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
NUMBERS = {
    **dict.fromkeys(("x_min", "y_min", "x_max", "y_max", "slice", "seed", "order"), "sc:Integer"),
    **dict.fromkeys(("given_x_min", "given_y_min", "given_x_max", "given_y_max"), "sc:Integer"),
    **dict.fromkeys(("size_mm", "contrast", "visibility"), "sc:Float"),
}
ENCODINGS = {".json": "application/json", ".csv": "text/csv", ".jsonl": "application/jsonlines"}


def croissant(plan: Plan, records: list[Record], files: dict[str, bytes]) -> str:
    """The card's text.

    Parameters
    ----------
    records : list of dict
        Of the images that were made.
    files : dict
        Name and content of the files that tell of the whole set.
    """
    nodules = sum(len(record["nodules"]) for record in records)
    patients = {record["patient"] for record in records}
    described = {n: c for n, c in files.items() if n[n.rfind(".") :] in ENCODINGS}
    card: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": "radiographs-with-synthetic-nodules",
        "description": (
            f"{len(records)} chest radiographs with {nodules} synthetic lung nodules, made by "
            f"nodegen {__version__} from {len(plan.sources)} radiographs of {len(patients)} "
            "patients. The nodules are synthetic: the set is for training detectors, not for "
            "diagnosis. The license is that of the radiographs, which nodegen does not know."
        ),
        "version": "1.0.0",
        "license": "https://choosealicense.com/no-permission/",
        "url": "https://node21.grand-challenge.org/",
        "citeAs": (
            "Synthetic lung nodules by nodegen; cite the radiographs' own source and NODE21 "
            "(Sogancioglu et al., 2024)."
        ),
        "distribution": [_file(name, content) for name, content in sorted(described.items())],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "nodules",
                "name": "nodules",
                "description": "A row for each nodule; an image without any has one without a box.",
                "field": [_column(name) for name in COLUMNS],
            }
        ],
        "rai:dataCollection": f"Settings: {json.dumps(plan.settings.described())}",
        "rai:dataLimitations": (
            "Synthetic nodules in radiographs that may hold findings of their own."
        ),
    }
    return json.dumps(card, indent=1) + "\n"


def _file(name: str, content: bytes) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "encodingFormat": ENCODINGS[name[name.rfind(".") :]],
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _column(name: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"nodules/{name}",
        "name": name,
        "dataType": NUMBERS.get(name, "sc:Text"),
        "source": {"fileObject": {"@id": "boxes.csv"}, "extract": {"column": name}},
    }
