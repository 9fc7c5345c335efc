"""Section 14 of the contract: what only the form in use, or the call itself, shows to be wrong."""

import functools
import math

import pytest
from ways import Flaky

from retrying_elegant import TryAgain, retrying


async def coroutine_function(*args):
    """What may stand for a hook in async forms, and for nothing else."""


async def ok_async(*args):
    return "ok"


def ok(*args):
    return "ok"


@pytest.fixture
def coroutine():
    """A coroutine nobody awaits, closed afterwards so that it does not complain."""
    coroutine = coroutine_function()
    yield coroutine
    coroutine.close()


def raising(*args):
    """A predicate, `until` or `wait` with a bug in it."""
    raise ZeroDivisionError("a bug in the settings")


class TestACallableThatRaises:
    """A predicate or wait callable that raises, raises from there, the error as `__context__`."""

    @pytest.mark.parametrize("name", ["on", "unless", "wait"])
    def test_after_an_error(self, way, name):
        """Its own error leaves, what the attempt raised stays in sight, and nothing is retried."""
        error = OSError("down")
        script = Flaky([error])
        with pytest.raises(ZeroDivisionError, match="a bug in the settings") as raised:
            way.run(script, **{name: raising})
        assert raised.value.__context__ is error
        assert script.calls == 1

    def test_after_a_result(self, way):
        """`until` has no error to chain: its own leaves as it is."""
        script = Flaky(["value"])
        with pytest.raises(ZeroDivisionError, match="a bug in the settings"):
            way.run(script, until=raising)
        assert script.calls == 1

    def test_the_error_keeps_the_frame_it_came_from(self, way):
        """It raises from there: the traceback ends in the callable."""
        with pytest.raises(ZeroDivisionError) as raised:
            way.run(Flaky([OSError]), on=raising)
        assert raised.traceback[-1].name == "raising"

    def test_on_a_later_attempt(self, way):
        """The context is the error of the attempt that was asked about, not of the first."""
        last = ValueError("second")

        def only_the_first(error):
            return error is not last or raising()

        with pytest.raises(ZeroDivisionError) as raised:
            way.run(Flaky([OSError("first"), last]), on=only_the_first, wait=0)
        assert raised.value.__context__ is last


class TestACallableThatReturnsWhatItMayNot:
    """Or returns what it may not, raises from there with the attempt's error as `__context__`."""

    def test_a_wait_that_is_none(self, way, waits):
        """Nothing is retried."""
        error = OSError("down")
        script = Flaky([error])
        with pytest.raises(ValueError, match=r"^wait\(\.\.\.\)=-1: expected") as raised:
            way.run(script, wait=lambda attempt: -1)
        assert raised.value.__context__ is error
        assert script.calls == 1
        assert waits == []

    @pytest.mark.parametrize("name", ["on", "unless", "wait"])
    def test_a_coroutine_after_an_error(self, way, name, coroutine):
        """Truthy as it is, it is no answer."""
        error = OSError("down")
        script = Flaky([error])
        with pytest.raises(TypeError, match=f"{name}.*expected") as raised:
            way.run(script, **{name: lambda asked: coroutine})
        assert raised.value.__context__ is error
        assert script.calls == 1

    def test_a_hint_of_unless(self, some_way):
        """It says "retry" where it is asked what not to retry."""
        script = Flaky([OSError("down")])
        message = r"^unless\(\.\.\.\)=.*: expected a truth value, not a hint$"
        with pytest.raises(TypeError, match=message):
            some_way.run(script, unless=lambda error: TryAgain(after=2))
        assert script.calls == 1

    def test_a_coroutine_after_a_result(self, way, coroutine):
        """Nor is it for `until`."""
        script = Flaky(["value"])
        with pytest.raises(TypeError, match=r"until.*expected"):
            way.run(script, until=lambda result: coroutine)
        assert script.calls == 1

    def test_nothing_is_looked_at_when_nothing_is_asked(self, way):
        """On the last attempt no wait is needed, so the bad one hides nothing."""
        with pytest.raises(OSError, match="down"):
            way.run(Flaky([OSError("down")]), 1, wait=lambda attempt: math.nan)


class TestSyncForms:
    """What sync forms could not see or await is refused there."""

    hooks = pytest.mark.parametrize(
        "hook", ["before_attempt", "on_retry", "on_success", "on_give_up"]
    )
    async_hooks = pytest.mark.parametrize(
        "value",
        [
            coroutine_function,
            [ok, coroutine_function],
            functools.partial(coroutine_function, 1),
        ],
        ids=["function", "among others", "partial"],
    )

    @hooks
    @async_hooks
    def test_a_coroutine_function_as_hook(self, sync_way, hook, value):
        """Refused when the form is made, so before anything is called."""
        script = Flaky(["value"])
        with pytest.raises(TypeError, match=f"{hook}.*coroutine_function"):
            sync_way.run(script, **{hook: value})
        assert script.calls == 0

    @hooks
    @async_hooks
    def test_it_is_welcome_in_async_forms(self, async_way, hook, value):
        """The same settings, where they can be awaited."""
        assert async_way.run(Flaky(["value"]), **{hook: value}) == "value"

    def test_attempt_timeout_in_a_block(self):
        """Refused where the block starts."""
        with pytest.raises(TypeError, match=r"attempt_timeout.*2"), retrying(attempt_timeout=2):
            pytest.fail("the block ran")

    def test_attempt_timeout_in_a_loop(self):
        """In a sync loop nothing can be interrupted: it only shows as `attempt.timeout`."""
        for attempt in retrying(attempt_timeout=2):
            with attempt:
                assert attempt.timeout == 2


class TestAnswers:
    """A filter that answers with something to be awaited is refused by name."""

    @pytest.mark.parametrize("name", ["on", "unless", "until"])
    def test_the_whole_message(self, way, name):
        """The field, what it gave, and what it may give."""

        class Later:
            def __await__(self):
                yield

            def __repr__(self):
                return "<later>"

        with pytest.raises(TypeError) as refusal:
            way.run(
                Flaky(["value" if name == "until" else ConnectionError]),
                **{name: lambda it: Later()},
            )
        said = f"{name}(...)=<later>: expected a result, not an awaitable"
        assert str(refusal.value) == said

    @pytest.mark.parametrize("equal", [True, False])
    def test_one_that_equals_a_truth_value(self, some_way, equal):
        """It is an awaitable all the same."""

        class Later:
            def __await__(self):
                yield

            def __eq__(self, other):
                return other is equal

        with pytest.raises(TypeError, match=r"expected a result, not an awaitable$"):
            some_way.run(Flaky(["value"]), until=lambda result: Later())
