"""What tells of a whole set: the trainers' index files, manifest, card, report, contact sheet."""

import fcntl
import hashlib
import json
from pathlib import Path

from nodegen.dataset.card import croissant
from nodegen.dataset.formats import FORMATS, table
from nodegen.dataset.plan import PLAN, Plan
from nodegen.dataset.report import report
from nodegen.dataset.sheet import contact_sheet
from nodegen.dataset.write import Record
from nodegen.io.files import write_bytes, write_text

MANIFEST, SUMS, CARD = "manifest.jsonl", "SHA256SUMS", "croissant.json"
REPORT, SHEET, LOCK = "report.md", "contact_sheet.png", ".finish.lock"


def finish_set(plan: Plan, output: Path, records: list[Record]) -> None:
    """Write everything that tells of the whole set; nothing of it depends on who made which image.

    Parameters
    ----------
    records : list of dict
        Of all images, in the plan's order.

    Raises
    ------
    OutputError
        Where a file cannot be written.
    """
    with (output / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # shards may see the set complete at the same time
        for left in output.rglob(".*.partial"):  # by a run that was killed
            left.unlink(missing_ok=True)
        made = [record for record in records if "skipped" not in record]
        settings = plan.settings
        written = dict(table.index(made, settings))
        for name in settings.formats:
            written |= dict(FORMATS[name].index(made, settings))
        manifest = "".join(json.dumps(_without_masks(record)) + "\n" for record in records)
        written[MANIFEST] = manifest
        written[REPORT] = report(plan, records)
        for name, text in written.items():
            write_text(output / name, text)
        write_bytes(output / SHEET, contact_sheet(output, made))
        written[CARD] = croissant(plan, made, {n: t.encode() for n, t in written.items()})
        write_text(output / CARD, written[CARD])
        sums = {name: told["sha256"] for record in made for name, told in record["files"].items()}
        for name in (PLAN, SHEET, *written):
            sums[name] = hashlib.sha256((output / name).read_bytes()).hexdigest()
        lines = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
        write_text(output / SUMS, lines)


def _without_masks(record: Record) -> Record:
    nodules = [
        {name: value for name, value in nodule.items() if name != "rle"}
        for nodule in record.get("nodules", [])
    ]
    return {**record, "nodules": nodules}
