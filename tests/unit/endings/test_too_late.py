"""Contract 4 and 5: the error that leaves when there was no time left for a retry after all."""

from __future__ import annotations

import inspect
import traceback

import pytest
from ways import GENERATORS, WAYS, Flaky, first_two, run_async

from retrying_elegant import given_up, retrying


class Lost(Exception):
    """Retried in these tests."""


EVERY = [*WAYS, *GENERATORS]


@pytest.fixture(params=EVERY, ids=repr)
def way(request):
    return request.param


@pytest.fixture(params=first_two(EVERY), ids=repr)
def some_way(request):
    return request.param


def slow_hook(clock, instant):
    return {"on_retry": lambda attempt: clock.tick(60)}


def slow_filter(clock, instant):
    return {"on": lambda error: clock.tick(60) is not None}


def slow_wait_callable(clock, instant):
    return {"wait": lambda attempt: clock.tick(60) and 1}


def long_wait(clock, instant):
    class Waits(list):
        """Where each wait is written down once it has taken a minute."""

        def append(self, seconds):
            clock.tick(60)
            super().append(seconds)

    instant.waits = Waits()
    return {}


@pytest.fixture(params=[slow_hook, slow_filter, slow_wait_callable, long_wait])
def too_slow(request, clock, instant):
    """What eats up the time, as options of a policy."""
    return {"wait": 1, "timeout": 9, **request.param(clock, instant)}


before_the_wait = pytest.mark.parametrize(
    "too_slow", [slow_hook, slow_filter, slow_wait_callable], indirect=True
)


class Failing:
    """Attempts that raise *error* as *chain* says, and what its chain was when it left them."""

    def __init__(self, error, chain="alone"):
        self.error = error
        self.chain = chain
        self.calls = 0
        self.behind = None

    def __call__(self):
        self.calls += 1
        try:
            getattr(self, self.chain)()
        finally:
            self.behind = behind(self.error)

    def alone(self):
        raise self.error

    def context(self):
        try:
            raise KeyError("context")
        except KeyError:
            raise self.error  # noqa: B904 - a context is the point

    def cause(self):
        raise self.error from ZeroDivisionError("cause")

    def both(self):
        try:
            raise KeyError("context")
        except KeyError:
            raise self.error from ZeroDivisionError("cause")

    def none(self):
        try:
            raise KeyError("context")
        except KeyError:
            raise self.error from None


CHAINS = ["alone", "context", "cause", "both", "none"]


def behind(error):
    return error.__context__, error.__cause__, error.__suppress_context__


def raised(way, risky, handled=None, **options):
    """The error that leaves; the caller is handling *handled*, if that is given."""

    def call():
        if way.colour == "sync":
            way.start(risky, **options)

    async def main():
        if handled is None:
            call()
            if way.colour == "async":
                await way.start(risky, **options)
        try:
            raise handled
        except type(handled):
            call()
            if way.colour == "async":
                await way.start(risky, **options)

    with pytest.raises(Lost) as caught:
        run_async(main())
    return caught.value


class TestGivingUpLate:
    """When the timeout has passed, or the wait would end after it, the policy gives up."""

    def test_the_error_leaves(self, way, too_slow):
        """After the only attempt; the reason is the time."""
        error = Lost()
        failing = Failing(error)
        assert raised(way, failing, **too_slow) is error
        assert failing.calls == 1
        assert (given_up(error).reason, given_up(error).attempts) == ("timeout", 1)

    @before_the_wait
    def test_nothing_is_slept(self, way, too_slow, waits):
        """Where there was no time for the wait."""
        raised(way, Failing(Lost()), **too_slow)
        assert waits == []

    @before_the_wait
    def test_the_traceback_is_whole(self, way, too_slow):
        """No frame had to die for a wait that was never slept."""
        error = raised(way, Failing(Lost()), **too_slow)
        names = [frame.f_code.co_qualname for frame, _ in traceback.walk_tb(error.__traceback__)]
        assert names[-2:] == ["Failing.__call__", "Failing.alone"]


@pytest.mark.parametrize(
    "too_slow",
    [
        slow_hook,
        long_wait,
        *(
            pytest.param(slow, marks=pytest.mark.crossed)
            for slow in (slow_filter, slow_wait_callable)
        ),
    ],
    indirect=True,
)
@pytest.mark.parametrize("chain", CHAINS)
class TestTheChainOfTheError:
    """`__cause__` and `__context__` stay as the user's code left them."""

    def test_of_a_caller_that_handles_nothing(self, some_way, too_slow, chain):
        """The very objects."""
        failing = Failing(Lost(), chain)
        assert behind(raised(some_way, failing, **too_slow)) == failing.behind

    def test_of_a_caller_that_handles_another_error(self, some_way, too_slow, chain):
        """It does not push itself in."""
        failing = Failing(Lost(), chain)
        assert behind(raised(some_way, failing, OSError("handled"), **too_slow)) == failing.behind


class TestTheChainInEveryForm:
    """The same, with all that a chain can have, and a caller that handles an error of its own."""

    @pytest.mark.parametrize("too_slow", [slow_hook, long_wait], indirect=True)
    def test_it_stays(self, way, too_slow):
        """Before the wait and after it."""
        failing = Failing(Lost(), "both")
        assert behind(raised(way, failing, OSError("handled"), **too_slow)) == failing.behind


class TestErrorsThatEndAFor:
    """A final error never ends a loop as if all were well."""

    @pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
    def test_in_a_sync_loop(self, too_slow, kind):
        """RuntimeError, from it."""
        stop = kind("of something else")
        with pytest.raises(RuntimeError) as caught:
            for attempt in retrying(**too_slow):
                with attempt:
                    raise stop
        assert caught.value.__cause__ is stop
        assert given_up(stop).reason == "timeout"

    @pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
    def test_in_an_async_loop(self, too_slow, kind):
        """RuntimeError, from it."""
        stop = kind("of something else")
        caught = []

        async def main():
            try:
                async for attempt in retrying(**too_slow):
                    async with attempt:
                        raise stop
            except RuntimeError as error:
                caught.append(error)

        run_async(main())
        assert [error.__cause__ for error in caught] == [stop]
        assert given_up(stop).reason == "timeout"

    @pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
    def test_with_raises_false(self, too_slow, kind):
        """It stays in."""
        stop = kind("of something else")
        for attempt in retrying(raises=False, **too_slow):
            with attempt:
                raise stop
        assert attempt.error is stop

    @pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
    def test_from_the_with_itself_it_leaves_as_it_is(self, kind):
        """There it ends nothing."""
        stop = kind("of something else")
        with pytest.raises(kind) as caught:
            for attempt in retrying(2):
                with attempt:
                    raise stop
        assert caught.value is stop


def test_every_way_retries_when_there_is_time(way):
    """The ways of this file that others do not have are ways as theirs are."""
    flaky = Flaky([Lost, "value"])
    value = way.start(flaky, wait=1, timeout=9)
    assert (run_async(value) if inspect.isawaitable(value) else value) == "value"
