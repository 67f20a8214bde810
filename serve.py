"""The entry of the container that stays (``invoke``): a server that does one case at a time.

``GET /health`` answers 200 once everything is loaded, 503 before. ``POST /invoke`` does the case
that lies in the input folder, as ``process.py`` does it, and answers 201 when it is done; 422 where
the input is at fault, 500 where anything else is (output that cannot be written, a missing model),
with the sentence that is also the last line on stderr.

The standard library's server is enough: two routes without bodies and a single caller. It costs
neither megabytes nor start-up time, and nothing of a request is used but its method and path.
"""

from __future__ import annotations

import argparse
import sys
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from grand_challenge import add_folders, generate_case, open_renderer, save_results
from nodegen.cli.guard import Terminated, guarded
from nodegen.constants import CLASSES, CROP_PX
from nodegen.errors import BoxesError, NodegenError, SettingError, StackError
from nodegen.io.boxes import Box
from nodegen.renderer import Renderer

PORT = 4743  # the platform's
REQUEST_S = 10.0  # for a caller to say what it wants
WAKE_S = 0.5  # between two looks for a signal, which does not end a wait that begins as it comes
ROUTES = "GET /health and POST /invoke are served."
LOADING = "The models are being loaded."


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM; the exit codes are those of ``nodegen``."""
    parser = argparse.ArgumentParser(description="Do one case after the other, asked by HTTP.")
    add_folders(parser)
    parser.add_argument("--port", type=int, default=PORT, help="(default: %(default)s)")
    args = parser.parse_args(argv)
    return guarded(lambda: serve(args.input, args.output, args.port, args.workers))


def serve(input_dir: Path, output_dir: Path, port: int, workers: int | None = None) -> None:
    """Do each case that is asked for, in the main thread, where SIGTERM can interrupt it.

    Raises
    ------
    SettingError
        Where the port cannot be had.
    """
    cases: SimpleQueue[_Case] = SimpleQueue()
    server = _listen(port, cases)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        renderer = open_renderer(workers)
        warm_up(renderer)
        server.ready.set()
        print(f"ready on port {server.server_port}", flush=True)
        while case := _next(cases):
            case.answer = do(renderer, input_dir, output_dir)
            case.done.set()
    finally:
        server.server_close()


def do(renderer: Renderer, input_dir: Path, output_dir: Path) -> tuple[HTTPStatus, str]:
    """Do the case that lies in the input folder now.

    Parameters
    ----------
    renderer : Renderer
        Draws the nodules.
    input_dir, output_dir : Path
        Folder of the case, and the one that gets the result.

    Returns
    -------
    status : HTTPStatus
        That is answered.
    said : str
        What is wrong, in one sentence.
    """
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    try:
        save_results(output_dir, [generate_case(renderer, input_dir, output_dir)])
        return HTTPStatus.CREATED, ""
    except (StackError, BoxesError) as error:
        status, said = HTTPStatus.UNPROCESSABLE_ENTITY, f"nodegen: {error}"
    except NodegenError as error:
        said = f"nodegen: {error}"
    except Exception as error:
        traceback.print_exc()
        said = f"nodegen: the case failed by a fault of nodegen's own ({type(error).__name__})."
    print(said, file=sys.stderr, flush=True)
    return status, said


def warm_up(renderer: Renderer) -> None:
    """Open library and cascades, and run both once: what is loaded late is loaded now."""
    ramp = np.tile(np.arange(CROP_PX, dtype=np.uint16), (CROP_PX, 1))
    renderer.open()
    for signal in CLASSES:
        recipes = renderer.plan(ramp[None], [Box(0, 100, 100, 132, 132)], 0, signal)
        list(renderer.render_stack(ramp[None], recipes, 0, renderer.settings.intensity))


# --- the server -----------------------------------------------------------------------------------


@dataclass
class _Case:
    """A case that a caller waits for."""

    done: threading.Event = field(default_factory=threading.Event)
    answer: tuple[HTTPStatus, str] = (HTTPStatus.INTERNAL_SERVER_ERROR, "")


def _next(cases: SimpleQueue[_Case]) -> _Case | None:
    """The next case; None where SIGTERM comes first, which then is how it ought to end."""
    try:
        while True:
            with suppress(Empty):
                return cases.get(timeout=WAKE_S)
    except Terminated:
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a caller that waits for a case must not keep the process

    def __init__(self, port: int, cases: SimpleQueue[_Case]):
        self.cases, self.ready = cases, threading.Event()
        super().__init__(("0.0.0.0", port), _Handler)  # the platform calls from another container

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a caller who left before the answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = REQUEST_S

    def do_GET(self) -> None:
        if self._serves("/health"):
            self._answer(HTTPStatus.OK)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        if self._serves("/invoke"):
            case = _Case()
            self.server.cases.put(case)
            case.done.wait()
            self._answer(*case.answer)

    def _serves(self, path: str) -> bool:
        """Whether this path is asked for and everything is loaded; else that is answered."""
        if self.path != path:
            self._answer(HTTPStatus.NOT_FOUND, ROUTES)
        elif not self.server.ready.is_set():
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, LOADING)
        else:
            return True
        return False

    def _answer(self, status: HTTPStatus, text: str = "") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: whatever stands on stderr marks a job on the platform with a warning."""


def _listen(port: int, cases: SimpleQueue[_Case]) -> _Server:
    try:
        return _Server(port, cases)
    except (OSError, OverflowError) as error:
        raise SettingError(
            f"Port {port} cannot be had ({error}); give a free one from 1 to 65535 as --port."
        ) from error


if __name__ == "__main__":
    sys.exit(main())
