"""The other entry, `serve.py`: asked as the platform asks it, without Docker."""

import http.client
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import SimpleQueue

import pytest

import process
import serve
from nodegen.cli import guard
from nodegen.errors import BoxesError, LibraryError, ModelError, OutputError, StackError

ROOT = Path(__file__).parents[1]


def ask(port, method, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Server:
    """`serve.py` in a process of its own, its input a link that is moved."""

    def __init__(self, folder):
        self.link, self.output, self.temporary = (folder / n for n in ("input", "output", "tmp"))
        self.output.mkdir()
        self.temporary.mkdir()
        environment = {**os.environ, "TMPDIR": str(self.temporary), "PYTHONUNBUFFERED": "1"}
        folders = ["--input", self.link, "--output", self.output]
        self.process = subprocess.Popen(
            [sys.executable, ROOT / "serve.py", *folders, "--port", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith("ready on port"):
                break
        self.port = int(line.rpartition(" ")[2])
        # Whatever it says later is read on, so that it never waits for us.
        threading.Thread(target=self.lines.extend, args=(self.process.stdout,), daemon=True).start()

    def case(self, source):
        """Empty the output, move the link, ask; the status, the text and what was written."""
        for path in self.output.iterdir():
            path.unlink()
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(source)
        return *ask(self.port, "POST", "/invoke"), written(self.output)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        said = self.process.stderr.read()
        return self.process.wait(), said


def written(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    server = Server(folder)
    yield server
    server.process.kill()
    server.process.communicate()


def test_cases_are_done_as_process_does_them_and_a_bad_one_between_hurts_none(
    make_input, tmp_path, server
):
    first = make_input(((0, 60, 60, 100, 110), (1, 30, 150, 90, 200)), name="first")
    second = make_input(((2, 100, 60, 160, 110),), shape=(3, 260, 300), name="second")
    bad = make_input((), name="bad")
    (bad / "nodules.json").write_text('{"type": "no boxes"}')
    assert ask(server.port, "GET", "/health") == (200, "")

    answers = [server.case(folder) for folder in (first, bad, second, first)]
    assert [status for status, *_ in answers] == [201, 422, 201, 201]
    assert answers[1][2] == {}
    assert answers[3] == answers[0]
    assert process.main(["--input", str(second), "--output", str(tmp_path / "alone")]) == 0
    assert answers[2][2] == written(tmp_path / "alone")
    for *_, made in (answers[0], answers[2]):
        assert set(made) == {"77.mha", "results.json", "recipes.json"}

    assert ask(server.port, "GET", "/health") == (200, "")
    assert list(server.temporary.iterdir()) == []
    code, said = server.stop()
    assert code == 0
    assert said.splitlines() == [answers[1][1]], (
        "of a bad case, one sentence; of the others nothing"
    )
    assert "no boxes" in said


def test_sigterm_during_a_case_ends_soon_and_leaves_nothing(make_input, server, record_property):
    boxes = [(n % 8, 30, 30, 130, 130) for n in range(80)]
    source = make_input(boxes, shape=(8, 300, 320))
    server.link.symlink_to(source)

    def asking():
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(server.port, "POST", "/invoke")

    asked = threading.Thread(target=asking)
    asked.start()
    while not list(server.output.iterdir()):
        assert server.process.poll() is None
        time.sleep(0.02)
    assert ask(server.port, "GET", "/health") == (200, ""), "it answers while it works"
    asked_to_end = time.monotonic()
    code, said = server.stop()
    record_property("seconds_to_end", round(time.monotonic() - asked_to_end, 2))
    asked.join()
    assert code == 128 + signal.SIGTERM
    assert "nothing was written" in said.strip().splitlines()[-1]
    assert list(server.output.iterdir()) == []


def test_sigterm_that_does_not_wake_the_wait_ends_it():
    """As where it comes just before the wait begins: its handler has not run, and none is left."""
    cases = SimpleQueue()
    late = threading.Timer(20, cases.put, [serve._Case()])

    def end():
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    late.start()
    with guard._signals():
        threading.Timer(0.1, end).start()
        assert serve._next(cases) is None
    assert late.is_alive(), "it was a case that ended it"
    late.cancel()


@pytest.fixture
def listening():
    """The server's own part, without anything behind it."""
    server = serve._listen(0, SimpleQueue())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_health_says_not_ready_before_everything_is_loaded(listening):
    port = listening.server_port
    assert ask(port, "GET", "/health")[0] == ask(port, "POST", "/invoke")[0] == 503
    listening.ready.set()
    assert ask(port, "GET", "/health")[0] == 200
    assert ask(port, "GET", "/invoke")[0] == ask(port, "POST", "/health")[0] == 404


def test_cases_wait_for_each_other(listening):
    listening.ready.set()
    answers = []
    callers = [
        threading.Thread(
            target=lambda: answers.append(ask(listening.server_port, "POST", "/invoke"))
        )
        for _ in range(3)
    ]
    for caller in callers:
        caller.start()
    for number in range(3):
        case = listening.cases.get(timeout=60)
        assert len(answers) <= number
        case.answer = serve.HTTPStatus.CREATED, ""
        case.done.set()
    for caller in callers:
        caller.join()
    assert answers == [(201, "")] * 3


def test_a_health_check_may_ask_for_the_head_alone(listening):
    listening.ready.set()
    assert ask(listening.server_port, "HEAD", "/health") == (200, "")
    assert ask(listening.server_port, "HEAD", "/invoke")[0] == 404


REQUESTS = {
    "nothing": b"",
    "health": b"GET /health HTTP/1.1\r\n\r\n",
    "case": b"POST /invoke HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_a_caller_who_leaves_is_no_traceback(listening, capfd, request_, reset):
    listening.ready.set()
    caller = socket.create_connection(("127.0.0.1", listening.server_port))
    caller.sendall(request_)
    if reset:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.close()
    if b"invoke" in request_:
        case = listening.cases.get(timeout=60)
        case.answer = serve.HTTPStatus.CREATED, ""
        case.done.set()
    assert ask(listening.server_port, "GET", "/health") == (200, "")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (StackError, 422), (BoxesError, 422),
        (OutputError, 500), (ModelError, 500), (LibraryError, 500),
    ],
)  # fmt: skip
def test_whose_fault_it_is_decides_the_status(monkeypatch, capsys, tmp_path, fault, status):
    def fails(*_):
        raise fault("It is at fault.")

    monkeypatch.setattr(serve, "generate_case", fails)
    assert serve.do(None, tmp_path, tmp_path) == (status, "nodegen: It is at fault.")
    assert capsys.readouterr().err == "nodegen: It is at fault.\n"


def test_a_fault_of_our_own_is_answered_and_told(monkeypatch, capsys, tmp_path):
    def fails(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(serve, "generate_case", fails)
    status, said = serve.do(None, tmp_path, tmp_path)
    assert status == 500
    assert capsys.readouterr().err.splitlines()[-1] == said
    assert "ZeroDivisionError" in said


def test_a_port_that_is_taken_is_told(listening, tmp_path, capsys):
    arguments = ["--port", str(listening.server_port)]
    folders = ["--input", str(tmp_path), "--output", str(tmp_path)]
    assert serve.main([*folders, *arguments]) == 2
    assert "cannot be had" in capsys.readouterr().err


def test_results_that_cannot_be_written_leave_no_image(tmp_path):
    (tmp_path / "77.mha").write_bytes(b"image")
    (tmp_path / "results.json").mkdir()
    results = [{"outputs": [{"filename": "77.mha"}]}]
    with pytest.raises(serve.NodegenError):
        serve.save_results(tmp_path, results)
    assert not (tmp_path / "77.mha").exists()
