"""What stands around every command and the container: faults and signals become exit codes."""

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from nodegen.errors import NodegenError

USAGE_FAULT = 2
STOPPED = "nothing was written"  # what a stopped run has left, where a command says no other
# Objects between two passes of Python's collector. Its own 700 has it go hundreds of times over
# modules that stay: an eighth of the start.
COLLECT_AFTER = 50_000
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Terminated(BaseException):
    """A signal to stop. It travels up, so that every unfinished file is removed."""

    def __init__(self, number: int = signal.SIGTERM):
        self.number = number


def guarded(work: Callable[[], int | None], stopped: str = STOPPED) -> int:
    """Do work, and turn its faults and signals into exit codes.

    Parameters
    ----------
    work : callable
        May return an exit code.
    stopped : str
        What a run that a signal stops has left, to be said then.

    Returns
    -------
    int
        0: done. 2: a fault of the user's, said in one sentence on stderr. 128 and the signal's
        number: stopped by a signal, with every unfinished file removed.
    """
    gc.set_threshold(COLLECT_AFTER)
    _prepare_streams()
    try:
        with _signals():
            code = work() or 0
            sys.stdout.flush()
            return code
    except NodegenError as error:
        return _fault(str(error))
    except ModuleNotFoundError as error:
        return _fault(_missing(error))
    except Terminated as stop:
        word = "interrupted" if stop.number == signal.SIGINT else "terminated"
        _fault(f"{word}; {stopped}.")
        return 128 + stop.number
    except BrokenPipeError:
        _silence()  # whoever read our output has left
        return 128 + signal.SIGPIPE
    except MemoryError:
        return _fault(
            "There is not enough memory for this; take a smaller stack, or a machine with more."
        )
    except OSError as error:
        # Faults of files are said where these are read or written; what is left is our output.
        _silence()
        where = f"{error.filename} cannot be used" if error.filename else "stdout cannot be written"
        return _fault(f"{where} ({error.strerror or error}); see to it, and run it again.")


def _fault(sentence: str) -> int:
    with suppress(OSError, ValueError):  # stderr may be closed or full
        print(f"nodegen: {sentence}", file=sys.stderr, flush=True)
    return USAGE_FAULT


def _prepare_streams() -> None:
    """Let any name be printed, and no file be opened in the place of a closed stream."""
    for handle, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(handle)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r+"))  # noqa: SIM115
        if handle and hasattr(getattr(sys, name), "reconfigure"):  # a test's may not have it
            getattr(sys, name).reconfigure(errors="backslashreplace")


def _silence() -> None:
    """Connect stdout to nothing, so that leaving the process does not fail at it once more."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _signals() -> Iterator[None]:
    """Turn the first signal to stop into an exception, and the third into an exit at once.

    A signal that whoever started us has switched off, as ``nohup`` does, stays off.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # a server's: signals are its main thread's
        return
    seen = 0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        seen += 1
        if seen == 1:
            raise Terminated(number)
        if seen > 2:
            os._exit(128 + number)

    previous = {
        number: signal.signal(number, stop)
        for number in _SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


# --- extras ---------------------------------------------------------------------------------------

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


def _missing(error: ModuleNotFoundError) -> str:
    """Say what to install for a missing module; the error itself, where no extra brings it."""
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
