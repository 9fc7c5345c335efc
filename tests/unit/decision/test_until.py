"""Contract 2 and 6: `until`, polling for a result."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import get_type_hints

import pytest
from ways import Flaky

from retrying_elegant import RetryBudget, RetryError, TryAgain, given_up, retrying


class Lost(Exception):
    """Retried in these tests."""


class Wrong(Exception):
    """Not retried in these tests."""


def ready(value):
    return value == "ready"


class TestUntil:
    """`until`: predicate on the result: truthy = accept it, falsy = try again (polling)."""

    def test_an_accepted_result_ends_the_call(self, way):
        """At the first attempt as at a later one."""
        flaky = Flaky(["ready"])
        assert way.run(flaky, until=ready) == "ready"
        assert flaky.calls == 1

    def test_a_refused_result_is_tried_again(self, way, waits):
        """After the waits of the backoff."""
        flaky = Flaky(["pending", "pending", "ready"])
        assert way.run(flaky, until=ready, wait=[1, 2]) == "ready"
        assert flaky.calls == 3
        assert waits == [1, 2]

    def test_it_is_asked_about_results_alone(self, way):
        """None is a result; an error is not."""
        asked = []
        way.run(Flaky([None, Lost, "ready"]), until=lambda value: asked.append(value) or value)
        assert asked == [None, "ready"]

    def test_errors_are_filtered_as_ever(self, way):
        """Among refused results."""
        assert way.run(Flaky(["pending", Lost, "ready"]), on=Lost, until=ready) == "ready"
        with pytest.raises(Wrong):
            way.run(Flaky(["pending", Wrong, "ready"]), on=Lost, until=ready)

    def test_try_again_asks_for_another_too(self, way):
        """`raise TryAgain()` says the same from inside."""
        assert way.run(Flaky([TryAgain, "pending", "ready"]), on=(), until=ready) == "ready"

    def test_the_filters_have_no_say_in_it(self, way):
        """`on` and `unless` judge errors, and a refused result is none."""
        flaky = Flaky(["pending", "ready"])
        assert way.run(flaky, on=(), unless=Exception, until=ready) == "ready"

    def test_hooks_see_the_refused_result(self, way):
        """`attempt.result`, and no success."""
        seen = []
        way.run(
            Flaky(["pending", "ready"]),
            until=ready,
            on_retry=lambda attempt: seen.append((attempt.result, attempt.succeeded)),
            on_success=lambda attempt: seen.append((attempt.result, attempt.succeeded)),
        )
        assert seen == [("pending", False), ("ready", True)]


class TestNeverSatisfied:
    """`RetryError` is raised only where there is no exception to re-raise; it has `.result`."""

    def test_it_has_the_last_result(self, way):
        """The one that the last attempt gave."""
        with pytest.raises(RetryError) as caught:
            way.run(Flaky(["one", "two", "three"]), 3, until=ready)
        assert caught.value.result == "three"

    def test_it_obeys_attempts(self, way):
        """No more calls than attempts."""
        flaky = Flaky(["pending"])
        with pytest.raises(RetryError) as caught:
            way.run(flaky, 4, until=ready)
        assert flaky.calls == 4
        assert given_up(caught.value).reason == "attempts"

    def test_it_obeys_timeout(self, way, clock, waits):
        """A wait that would end too late is not begun."""
        with pytest.raises(RetryError) as caught:
            way.run(Flaky(["pending"]), None, until=ready, wait=2, timeout=5)
        assert waits == [2, 2]
        assert given_up(caught.value).reason == "timeout"

    def test_it_obeys_the_budget(self, way):
        """Polls are retries."""
        flaky = Flaky(["pending"])
        with pytest.raises(RetryError) as caught:
            way.run(flaky, None, until=ready, budget=RetryBudget(1))
        assert flaky.calls == 2
        assert given_up(caught.value).reason == "budget"

    def test_it_carries_note_and_record(self, way):
        """As any error that a policy gave up on."""
        with pytest.raises(RetryError) as caught:
            way.run(Flaky(["pending"]), 2, until=ready, name="poll")
        assert "gave up on poll after 2 attempts" in "\n".join(caught.value.__notes__)
        assert given_up(caught.value).name == "poll"

    def test_no_earlier_error_is_chained_in(self, way):
        """`__cause__` and `__context__` are empty."""
        with pytest.raises(RetryError) as caught:
            way.run(Flaky([Lost, "pending"]), 2, until=ready)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None

    def test_an_error_in_the_last_attempt_leaves_itself(self, way):
        """There is an exception to re-raise."""
        with pytest.raises(Lost):
            way.run(Flaky(["pending", Lost]), 2, until=ready)

    def test_it_pickles_when_its_result_does(self, way):
        """`RetryError`, its result included."""
        with pytest.raises(RetryError) as caught:
            way.run(Flaky([{"state": "pending"}]), 2, until=ready)
        copy = pickle.loads(pickle.dumps(caught.value))
        assert type(copy) is RetryError
        assert copy.result == {"state": "pending"}

    def test_try_again_derives_from_it(self):
        """One class catches both."""
        assert issubclass(TryAgain, RetryError)

    def test_its_subclasses_have_type_hints(self):
        """Tools that convert dataclasses read them, from all bases."""

        @dataclass
        class Pending(TryAgain):
            job: int

        assert get_type_hints(Pending)["job"] is int
        assert Pending.result is None

    def test_raises_false_ends_a_loop(self, loop_way):
        """The value is the last, refused result."""
        flaky = Flaky(["pending"])
        assert loop_way.run(flaky, 2, until=ready, raises=False) == "pending"
        assert flaky.calls == 2

    def test_raises_false_ends_a_block(self):
        """`call.error` holds the RetryError."""
        with retrying(2, until=ready, raises=False) as call:
            call(Flaky(["pending"]))
        assert not call.succeeded
        assert call.error.result == "pending"


class TestLoopsThatPoll:
    """In a loop with `until`, the body stores `attempt.result` inside the `with`."""

    def test_a_pass_that_stores_no_result_is_a_success(self):
        """`until` is not asked."""
        asked = []
        for attempt in retrying(until=asked.append):
            with attempt:
                pass
        assert attempt.succeeded
        assert (attempt.number, asked) == (1, [])

    def test_the_attempt_says_whether_it_was_accepted(self):
        """After the loop, and for each pass."""
        attempts = []
        for attempt in retrying(3, until=ready, raises=False):
            attempts.append(attempt)
            with attempt:
                attempt.result = ["pending", "ready"][attempt.number - 1]
        assert [attempt.succeeded for attempt in attempts] == [False, True]
        assert [attempt.result for attempt in attempts] == ["pending", "ready"]


class TestLoopsWithoutAResult:
    """A loop without a result is a success, with `until` or without."""

    @pytest.mark.parametrize("options", [{}, {"until": bool}], ids=["plain", "until"])
    def test_nothing_stored(self, options):
        """Nothing is asked about nothing."""
        for attempt in retrying(**options):
            with attempt:
                pass
        assert (attempt.succeeded, attempt.number, attempt.result) == (True, 1, None)


class TestTheHistoryOfRejectedResults:
    """A record has a line for each."""

    def test_each_has_its_line(self, way, clock):
        """Without an error, because there was none."""
        with pytest.raises(RetryError) as caught:
            way.run(Flaky([0]), 2, until=bool, wait=3)
        assert given_up(caught.value).history == (
            "attempt 1 at 0.00 s: result not accepted",
            "attempt 2 at 3.00 s: result not accepted",
        )


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
