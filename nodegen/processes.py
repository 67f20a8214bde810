"""Processes that work for threads of this one, and may ask them while they do; for Linux alone.

One interpreter of their own opens what all of them need, and forks them: it has no other threads,
and nothing of the caller's script runs in it. Arrays pass through memory that both sides see. Each
process ends where the other end of its line is closed, and so with its parent, however that ends.
"""

from __future__ import annotations

import mmap
import os
import pickle
import queue
import socket
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterable
from itertools import accumulate, pairwise
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from nodegen.errors import OutputError

FORKS = sys.platform == "linux"  # memory that has no name is Linux's
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Line = tuple[int, int, int]  # descriptors: a socket, the memory written to, the memory read from


class Processes:
    """Processes that each serve one thread at a time.

    Parameters
    ----------
    count : int
        How many there are.
    prepare : callable
        Of a module; called once before they are forked, with ``argument``, it returns what each of
        them does with its :class:`Channel`.
    argument : object
        Can be pickled.
    """

    def __init__(
        self, count: int, prepare: Callable[[Any], Callable[[Channel], None]], argument: Any
    ):
        self.broken = False
        self._idle: queue.SimpleQueue[Channel] = queue.SimpleQueue()
        lines, channels = list[Line](), list[Channel]()
        for _ in range(count):
            here, there = socket.socketpair()
            to, back = os.memfd_create("nodegen"), os.memfd_create("nodegen")
            channels.append(Channel((here.detach(), to, back)))
            lines.append((there.detach(), back, to))
            self._idle.put(channels[-1])
        path = os.pathsep.join(sys.path)  # an empty one stands for the working directory there too
        parent = subprocess.Popen(
            [sys.executable, "-Pc", "from nodegen.processes import fork_all; fork_all()"],
            stdin=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, **dict.fromkeys(THREADS, "1")},
            pass_fds=[file for line in lines for file in line],
            process_group=0,  # an interrupt reaches this process alone
        )
        assert parent.stdin
        with parent.stdin as stdin:
            pickle.dump((prepare, argument, lines), stdin)
        for end, *_ in lines:
            os.close(end)
        weakref.finalize(self, _end, channels, parent)

    def run(self, task: Any, answer: Callable[..., Any]) -> Any:
        """Have a process do a task; ``answer`` takes what it asks meanwhile.

        Raises
        ------
        OutputError
            Where the process is there no more.
        """
        channel = self._idle.get()
        try:
            channel.send(task)
            while (asked := channel.receive())[0]:
                channel.send(_tried(answer, *asked[1]))
        except (EOFError, OSError) as error:
            self.broken = True
            raise OutputError(
                "A worker process was ended from outside, perhaps for want of memory; run the same "
                "command again, with fewer --workers."
            ) from error
        finally:
            self._idle.put(channel)
        return _or_raise(asked[1])


class Channel:
    """One end of a line to another process."""

    def __init__(self, line: Line):
        self._connection, self._files = Connection(line[0]), line[1:]
        self._memory = [np.empty(0, dtype=np.uint8)] * 2  # its copies let go of Python's lock

    def send(self, thing: Any) -> None:
        """Send what can be pickled."""
        arrays: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(thing, 5, buffer_callback=arrays.append)
        pieces = [np.frombuffer(array.raw(), dtype=np.uint8) for array in arrays]
        ends = list(accumulate((len(piece) for piece in pieces), initial=0))
        memory = self._room(0, ends[-1])
        for piece, span in zip(pieces, pairwise(ends), strict=True):
            memory[slice(*span)] = piece
        self._connection.send((pickled, ends))

    def receive(self) -> Any:
        """What was sent; waits for it."""
        pickled, ends = self._connection.recv()
        memory = self._room(1, ends[-1])
        pieces = [memory[slice(*span)].copy() for span in pairwise(ends)]
        return pickle.loads(pickled, buffers=pieces)

    def ask(self, *what: Any) -> Any:
        """What the thread answers that waits for this process."""
        self.send((True, what))
        return _or_raise(self.receive())

    def serve(self, work: Callable[..., Any]) -> None:
        """Do task after task, until the line is closed."""
        while True:
            self.send((False, _tried(work, *self.receive())))

    def close(self) -> None:
        """Close the line, which ends a process at its other end."""
        self._connection.close()
        for file in self._files:
            os.close(file)

    def _room(self, side: int, size: int) -> np.ndarray:
        """Memory of at least so many bytes, that is written to (0) or read from (1)."""
        if len(self._memory[side]) < size:
            if side == 0:
                os.ftruncate(self._files[0], size)
            self._memory[side] = np.frombuffer(mmap.mmap(self._files[side], size), dtype=np.uint8)
        return self._memory[side]


def fork_all() -> None:
    """Fork the processes, as stdin says, and wait for their end."""
    prepare, argument, lines = pickle.load(sys.stdin.buffer)
    serve = prepare(argument)
    for own in lines:
        if os.fork() == 0:
            _close(line for line in lines if line != own)
            try:
                serve(Channel(own))
            except (EOFError, OSError):
                os._exit(0)
    _close(lines)
    for _ in lines:
        os.wait()


def _close(lines: Iterable[Line]) -> None:
    for line in lines:
        for file in line:
            os.close(file)


def _end(channels: list[Channel], parent: subprocess.Popen[bytes]) -> None:
    for channel in channels:
        channel.close()
    parent.wait()


def _tried(work: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return work(*arguments)
    except Exception as error:
        return error


def _or_raise(made: Any) -> Any:
    if isinstance(made, Exception):
        raise made
    return made
