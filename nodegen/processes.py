"""Processes that work for threads of this one, and may ask them while they do; for Linux alone.

One interpreter opens what all of them need, and forks them: it has no other threads, and nothing of
the caller's script runs in it. Arrays pass through memory that both sides see. A process ends where
the other end of its line is closed, and so with its parent, however that ends.
"""

import mmap
import os
import pickle
import queue
import socket
import subprocess
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate, pairwise
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from nodegen.errors import OutputError

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Processes:
    """Processes that each serve one thread at a time, for as long as this object lives.

    ``prepare``, which can be pickled, is called once, before they are forked, and returns what does
    a task in each of them.
    """

    def __init__(self, count: int, prepare: Callable[[], Callable[..., Any]]):
        self.broken = False  # whether one of them was ended from outside
        self._idle: queue.SimpleQueue[Channel] = queue.SimpleQueue()
        channels, lines = list[Channel](), list[tuple[int, int]]()  # their ends: socket, memory
        for _ in range(count):
            (here, there), memory = socket.socketpair(), os.memfd_create("nodegen")
            channels.append(Channel(here.detach(), memory))
            lines.append((there.detach(), memory))
            self._idle.put(channels[-1])
        parent = subprocess.Popen(
            [sys.executable, "-Pc", "from nodegen.processes import fork_all; fork_all()"],
            stdin=subprocess.PIPE,
            # An empty path stands for the working directory there too.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **ONE_THREAD},
            pass_fds=[file for line in lines for file in line],
            process_group=0,  # an interrupt reaches this process alone
        )
        weakref.finalize(self, _end, channels, parent)
        assert parent.stdin
        with parent.stdin as stdin:
            pickle.dump(lines, stdin)
            pickle.dump(prepare, stdin)
        for end, _ in lines:
            os.close(end)

    def run(self, task: Any, asked: object = None) -> Any:
        """Have a process do a task; what it asks meanwhile, methods of ``asked`` answer.

        Raises an OutputError where the process is there no more.
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

    def __init__(self, end: int, memory: int):
        self._connection, self._file = Connection(end), memory
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
    lines = pickle.load(sys.stdin.buffer)
    work = _tried(lambda: pickle.load(sys.stdin.buffer)())  # a fault is every task's answer
    ends = {end for end, _ in lines}
    for end, memory in lines:
        if os.fork() == 0:
            for other in ends - {end}:
                os.close(other)
            _to_thread.append(Channel(end, memory))
            with suppress(EOFError, OSError):
                while True:
                    task = _to_thread[0].receive()
                    failed = isinstance(work, Exception)
                    _to_thread[0].send((None, work if failed else _tried(work, *task)))
            os._exit(0)
    for end in ends:
        os.close(end)
    for _ in lines:
        os.wait()


def ask(method: str, *arguments: Any) -> Any:
    """In a process: have the thread that waits for it call a method."""
    _to_thread[0].send((method, arguments))
    return _or_raise(_to_thread[0].receive())


_to_thread: list[Channel] = []  # in a process


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
