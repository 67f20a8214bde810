"""Write the files of a whole set: index files, manifest, card, report, contact sheet."""

import hashlib
import json

from nodegen.dataset.croissant import croissant
from nodegen.dataset.formats import FORMATS, table
from nodegen.dataset.plan import PLAN, Plan
from nodegen.dataset.report import report
from nodegen.dataset.sheet import contact_sheet
from nodegen.dataset.write import Record
from nodegen.io.files import write_bytes
from nodegen.io.store import Store

MANIFEST, SUMS, CARD = "manifest.jsonl", "SHA256SUMS", "croissant.json"
REPORT, SHEET = "report.md", "contact_sheet.png"


def finalise_set(plan: Plan, output: Store, records: list[Record]) -> None:
    """Write the files of the whole set; no byte of them depends on who made which image.

    Parameters
    ----------
    plan : Plan
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
        settings = plan.settings
        texts = dict(table.index(made, settings))
        for name in settings.formats:
            texts |= dict(FORMATS[name].index(made, settings))
        texts[MANIFEST] = "".join(json.dumps(_without_masks(record)) + "\n" for record in records)
        texts[REPORT] = report(plan, records)
        written = {name: text.encode() for name, text in texts.items()}
        written[CARD] = croissant(plan, made, written).encode()
        written[SHEET] = contact_sheet(output, made)
        sums = {name: told["sha256"] for record in made for name, told in record["files"].items()}
        for name, content in {PLAN: plan.text().encode(), **written}.items():
            sums[name] = hashlib.sha256(content).hexdigest()
        written[SUMS] = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()
        for name, content in written.items():
            write_bytes(folder / name, content)


def _without_masks(record: Record) -> Record:
    nodules = [
        {name: value for name, value in nodule.items() if name != "rle"}
        for nodule in record.get("nodules", [])
    ]
    return {**record, "nodules": nodules}
