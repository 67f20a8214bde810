"""What stands around every command: faults, interrupts and lost outputs become exit codes."""

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from nodegen.cli.extras import missing
from nodegen.errors import NodegenError

USAGE_FAULT = 2
STOPPED = "nothing was written"  # what a stopped run has left, where a command says no other
# Objects between two passes of Python's collector. Its own 700 has it go hundreds of times over
# modules that stay: an eighth of the start.
COLLECT_AFTER = 50_000
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Terminated(BaseException):
    """A signal to stop; travels up, so that every file is cleared away."""

    def __init__(self, number: int = signal.SIGTERM):
        self.number = number


def guarded(work: Callable[[], int | None], stopped: str = STOPPED) -> int:
    """Call ``work`` and turn faults and interrupts into exit codes.

    ``stopped`` says what a run that was stopped has left.

    0: done. 2: a fault of the user's, told in one sentence on stderr. 128 and the signal's number:
    stopped by Ctrl-C, SIGTERM, SIGHUP or SIGQUIT, with everything cleared away.
    """
    gc.set_threshold(COLLECT_AFTER)
    _prepare_streams()
    try:
        with _signals():
            code = work() or 0
            _flush()
            return code
    except NodegenError as error:
        return _told(str(error))
    except ModuleNotFoundError as error:
        return _told(missing(error))
    except (Terminated, KeyboardInterrupt) as stop:
        number = stop.number if isinstance(stop, Terminated) else signal.SIGINT
        word = "interrupted" if number == signal.SIGINT else "terminated"
        _told(f"{word}; {stopped}.")
        return 128 + number
    except BrokenPipeError:
        # Whoever read our output has gone: nothing to tell, and nobody to tell it to.
        _silence()
        return 128 + signal.SIGPIPE
    except MemoryError:
        return _told(
            "There is not enough memory for this; take a smaller stack, or a machine with more."
        )
    except OSError as error:
        # Every file's own faults are told where it is read or written; what is left is our output.
        _silence()
        where = f"{error.filename} cannot be used" if error.filename else "stdout cannot be written"
        return _told(f"{where} ({error.strerror or error}); see to it, and run it again.")


def _told(sentence: str) -> int:
    with suppress(OSError, ValueError):  # stderr may be closed or full
        print(f"nodegen: {sentence}", file=sys.stderr, flush=True)
    return USAGE_FAULT


def _prepare_streams() -> None:
    """Let any name be printed, and no file be opened in the place of a closed stream."""
    for handle in (0, 1, 2):
        try:
            os.fstat(handle)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed: whatever asks it something gets an answer
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a test's own stream may not have it
            stream.reconfigure(errors="backslashreplace")


def _flush() -> None:
    if sys.stdout is not None:
        with suppress(ValueError):  # closed by whoever called
            sys.stdout.flush()


def _silence() -> None:
    """Leave stdout to nobody, so that leaving the process does not fail at it once more."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _signals() -> Iterator[None]:
    """Turn signals to stop into an exception while a command is at work.

    The first one clears away; while that is done others wait, and the third leaves at once. A
    signal that whoever started us has switched off, as ``nohup`` does, stays off.
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

    previous = {}
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            previous[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
