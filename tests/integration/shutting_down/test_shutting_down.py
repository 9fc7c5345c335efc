"""Contract 2: `stop`.  The programs of the guide "Shutting down" as real processes, stopped."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "unit"))
sys.path.append(str(Path(__file__).parents[1] / "frameworks"))

import documents
from framework_servers import PATIENCE, WORKERS_PATIENCE, redis_server, until

PAGE = documents.ROOT / "docs" / "shutting-down.md"
STRESS = Path(__file__).with_name("signal_stress.py")
IN_NO_TIME = 5  # seconds, of waits that would take a minute


@pytest.fixture
def programs(tmp_path):
    """A folder with the programs of the page: the blocks that begin with the name of a file."""
    for block in documents.blocks(PAGE):
        name = re.match(r"# (\w+\.py)\n", block.code)
        if name:
            (tmp_path / name[1]).write_text(block.code, encoding="utf-8")
    return tmp_path


class Program:
    """A process, what it has written, and how it ends."""

    def __init__(self, folder, *command, **environment):
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        with self.process.stdout as output:
            for line in output:
                self.lines.append(line)

    @property
    def text(self):
        return "".join(self.lines)

    def says(self, text, times=1):
        """Wait until it has written *text* so many times."""

        def found():
            ended = self.process.poll() is not None
            if ended:
                self.reader.join(PATIENCE)
            said = self.text.count(text) >= times
            assert said or not ended, self.text
            return said

        until(found, f"the program says {text!r}")

    def terminate(self):
        """Send SIGTERM; return the exit status and the seconds until the process has ended."""
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = self.ends()
        return status, time.monotonic() - start

    def ends(self, patience=PATIENCE):
        """Wait until it has ended and its output is read; return the exit status."""
        status = self.process.wait(patience)
        self.reader.join(PATIENCE)
        return status

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.process.kill()
        self.process.wait()
        self.reader.join(PATIENCE)


class TestThreads:
    """The handler sets the event from a new thread."""

    def test_all_threads_stop_waiting(self, programs):
        """Each was in a wait of a minute, and reports the reason."""
        with Program(programs, "worker.py") as program:
            program.says("retrying send in 60.00 s", times=2)
            status, took = program.terminate()
        assert status == 0
        assert took < IN_NO_TIME
        # Not line by line, because both threads write at the same time.
        assert program.text.count("is kept: stopped") == 2
        assert "a is kept" in program.text
        assert "x is kept" in program.text


class TestAsyncio:
    """The loop runs the handler, and the handler sets the event."""

    def test_the_task_stops_waiting(self, programs):
        """The loop ends without an exception, and tells the reason."""
        with Program(programs, "consumer.py") as program:
            program.says("in 60.00 s")
            status, took = program.terminate()
        assert status == 0
        assert took < IN_NO_TIME
        assert program.lines[-1] == "not connected: stopped\n"


class TestUvicorn:
    """The signal reaches the event first, then uvicorn."""

    def test_a_request_is_answered(self, programs):
        """With 503, before uvicorn stops."""
        httpx = pytest.importorskip("httpx")
        with Program(programs, "-m", "uvicorn", "service:app", "--port", "0") as program:
            program.says("Uvicorn running on http://")
            url = re.search(r"running on (http://[\d.:]+)", program.text)[1]
            answers = []
            request = threading.Thread(
                target=lambda: answers.append(httpx.get(f"{url}/items/tea", timeout=PATIENCE))
            )
            request.start()
            program.says("retrying get_stock in 60.00 s")
            status, took = program.terminate()
            request.join(PATIENCE)
        (answer,) = answers
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert took < IN_NO_TIME
        assert status == -signal.SIGTERM  # uvicorn raises what it has caught when it is done
        assert "Application shutdown complete" in program.text


class TestCelery:
    """The main process sets an event that the processes of the pool share."""

    def test_a_task_returns_to_the_queue(self, programs):
        """The worker ends, and the next one gets the task."""
        pytest.importorskip("celery")
        with redis_server() as place:
            environment = {"CELERY_BROKER_URL": f"redis+socket://{place}"}
            worker = ["-m", "celery", "-A", "tasks", "worker", "--concurrency=2"]
            quiet = ["--loglevel=INFO", "--without-gossip", "--without-mingle"]
            send = "from tasks import deliver; deliver.delay('a'); deliver.delay('b')"
            with Program(programs, *worker, *quiet, **environment) as program:
                program.says(" ready.")
                with Program(programs, "-c", send, **environment) as sender:
                    assert sender.process.wait(PATIENCE) == 0
                program.says("retrying send in 60.00 s", times=2)
                start = time.monotonic()
                program.process.send_signal(signal.SIGTERM)
                program.says("retry: Retry in 0s: ConnectionError", times=2)
                assert time.monotonic() - start < IN_NO_TIME
                assert program.ends(WORKERS_PATIENCE) == 0
            with Program(programs, *worker, *quiet, **environment) as program:
                program.says("retrying send in 60.00 s", times=2)


class TestHandlers:
    """In sync code a handler never sets the event itself."""

    def stress(self, *arguments):
        return subprocess.run(
            [sys.executable, str(STRESS), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
        )

    def test_from_a_new_thread_it_never_hangs(self):
        """As the guide shows it, whenever the signal comes."""
        done = self.stress("5")
        assert done.returncode == 0, done.stdout + done.stderr
        count = re.fullmatch(r"CPython \S+, 5 s: \d+ waits, (\d+) signals\n", done.stdout)
        assert int(count[1]) > 200

    def test_set_directly_it_hangs(self):
        """Why: the lock of the event is held by the thread that the handler has interrupted."""
        done = self.stress("60", "--set-directly")
        assert done.returncode == 1, done.stdout
        assert re.fullmatch(r"hung after \d+ waits and \d+ signals\n", done.stdout)
        assert "in set\n" in done.stderr

    def test_no_page_sets_it_directly(self):
        """Nor any handler that a reader might copy."""
        handlers = [
            (page.name, handler)
            for page in documents.PAGES
            for block in documents.blocks(page)
            if "signal" in block.code and ">>>" not in block.code
            for handler in handlers_in(block.code)
        ]
        assert len(handlers) >= 3
        for name, handler in handlers:
            assert not [
                call
                for call in ast.walk(handler)
                if isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr == "set"
            ], name


def handlers_in(code):
    """The functions in *code* that signals call, as far as their parameters tell."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in node.args.args]
            celerys = [ast.unparse(each) for each in node.decorator_list]
            if names[-1:] == ["frame"] or "worker_shutting_down.connect" in celerys:
                yield node
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "signal.signal":
            yield from (each for each in node.args if isinstance(each, ast.Lambda))
