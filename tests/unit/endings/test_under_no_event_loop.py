"""Async forms where neither asyncio nor trio runs the coroutine, as under Twisted."""

from __future__ import annotations

import sys

import pytest
from ways import generator_async, run_async

from retrying_elegant import RetryBudget, _async_backend, given_up, retry, retrying


class Lost(Exception):
    """Retried in these tests."""


async def decorator(risky, *args, **options):
    return await retry(*args, **options)(risky)()


async def loop(risky, *args, **options):
    async for attempt in retrying(*args, **options):
        async with attempt:
            attempt.result = await risky()
    return attempt.result


async def block(risky, *args, **options):
    async with retrying(*args, **options) as call:
        return await call(risky)


@pytest.fixture(params=[decorator, loop, block, generator_async], ids=lambda form: form.__name__)
def start(request, own_waits):
    """The coroutine of a call; unlike those of *ways*, its attempts suspend nowhere."""
    return request.param


def by_hand(coroutine):
    """Run *coroutine* as a foreign event loop would: what it yields is not understood."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as end:
        return end.value
    finally:
        coroutine.close()


class Attempts:
    """A script of outcomes."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.calls = 0

    async def __call__(self):
        self.calls += 1
        outcome = self.outcomes[min(self.calls, len(self.outcomes)) - 1]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class TestUnderNeither:
    """What needs no waiting works; a wait raises a RuntimeError that says where it runs."""

    def test_a_first_success(self, start):
        """Needs no event loop."""
        assert by_hand(start(Attempts("value"))) == "value"

    def test_the_hooks_of_the_end(self, start):
        """They run: the call has ended, for no reason that a policy has."""
        ended = []
        call = start(
            Attempts(Lost()), wait=1, on_give_up=lambda a: ended.append((a.number, a.reason))
        )
        with pytest.raises(RuntimeError):
            by_hand(call)
        assert ended == [(1, None)]

    def test_before_asyncio_is_imported(self, start, own_waits):
        """It is not needed either."""
        own_waits.setattr(_async_backend, "_current_task", None)
        own_waits.setattr(_async_backend, "_current_tasks", None)
        own_waits.delitem(sys.modules, "asyncio")
        assert by_hand(start(Attempts("value"))) == "value"

    def test_a_task_that_does_not_count_its_cancellations(self, start, own_waits):
        """As one of another library may not."""
        foreign = object()
        own_waits.setattr(_async_backend, "_current_task", lambda: foreign)
        own_waits.setattr(_async_backend, "_current_tasks", {None: foreign})
        own_waits.setattr(_async_backend, "_running_loop", lambda: None)
        assert by_hand(start(Attempts("value"))) == "value"

    def test_an_error_that_is_not_retryable(self, start):
        """Nor does this."""
        with pytest.raises(Lost):
            by_hand(start(Attempts(Lost()), on=OSError))

    def test_a_wait(self, start):
        """RuntimeError, naming asyncio and trio; the attempt's error is its context."""
        error = Lost("down")
        attempts = Attempts(error)
        with pytest.raises(RuntimeError, match=r"asyncio.*trio") as caught:
            by_hand(start(attempts, 3, wait=60))
        assert caught.value.__context__ is error
        assert attempts.calls == 1

    def test_the_token(self, start):
        """Is returned."""
        budget = RetryBudget(5)
        with pytest.raises(RuntimeError):
            by_hand(start(Attempts(Lost()), 3, wait=60, budget=budget))
        assert budget.tokens == 5

    def test_the_last_attempt(self, start):
        """Nothing has to wait after it."""
        with pytest.raises(Lost) as caught:
            by_hand(start(Attempts(Lost()), 1, wait=60))
        assert given_up(caught.value).reason == "attempts"

    def test_an_attempt_timeout(self, start):
        """Cannot be kept there: RuntimeError before the attempt."""
        attempts = Attempts("value")
        with pytest.raises(RuntimeError, match=r"asyncio.*trio"):
            by_hand(start(attempts, attempt_timeout=5))
        assert attempts.calls == 0

    def test_beside_an_event_loop(self, start):
        """One that runs further out, but not this coroutine."""

        async def main():
            return by_hand(start(Attempts(Lost("down")), 3, wait=60))

        with pytest.raises(RuntimeError) as caught:
            run_async(main())
        assert type(caught.value.__context__) is Lost
