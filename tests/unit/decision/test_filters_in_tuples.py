"""Contract 2: tuples of classes and predicates, `until` with a hint, and a wait that says stop."""

from __future__ import annotations

import math

import pytest
from ways import Flaky

from retrying_elegant import (
    Policy,
    RetryBudget,
    RetryError,
    TryAgain,
    given_up,
    retry,
    retrying,
)


class Lost(Exception):
    """Retried in these tests."""


class Busy(Exception):
    """Retried in these tests, too."""


class Wrong(Exception):
    """Retried nowhere."""


def busy_for(seconds):
    """A predicate that knows Busy, with a hint."""
    return lambda error: isinstance(error, Busy) and TryAgain(after=seconds)


def never(error):
    return False


class TestTuples:
    """`on` and `unless`: evaluated in order, the first match decides."""

    @pytest.mark.parametrize("error", [Lost, Busy])
    def test_on(self, way, error):
        """A class or a predicate, wherever it is in the tuple."""
        for on in ((never, Lost, busy_for(0)), (busy_for(0), never, Lost)):
            flaky = Flaky([error, "value"])
            assert way.run(flaky, 3, on=on, wait=0) == "value"
            assert flaky.calls == 2

    def test_no_match(self, way):
        """Is not retried."""
        flaky = Flaky([Wrong])
        with pytest.raises(Wrong):
            way.run(flaky, 3, on=(never, Lost, busy_for(0)))
        assert flaky.calls == 1

    def test_the_first_match_decides(self, way, waits):
        """Its hint is carried, and what comes after it is not evaluated."""
        asked = []

        def later(error):
            asked.append(error)
            return TryAgain(after=100)

        assert way.run(Flaky([Busy, "value"]), 3, on=(never, busy_for(7), later), wait=0) == "value"
        assert waits == [7]
        assert asked == []

    def test_a_class_before_a_predicate(self, way, waits):
        """No hint then."""
        assert way.run(Flaky([Busy, "value"]), 3, on=(Busy, busy_for(7)), wait=2) == "value"
        assert waits == [2]

    def test_unless(self, way):
        """Wins over `on`, by class or predicate."""
        for unless in ((never, Wrong), (Wrong, never), (lambda e: isinstance(e, Wrong),)):
            flaky = Flaky([Lost, Wrong, "value"])
            with pytest.raises(Wrong):
                way.run(flaky, 5, unless=unless, wait=0)
            assert flaky.calls == 2

    @pytest.mark.parametrize("field", ["on", "unless"])
    def test_groups(self, way, field):
        """Classes in a tuple match groups as classes alone do."""
        group = ExceptionGroup("both", [Lost(), Busy()])
        flaky = Flaky([group, "value"])
        if field == "on":
            assert way.run(flaky, 3, on=(never, Lost, Busy), wait=0) == "value"
        else:
            with pytest.raises(ExceptionGroup):
                way.run(flaky, 3, unless=(never, Busy))
            assert flaky.calls == 1

    @pytest.mark.parametrize("field", ["on", "unless"])
    def test_a_nested_tuple(self, field):
        """TypeError, with a suggestion to flatten it."""
        with pytest.raises(TypeError, match=rf"^{field}") as caught:
            Policy(**{field: (OSError, (KeyError, ValueError))})
        assert "*" in str(caught.value)

    @pytest.mark.parametrize("item", [7, "OSError", None, KeyboardInterrupt, object])
    @pytest.mark.parametrize("field", ["on", "unless"])
    def test_what_is_neither(self, field, item):
        """TypeError."""
        with pytest.raises(TypeError, match=rf"^{field}"):
            Policy(**{field: (OSError, item)})

    @pytest.mark.parametrize("field", ["on", "unless"])
    def test_a_coroutine_function(self, field):
        """Cannot be evaluated at once."""

        async def predicate(error): ...

        with pytest.raises(TypeError, match=rf"^{field}"):
            Policy(**{field: (OSError, predicate)})

    def test_a_hint_from_unless(self, way):
        """TypeError: "never, but after 5 s" is nonsense."""
        error = Busy("busy")
        with pytest.raises(TypeError, match="unless") as caught:
            way.run(Flaky([error]), 3, unless=busy_for(5))
        assert caught.value.__context__ is error


class TestUntilWithAHint:
    """`until` may return `TryAgain(after=seconds)`: try again, not before that."""

    def test_it_is_waited(self, way, waits):
        """Added to the wait of the backoff, as every hint."""

        def until(result):
            return TryAgain(after=5) if result == "pending" else True

        assert way.run(Flaky(["pending", "done"]), 3, until=until, wait=0) == "done"
        assert waits == [5]

    def test_the_attempt_shows_it(self, way):
        """To hooks."""
        hints = []
        flaky = Flaky(["pending", "done"])
        way.run(
            flaky,
            3,
            until=lambda result: TryAgain(after=5) if result == "pending" else True,
            on_retry=lambda attempt: hints.append((attempt.hint, attempt.result)),
        )
        assert hints == [(5, "pending")]

    def test_without_a_hint(self, way, waits):
        """As False."""
        outcomes = iter([TryAgain(), True])
        assert way.run(Flaky(["value"]), 3, until=lambda r: next(outcomes), wait=2) == "value"
        assert waits == [2]

    def test_in_the_end(self, way):
        """RetryError, as for every rejected result."""
        with pytest.raises(RetryError) as caught:
            way.run(Flaky(["pending"]), 2, until=lambda result: TryAgain(after=5))
        assert caught.value.result == "pending"
        assert given_up(caught.value).reason == "attempts"


class TestAWaitThatSaysStop:
    """A wait callable may return `math.inf`: no further attempt, reason "wait"."""

    def test_it_gives_up(self, way, waits):
        """Without waiting, with the attempt's error."""
        ends, error = [], Lost("down")
        with pytest.raises(Lost) as caught:
            way.run(
                Flaky([error]),
                None,
                wait=lambda attempt: 1 if attempt.number < 3 else math.inf,
                on_give_up=lambda attempt: ends.append((attempt.number, attempt.reason)),
            )
        assert caught.value is error
        assert waits == [1, 1]
        assert ends == [(3, "wait")]
        assert given_up(error).reason == "wait"
        assert given_up(error).attempts == 3

    def test_by_kind_of_error(self, way):
        """What stop rules are for: a limit of its own for one kind."""

        def wait(attempt):
            return math.inf if isinstance(attempt.error, Busy) and attempt.number >= 2 else 0

        flaky = Flaky([Lost, Lost, Busy])
        with pytest.raises(Busy):
            way.run(flaky, 10, wait=wait)
        assert flaky.calls == 3

    def test_by_result_and_elapsed(self, way):
        """It sees them all."""
        seen = []

        def wait(attempt):
            seen.append((attempt.number, attempt.error, attempt.result, attempt.hint))
            assert attempt.elapsed >= 0
            return math.inf

        with pytest.raises(RetryError):
            way.run(Flaky(["pending"]), 5, until=lambda r: TryAgain(after=5), wait=wait)
        assert seen == [(1, None, "pending", 5)]

    def test_raises_false(self):
        """Applies."""
        for attempt in retrying(5, wait=lambda attempt: math.inf, raises=False):
            with attempt:
                raise Lost
        assert not attempt.succeeded
        assert (attempt.number, attempt.reason) == (1, "wait")

    def test_fallback(self):
        """Applies."""
        decorated = retry(5, wait=lambda attempt: math.inf, fallback=lambda a: a.reason)
        assert decorated(Flaky([Lost]))() == "wait"

    def test_no_token_is_taken(self, way):
        """The budget is asked last."""
        budget = RetryBudget(5)
        with pytest.raises(Lost):
            way.run(Flaky([Lost]), 5, wait=lambda attempt: math.inf, budget=budget)
        assert budget.tokens == 5

    @pytest.mark.parametrize("wait", [math.inf, (1, math.inf)], ids=str)
    def test_as_a_setting(self, wait):
        """Is a mistake: ValueError."""
        with pytest.raises(ValueError, match=r"^wait"):
            Policy(wait=wait)

    @pytest.mark.parametrize("wait", [-math.inf, math.nan, -1], ids=str)
    def test_other_odd_waits(self, way, wait):
        """Are mistakes still."""
        with pytest.raises(ValueError, match="wait"):
            way.run(Flaky([Lost]), 5, wait=lambda attempt: wait)


class TestReason:
    """`attempt.reason`: why the call gave up, None otherwise."""

    def test_none(self, way):
        """Before each attempt, at a retry and at a success."""
        reasons = []

        def note(attempt):
            reasons.append(attempt.reason)

        way.run(
            Flaky([Lost, "value"]), 3, wait=0, before_attempt=note, on_retry=note, on_success=note
        )
        assert reasons == [None] * 4

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"attempts": 2, "wait": 0}, "attempts"),
            ({"timeout": 5, "wait": 10}, "timeout"),
            ({"on": OSError}, "not retryable"),
            ({"wait": lambda attempt: math.inf}, "wait"),
        ],
        ids=["attempts", "timeout", "not retryable", "wait"],
    )
    def test_in_on_give_up(self, way, fields, reason):
        """One of the words of the record."""
        reasons = []
        with pytest.raises(Lost):
            way.run(Flaky([Lost]), **fields, on_give_up=lambda a: reasons.append(a.reason))
        assert reasons == [reason]
