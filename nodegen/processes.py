"""Processes that work for threads of this one, and may ask them while they do; for Linux alone.

One interpreter opens what all of them need, and forks them: it has no other threads, and nothing of
the caller's script runs in it. Arrays pass through memory that both sides see. A process ends where
the other end of its line is closed, and so with its parent, however that ends.
"""

from __future__ import annotations

import mmap
import os
import pickle
import queue
import subprocess
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate, pairwise
from multiprocessing.connection import Connection, Pipe
from typing import Any

import numpy as np

from nodegen.errors import NodegenError, OutputError

FORKS = sys.platform == "linux"  # memory that has no name is Linux's
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Processes:
    """Processes that each serve one thread at a time, for as long as this object lives.

    Parameters
    ----------
    count : int
        How many there are.
    prepare : callable
        Of a module. It is called once with ``argument``, which can be pickled, before they are
        forked, and returns what each of them does with its :class:`Channel`.
    """

    def __init__(
        self, count: int, prepare: Callable[[Any], Callable[[Channel], None]], argument: Any = None
    ):
        self.broken = False  # whether one of them was ended from outside
        self._idle: queue.SimpleQueue[Channel] = queue.SimpleQueue()
        pipes = [Pipe() for _ in range(count)]
        lines = [(there.fileno(), os.memfd_create("nodegen")) for _, there in pipes]
        path = os.pathsep.join(sys.path)  # an empty one stands for the working directory there too
        parent = subprocess.Popen(
            [sys.executable, "-Pc", "from nodegen.processes import fork_all; fork_all()"],
            stdin=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, **ONE_THREAD},
            pass_fds=[file for line in lines for file in line],
            process_group=0,  # an interrupt reaches this process alone
        )
        channels = [Channel(p[0], memory) for p, (_, memory) in zip(pipes, lines, strict=True)]
        weakref.finalize(self, _end, channels, parent)
        for channel, (_, there) in zip(channels, pipes, strict=True):
            self._idle.put(channel)
            there.close()
        assert parent.stdin
        with parent.stdin as stdin:
            pickle.dump((prepare, argument, lines), stdin)

    def run(self, task: Any, asked: object = None) -> Any:
        """Have a process do a task; what it asks meanwhile, methods of ``asked`` answer.

        Raises
        ------
        OutputError
            Where the process is there no more.
        """
        channel = self._idle.get()
        try:
            channel.send(task)
            while (method := (got := channel.receive())[0]) is not None:
                channel.send(_tried(getattr(asked, method), *got[1]))
        except (EOFError, OSError) as error:
            self.broken = True
            raise OutputError(
                "A worker process was ended from outside, perhaps for want of memory; run the same "
                "command again, with fewer --workers."
            ) from error
        finally:
            self._idle.put(channel)
        return _or_raise(got[1])


class Channel:
    """One end of a line to another process; one of both sends, and then the other one."""

    def __init__(self, connection: Connection, file: int):
        self._connection, self._file = connection, file
        self._memory = np.empty(0, dtype=np.uint8)  # its copies let go of Python's lock

    def send(self, thing: Any) -> None:
        """Send what can be pickled."""
        arrays: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(thing, 5, buffer_callback=arrays.append)
        pieces = [np.frombuffer(array.raw(), dtype=np.uint8) for array in arrays]
        ends = list(accumulate(map(len, pieces), initial=0))
        self._grow(ends[-1])
        for piece, span in zip(pieces, pairwise(ends), strict=True):
            self._memory[slice(*span)] = piece
        self._connection.send((pickled, ends))

    def receive(self) -> Any:
        """What was sent; waits for it."""
        pickled, ends = self._connection.recv()
        self._grow(ends[-1])
        pieces = [self._memory[slice(*span)].copy() for span in pairwise(ends)]
        return pickle.loads(pickled, buffers=pieces)

    def ask(self, method: str, *arguments: Any) -> Any:
        """Have the thread that waits for this process call a method."""
        self.send((method, arguments))
        return _or_raise(self.receive())

    def serve(self, work: Callable[..., Any]) -> None:
        """Do task after task, until the line is closed."""
        while True:
            self.send((None, _tried(work, *self.receive())))

    def close(self) -> None:
        """Close the line, which ends a process at its other end."""
        self._connection.close()
        os.close(self._file)

    def _grow(self, size: int) -> None:
        """Make room; both ends do so at the same message, and so know as many bytes."""
        if len(self._memory) < size:
            os.ftruncate(self._file, size)
            self._memory = np.frombuffer(mmap.mmap(self._file, size), dtype=np.uint8)


def fork_all() -> None:
    """Fork the processes, as stdin says, and wait for their end."""
    prepare, argument, lines = pickle.load(sys.stdin.buffer)
    try:
        serve = prepare(argument)
    except NodegenError:
        return  # who waits opens the same, and says so
    sockets = {socket for socket, _ in lines}
    for socket, memory in lines:
        if os.fork() == 0:
            for other in sockets - {socket}:
                os.close(other)
            with suppress(EOFError, OSError):
                serve(Channel(Connection(socket), memory))
            os._exit(0)
    for socket in sockets:
        os.close(socket)
    for _ in lines:
        os.wait()


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
