"""Celery with a real broker (Redis) and a real worker, which runs its tasks in a process pool."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import celery_tasks
import pytest
from framework_servers import PATIENCE, WORKERS_PATIENCE, redis_server, until


@pytest.fixture(scope="module")
def broker():
    with redis_server() as place:
        address = f"redis+socket://{place}"
        celery_tasks.app.conf.update(broker_url=address, result_backend=address)
        yield place
        # A result that a failed test still holds would ask a Redis that is gone, when it is freed.
        celery_tasks.app.backend.result_consumer.subscribed_to.clear()
        celery_tasks.app.close()


class Worker:
    """A worker with one process for tasks; its log is in *folder*."""

    def __init__(self, place, folder):
        self.log = Path(folder, "worker.log")
        command = ["-A", "celery_tasks", "worker", "--concurrency=1", "--loglevel=INFO"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", *command, *quiet],
                cwd=Path(__file__).parent,
                env=os.environ | {"RETRYING_TEST_REDIS": place},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            until(self.is_ready, "the worker starts")
        except BaseException:
            self.process.kill()
            raise

    def is_ready(self):
        """Whether it takes tasks."""
        assert self.process.poll() is None, self.log.read_text()
        return " ready." in self.log.read_text()

    def stop(self, number=signal.SIGTERM):
        """Let it finish its task, and end it."""
        self.process.send_signal(number)
        try:
            return self.process.wait(WORKERS_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    worker = Worker(broker, tmp_path_factory.mktemp("worker"))
    yield worker
    worker.stop()


@pytest.fixture
def call(worker):
    """Send a task, and return its result."""

    def call(task, *args, **kwargs):
        return task.delay(*args, **kwargs).get(PATIENCE)

    return call


class TestInsideATask:
    """What a task calls is retried in the task's own process."""

    def test_decorator_and_loop(self, call):
        """The third attempts succeed."""
        by_decorator, by_loop, pid = call(celery_tasks.inside, 2)
        assert by_decorator == by_loop == 3
        assert pid != os.getpid()

    def test_an_error_that_is_given_up_on(self, worker):
        """Is the task's failure, of its own type; the worker's log has the note."""
        result = celery_tasks.gives_up.delay()
        with pytest.raises(celery_tasks.Down, match="call 2"):
            result.get(PATIENCE)
        assert result.state == "FAILURE"
        assert "gave up on Flaky after 2 attempts" in worker.log.read_text()


class TestDecoratedTasks:
    """`@app.task` above `@retry`."""

    def test_the_task(self, call):
        """`bind=True`, arguments, name and docstring are those of the function."""
        result = call(celery_tasks.decorated, 2, path="a.txt")
        assert result == "a.txt at 3, celery_tasks.decorated"
        assert celery_tasks.decorated.__doc__.startswith("Retry the task's own function")


class TestWithCelerysRetries:
    """Both layers: seconds in the process, minutes in the queue."""

    def test_autoretry(self, worker, tmp_path):
        """The original error leaves the inner layer, so Celery recognizes it."""
        log = tmp_path / "log"
        with pytest.raises(celery_tasks.Down):
            celery_tasks.layered.delay(str(log)).get(PATIENCE)
        assert log.read_text() == "0.1 0.2 1.1 1.2 "

    @pytest.mark.parametrize(("named", "first"), [(True, "0.1 1.1 "), (False, "0.1 0.2 0.3 1.1 ")])
    def test_retry_inside_of_an_attempt(self, worker, tmp_path, named, first):
        """`self.retry()` raises an Exception: unless errors are named, it is retried itself."""
        log = tmp_path / "log"
        result = celery_tasks.retried_by_celery.delay(str(log), named)
        assert result.get(PATIENCE) == "done"
        assert log.read_text().startswith(first)


class TestSoftTimeLimits:
    """Celery raises SoftTimeLimitExceeded, an Exception, into whatever runs."""

    def test_in_a_wait(self, call):
        """The wait ends, no attempt follows; the limit is what is raised, reason "interrupted"."""
        calls, at_once, reason, context, ends = call(celery_tasks.soft_limit_in_a_wait)
        assert (calls, at_once) == (1, True)
        assert reason == "interrupted"
        assert context == "Down"
        assert ends == ["call 1"]  # the hook's attempt keeps its own error

    def test_in_an_attempt(self, call):
        """An error of the attempt: not retried where errors are named, retried by default."""
        assert call(celery_tasks.soft_limit_in_an_attempt, True) == 1
        assert call(celery_tasks.soft_limit_in_an_attempt, False) == 2


class TestShutdown:
    """A worker that is told to stop."""

    def test_in_the_middle_of_a_wait(self, broker, worker, tmp_path):
        """A warm shutdown lets the task make its attempts, waits included."""
        assert worker.stop() == 0
        another, log = Worker(broker, tmp_path), tmp_path / "log"
        result = celery_tasks.waits_on_shutdown.delay(str(log))
        until(lambda: log.exists() and log.read_text(), "the task starts")
        assert another.stop() == 0
        assert result.get(PATIENCE) == "done"
        assert log.read_text() == "xxx"
