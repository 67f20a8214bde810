"""Extras: what some commands need beyond the core, and what to install where it is missing."""

# Packages by the name that is imported, with the extra of pyproject.toml that brings them.
EXTRAS = {
    "jinja2": "report",
    "matplotlib": "evaluation",
    "sklearn": "report",
    "SimpleITK": "data",
    "mlcroissant": "data",
    "pandas": "report",
    "skimage": "report",
    "pydicom": "dicom",
    "highdicom": "dicom",
    "evalutils": "exec",
    "monai": "utility",
    "torchvision": "fasterrcnn",
    "dask": "cluster",
    "distributed": "cluster",
}


def missing(error: ModuleNotFoundError) -> str:
    """Say what to install for a missing module; the error itself, where no extra brings it.

    Examples
    --------
    >>> missing(ModuleNotFoundError(name="sklearn.ensemble"))
    "This needs sklearn, which is not installed; run `pip install 'nodegen[report]'`."
    """
    package = (error.name or "").partition(".")[0]
    if package == "nodegen":
        return (
            "This is the image's nodegen, which holds what generates and no more; install nodegen "
            "by pip for its other commands."
        )
    if package not in EXTRAS:
        raise error
    extra = f"nodegen[{EXTRAS[package]}]"
    return f"This needs {package}, which is not installed; run `pip install '{extra}'`."
