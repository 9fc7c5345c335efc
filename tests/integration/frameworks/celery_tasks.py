"""The tasks of test_celery.py: imported by the tests, and by the worker, a process of its own."""

from __future__ import annotations

import os
import time
from typing import Any

import celery
from celery.exceptions import SoftTimeLimitExceeded

from retrying_elegant import given_up, retry, retrying

place = os.environ.get("RETRYING_TEST_REDIS", "/nowhere")
app = celery.Celery(
    "celery_tasks", broker=f"redis+socket://{place}", backend=f"redis+socket://{place}"
)
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    worker_hijack_root_logger=False,
    worker_prefetch_multiplier=1,
)


class Down(Exception):
    """What the tasks fail with."""


class Flaky:
    """Fails so many times, and counts."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.failures:
            raise Down(f"call {self.calls}")
        return self.calls


@app.task
def inside(failures: int) -> list[Any]:
    """Retry what the task calls: a decorated function and a loop."""
    by_decorator = retry(3, on=Down, wait=0.01)(Flaky(failures))()
    work = Flaky(failures)
    for attempt in retrying(3, on=Down, wait=0.01):
        with attempt:
            work()
    return [by_decorator, attempt.number, os.getpid()]


@app.task(bind=True)
@retry(3, on=Down, wait=0.01)
def decorated(self: Any, failures: int, *, path: str) -> str:
    """Retry the task's own function, as the inner decorator; its state outlives the attempts."""
    calls = self.request.calls = self.request.get("calls", 0) + 1
    if calls <= failures:
        raise Down(f"call {calls}")
    return f"{path} at {calls}, {self.name}"


@app.task(
    bind=True, autoretry_for=(Down,), max_retries=1, retry_backoff=False, default_retry_delay=0
)
def layered(self: Any, path: str) -> None:
    """Both layers: the inner ends soon, Celery's puts the task back into the queue."""
    with open(path, "a") as log:
        for attempt in retrying(2, on=Down, wait=0.01):
            with attempt:
                log.write(f"{self.request.retries}.{attempt.number} ")
                raise Down("always")


@app.task(bind=True, max_retries=1, default_retry_delay=0)
def retried_by_celery(self: Any, path: str, named: bool) -> str:
    """`self.retry()` inside of an attempt raises an Exception of Celery's."""
    with open(path, "a") as log:
        for attempt in retrying(3, wait=0.01, **({"on": Down} if named else {})):
            with attempt:
                log.write(f"{self.request.retries}.{attempt.number} ")
                if self.request.retries == 0:
                    raise self.retry()
        return "done"


@app.task(soft_time_limit=1)
def soft_limit_in_a_wait() -> list[Any]:
    """The soft limit is raised into a wait of a minute."""
    work, ends = Flaky(9), []
    start = time.monotonic()
    try:
        retry(on=Down, wait=60, on_give_up=lambda attempt: ends.append(str(attempt.error)))(work)()
    except SoftTimeLimitExceeded as error:
        context = type(error.__context__).__name__
        record = given_up(error)
        reason = record and record.reason
        return [work.calls, time.monotonic() - start < 10, reason, context, ends]
    return []


@app.task(soft_time_limit=1)
def soft_limit_in_an_attempt(named: bool) -> int:
    """The soft limit is raised into an attempt, as an Exception."""
    calls = []

    @retry(2, wait=0.01, **({"on": Down} if named else {}))
    def work() -> None:
        calls.append(True)
        if len(calls) == 1:
            time.sleep(60)

    try:
        work()
    except SoftTimeLimitExceeded:
        pass
    return len(calls)


@app.task
def gives_up() -> None:
    """The error crosses the result backend."""
    retry(2, on=Down, wait=0.01)(Flaky(9))()


@app.task(acks_late=True)
def waits_on_shutdown(path: str) -> str:
    """Half a second of waits, while the worker is told to stop."""

    def work() -> str:
        with open(path, "a") as log:
            log.write("x")
        with open(path) as log:
            if len(log.read()) < 3:
                raise Down("not yet")
        return "done"

    return retry(3, on=Down, wait=0.25)(work)()
