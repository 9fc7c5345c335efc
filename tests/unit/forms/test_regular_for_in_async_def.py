"""Contract 5: a regular `for` in an `async def`, where the warning about it is an error."""

from __future__ import annotations

import warnings

import pytest
from ways import run_async

from retrying_elegant import RetryBudget, retrying


class Lost(Exception):
    """Retried in these tests."""


def run(error, **fields):
    """What comes of a regular loop in an `async def`, warnings being errors."""

    async def main():
        for attempt in retrying(3, wait=1, **fields):
            with attempt:
                raise error

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_async(main())


class TestTheWarningAsAnError:
    """It ends the call like whatever interrupts a wait; nothing is lost."""

    def test_the_attempts_error(self):
        """Is its context."""
        error = Lost("down")
        with pytest.raises(RuntimeWarning, match="async for") as caught:
            run(error)
        assert caught.value.__context__ is error

    def test_the_token(self):
        """Is returned."""
        budget = RetryBudget(5)
        with pytest.raises(RuntimeWarning):
            run(Lost(), budget=budget)
        assert budget.tokens == 5

    def test_the_ending_hook(self):
        """Runs once, with the attempt's error."""
        ends, error = [], Lost("down")
        with pytest.raises(RuntimeWarning):
            run(error, on_give_up=lambda attempt: ends.append((attempt.number, attempt.error)))
        assert ends == [(1, error)]

    def test_raises_false(self):
        """Does not swallow it."""
        with pytest.raises(RuntimeWarning):
            run(Lost(), raises=False)
