"""Every call that ends has one ending hook, also where its own settings are what broke it."""

from __future__ import annotations

import asyncio

import pytest
from ways import Flaky, run_async

from retrying_elegant import RetryBudget, given_up, instrumentation


class Lost(Exception):
    """Retried in these tests."""


def raising(*args):
    """A setting with a bug in it."""
    raise ZeroDivisionError("a bug in the settings")


class Later:
    """Something to be awaited, where an answer is wanted."""

    def __await__(self):
        yield


class Told:
    """Hooks for all events, and what they were told of."""

    def __init__(self):
        self.story = []

    def __getitem__(self, name):
        return lambda attempt: self.story.append((name, attempt.number))

    def keys(self):
        return ["before_attempt", "on_retry", "on_success", "on_give_up"]


class TestBrokenSettings:
    """A predicate or a wait that raises, or returns what it may not, ends the call."""

    @pytest.mark.parametrize("broken", [raising, lambda it: Later()], ids=["raises", "awaitable"])
    @pytest.mark.parametrize("name", ["on", "unless", "wait", "until"])
    def test_it_has_given_up(self, way, name, broken):
        """Once, and on the attempt that was asked about."""
        told = Told()
        flaky = Flaky(["value" if name == "until" else Lost])
        with pytest.raises((ZeroDivisionError, TypeError)):
            way.run(flaky, **{name: broken}, **told)
        assert told.story == [("before_attempt", 1), ("on_give_up", 1)]

    def test_later(self, way):
        """After retries that were told of as ever."""
        told = Told()
        flaky = Flaky([Lost, 0, Lost])
        broken = lambda attempt: raising() if attempt.number == 3 else 0  # noqa: E731
        with pytest.raises(ZeroDivisionError):
            way.run(flaky, until=bool, wait=broken, **told)
        assert told.story == [
            *(("before_attempt", 1), ("on_retry", 1)),
            *(("before_attempt", 2), ("on_retry", 2)),
            *(("before_attempt", 3), ("on_give_up", 3)),
        ]

    @pytest.mark.parametrize("name", ["on", "unless", "wait", "until"])
    def test_no_token_is_taken(self, way, name):
        """Nor one given: it was no success."""
        budget = RetryBudget(10, 1)
        budget._take()
        flaky = Flaky(["value" if name == "until" else Lost])
        with pytest.raises(ZeroDivisionError):
            way.run(flaky, budget=budget, **{name: raising})
        assert budget.tokens == 9


class TestOneEnding:
    """Success or not, it is told once."""

    @pytest.mark.parametrize(
        ("script", "options", "ending"),
        [
            (["value"], {}, ("on_success", 1)),
            ([Lost, "value"], {}, ("on_success", 2)),
            ([0, "value"], {"until": bool}, ("on_success", 2)),
            ([Lost], {"on": OSError}, ("on_give_up", 1)),
            ([Lost], {"attempts": 2}, ("on_give_up", 2)),
            ([0], {"attempts": 2, "until": bool}, ("on_give_up", 2)),
            ([Lost], {"timeout": 1, "wait": 2}, ("on_give_up", 1)),
        ],
        ids=str,
    )
    def test_it_is_the_last_of_the_story(self, way, script, options, ending):
        """And the only one of its kind."""
        told = Told()
        try:
            way.run(Flaky(script), **options, **told)
        except Exception:
            assert ending[0] == "on_give_up"
        assert told.story[-1] == ending
        assert sum(name in {"on_success", "on_give_up"} for name, _ in told.story) == 1


@pytest.fixture
def oversleep(clock, own_waits):
    """Runs a script whose first wait, of ten seconds, takes sixty, with a timeout of thirty."""
    own_waits.setattr("time.sleep", lambda seconds: clock.tick(60))

    def run(way, risky, **options):
        options = {"wait": 10, "timeout": 30, **options}
        if way.colour == "sync":
            return way.run(risky, **options)

        async def main():
            asyncio.get_running_loop().call_later(5, clock.tick, 60)
            return await way.start(risky, **options)

        return run_async(main())

    return run


class TestALateEnding:
    """A wait that takes longer than the timeout ends the call once, like any other ending."""

    def test_the_hook(self, way, oversleep):
        """With no other hook, where a decorated call has no state until its first failure."""
        endings = []
        with pytest.raises(Lost):
            oversleep(way, Flaky([Lost, "value"]), on_give_up=endings.append)
        assert len(endings) == 1

    def test_the_log(self, way, oversleep, caplog):
        """One line says that it gave up."""
        with pytest.raises(Lost):
            oversleep(way, Flaky([Lost, "value"]))
        assert [record.args[0].startswith("gave up") for record in caplog.records] == [False, True]

    def test_the_observers(self, way, oversleep):
        """Each is told once."""
        endings = []
        with instrumentation.observe(on_give_up=endings.append), pytest.raises(Lost):
            oversleep(way, Flaky([Lost, "value"]))
        assert len(endings) == 1

    def test_the_record(self, way, oversleep):
        """It knows of the one attempt that was made."""
        error = Lost("first")
        with pytest.raises(Lost):
            oversleep(way, Flaky([error, "value"]))
        assert given_up(error).history == ("attempt 1 at 0.00 s: Lost: first",)
