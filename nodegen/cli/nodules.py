"""``nodegen prepare`` and ``synthesise-nodules``: libraries of one's own."""

from pathlib import Path

from nodegen.cli.options import Overwrite, Positive, Seed, refuse_results
from nodegen.settings import Integers


def prepare(
    *,
    patches: Path,
    segmentations: Path,
    output: Path,
    workers: Positive | None = None,
    axes: Integers = Integers((0, 1, 2)),
    diameters: Path | None = None,
) -> None:
    """Project CT nodules into a library.

    Reads NODE21's CT patches, or any in their form: each nodule is cut out by its mask, projected,
    and stored with its 2D mask. Pairs that cannot be used are listed in `skipped.csv` with the
    reason; run an interrupted command again to resume.

    Parameters
    ----------
    patches
        Folder of CT patches, `*_dcm_*.mha`, HU at 1 mm.
    segmentations
        Folder of their masks, `*_seg_*.mha`.
    output
        Folder of the library.
    workers
        Processes; if it is not given, one for each core.
    axes
        Axes of the patch array (slice, row, column) to project along, 0 to 2; the baseline's is 1.
    diameters
        The organisers' ct_nodules.csv, to compare with.
    """
    import time

    from nodegen.errors import SettingError
    from nodegen.nodules.patches import DIAMETERS, read_diameters
    from nodegen.nodules.prepare import SKIPPED
    from nodegen.nodules.prepare import prepare as prepare_library

    if not set(axes) <= {0, 1, 2}:
        raise SettingError(f"--axes is {axes}, where 0, 1 and 2 are allowed; choose among them.")
    table = None if diameters is None else read_diameters(diameters)
    start = time.perf_counter()
    done = prepare_library(patches, segmentations, output, workers=workers, axes=axes)
    seconds = time.perf_counter() - start
    print(
        f"{done.nodules} nodules, {done.entries} projections in {output} "
        f"({seconds:.1f} s, {done.continued} continued); sha256 {done.sha256}"
    )
    if done.skipped:
        print(f"{len(done.skipped)} left out: see {output / SKIPPED}")
    if table is not None:
        ours = read_diameters(output / DIAMETERS)
        shared = ours.keys() & table.keys()
        equal = sum(ours[name] == table[name] for name in shared)
        print(f"{equal} of {len(shared)} diameters equal the table's, which has {len(table)} rows")


def synthesise_nodules(
    *,
    count: Positive,
    output: Path,
    seed: Seed = 0,
    parameters: Path | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw CT patches of nodules from the fitted model.

    Writes volumes and masks in the organisers' patch form, which `prepare` takes.

    Parameters
    ----------
    count
        Nodules to draw.
    output
        Folder that gets patches/, segmentations/ and ct_nodules.csv.
    seed
        The same count and seed give the same nodules.
    parameters
        Fitted parameters; if they are not given, those that nodegen ships.
    """
    from nodegen.nodules.model import SHIPPED, NoduleModel
    from nodegen.nodules.patches import DIAMETERS, PATCH_MARK, PATCHES, SEGMENTATIONS, write_patches
    from nodegen.nodules.synthesise import synthesise
    from nodegen.progress import track

    refuse_results(overwrite, output / DIAMETERS)
    drawn = synthesise(NoduleModel.load(parameters or SHIPPED), count, seed)
    width = len(str(count - 1))
    write_patches(
        output,
        (
            (
                f"synthetic{seed}{PATCH_MARK}{number:0{width}}",
                nodule.volume_hu,
                nodule.mask,
                nodule.diameter_mm,
            )
            for number, nodule in enumerate(track(drawn, count, "synthesise", "nodule"))
        ),
    )
    print(
        f"{count} nodules in {output}; to make a library of them: nodegen prepare "
        f"--patches {output / PATCHES} --segmentations {output / SEGMENTATIONS} --output LIBRARY"
    )
