"""``nodegen compare``: run several methods with the same recipes, and judge them."""

from pathlib import Path

from nodegen.cli.options import (
    AnyDevice,
    LibraryFolder,
    ModelFolder,
    Overwrite,
    ReferenceFile,
    Sources,
    refuse_results,
)
from nodegen.settings import Integers, Intensity, Words


def compare(
    *,
    input: list[Path],
    output: Path,
    methods: Words = Words(("singan", "poisson", "paste")),
    seeds: Integers = Integers((0,)),
    contrast: str = "real",
    intensity: Intensity = "input",
    noise_and_blur: bool = False,
    reference: ReferenceFile = None,
    annotation_sources: Sources = Words(),
    device: AnyDevice = "auto",
    model: ModelFolder = None,
    library: LibraryFolder = None,
    overwrite: Overwrite = False,
) -> None:
    """Run several methods with the same recipes, and judge them.

    Runs several methods with the same nodules in the same places, judges all, and writes one table
    (`compare.md`, `.csv`, `.json`) and one report.

    Parameters
    ----------
    input
        Folder of one image and its nodules.json, or of such folders.
    output
        Folder that gets each run, compare.md, compare.csv, compare.json and report.html.
    methods
        Of singan, poisson, paste, and singan-paper, which is the paper's add-back and contrast as
        written.
    seeds
        Of the runs.
    contrast
        As in generate.
    intensity
        As in generate.
    noise_and_blur
        Noise, blur, noise on every slice; hides what is to be judged.
    """
    from nodegen.evaluation.compare import REPORT, compare
    from nodegen.evaluation.fidelity.reference import SHIPPED, Reference
    from nodegen.evaluation.fidelity.table import markdown
    from nodegen.settings import Settings

    refuse_results(overwrite, output / REPORT)
    settings = Settings(
        intensity=intensity,
        noise_and_blur=noise_and_blur,
        contrast=contrast,
        device=device,
        model=model,
        library=library,
    )
    known = Reference.load(reference or SHIPPED).with_sources(annotation_sources)
    verdicts = compare(input, output, methods, seeds, settings, reference=known)
    print(markdown(verdicts))
    print(f"report: {output / REPORT}")
