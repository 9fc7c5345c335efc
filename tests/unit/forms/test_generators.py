"""Contract 4, generators: what sync and async ones have in common, and what only sync ones do."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from generator_parts import (
    Lost,
    Wrong,
    every_kind,
    playing,
    settled,
)
from ways import run_async

import retrying_elegant
from retrying_elegant import RetryBudget, TryAgain, given_up, retry

PACKAGE = Path(retrying_elegant.__file__).parent
HOOKS = ("before_attempt", "on_retry", "on_success", "on_give_up")


def recorded(events):
    """A hook of each kind that writes down its kind, the attempt's number and its result."""
    return {
        hook: lambda attempt, hook=hook: events.append((hook, attempt.number, attempt.result))
        for hook in HOOKS
    }


def failure(kind, source, *args, **options):
    """The error that leaves a generator of *source* that is consumed to its end."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller looks at it
        kind.listed(retry(*args, **options)(source)())
    return caught.value


@every_kind
class TestUntilTheFirstItem:
    """Generator and async generator functions: retried until the first item has come out."""

    def test_failures_before_it_are_retried(self, kind, waits):
        """After the waits of the policy; then all items come, once each."""
        source = kind.playing([Lost], [Lost], [1, 2, 3])
        assert kind.listed(retry(wait=[2, 3])(source)()) == [1, 2, 3]
        assert len(source.calls) == 3
        assert waits == [2, 3]

    def test_each_attempt_gets_the_arguments(self, kind):
        """The same ones."""
        source = kind.playing([Lost], [1])
        assert kind.listed(retry(source)("a", limit=2)) == [1]
        assert source.calls == [(("a",), {"limit": 2})] * 2

    def test_no_more_attempts_than_the_policy_has(self, kind):
        """Then the last error leaves, itself."""
        error = Lost("third")
        source = kind.playing([Lost], [Lost], [error], [1])
        assert failure(kind, source, 3) is error
        assert len(source.calls) == 3
        assert given_up(error).reason == "attempts"

    def test_what_is_not_retryable_leaves_at_once(self, kind):
        """As it came."""
        error = Wrong()
        source = kind.playing([error], [1])
        assert failure(kind, source, on=Lost) is error
        assert len(source.calls) == 1
        assert given_up(error) is None

    def test_control_flow_leaves_at_once(self, kind):
        """Ctrl-C before the first item ends it."""
        source = kind.playing([KeyboardInterrupt], [1])
        with pytest.raises(KeyboardInterrupt):
            kind.listed(retry(source)())
        assert len(source.calls) == 1

    def test_try_again_before_it(self, kind, waits):
        """With its hint."""
        source = kind.playing([TryAgain(after=4)], [1])
        assert kind.listed(retry(on=(), wait=1)(source)()) == [1]
        assert waits == [5]

    def test_each_generator_of_a_function_by_itself(self, kind):
        """The function keeps no state of any of them."""
        decorated = retry(kind.playing([Lost], [1], [Lost], [2]))
        assert [kind.listed(decorated()) for _ in "ab"] == [[1], [2]]


@every_kind
class TestAfterTheFirstItem:
    """After that errors pass through, so no consumer ever sees an item twice."""

    @pytest.mark.parametrize("error", [Lost("late"), TryAgain(), KeyboardInterrupt()], ids=repr)
    def test_an_error_passes_through(self, kind, error, waits):
        """After the items that came before it; it is not marked, and nothing is waited for."""
        source = kind.playing([1, 2, error], [3])
        items = []
        with pytest.raises(type(error)) as caught:
            kind.listed(retry(source)(), items)
        assert caught.value is error
        assert items == [1, 2]
        assert len(source.calls) == 1
        assert waits == []
        assert given_up(error) is None
        assert not hasattr(error, "__notes__")

    def test_after_retries_too(self, kind):
        """The earlier attempts make no difference."""
        source = kind.playing([Lost], [1, Lost], [1, 2])
        items = []
        with pytest.raises(Lost) as caught:
            kind.listed(retry(source)(), items)
        assert items == [1]
        assert len(source.calls) == 2
        assert given_up(caught.value) is None


@every_kind
class TestSuccess:
    """Success is the first item, or the end without one."""

    def test_the_first_item(self, kind):
        """It is the result that hooks see; the error that follows is none of theirs."""
        events = []
        with pytest.raises(Lost):
            kind.listed(retry(**recorded(events))(kind.playing([Lost], [1, Lost]))())
        assert events == [
            ("before_attempt", 1, None),
            ("on_retry", 1, None),
            ("before_attempt", 2, None),
            ("on_success", 2, 1),
        ]

    def test_it_is_told_of_before_the_consumer_sees_the_item(self, kind):
        """At the first item, not at the end."""
        events = []
        assert kind.first_item(retry(**recorded(events))(kind.playing([1, 2]))) == 1
        assert events == [("before_attempt", 1, None), ("on_success", 1, 1)]

    def test_the_end_without_an_item(self, kind):
        """After a failure as well."""
        source = kind.playing([Lost], [], [1])
        endings = []
        hook = {"on_success": lambda attempt: endings.append((attempt.number, attempt.succeeded))}
        assert kind.listed(retry(**hook)(source)()) == []
        assert len(source.calls) == 2
        assert endings == [(2, True)]

    def test_giving_up(self, kind):
        """Ends with on_give_up."""
        events = []
        failure(kind, kind.playing([Lost]), 2, **recorded(events))
        assert [event[:2] for event in events] == [
            ("before_attempt", 1),
            ("on_retry", 1),
            ("before_attempt", 2),
            ("on_give_up", 2),
        ]

    @pytest.mark.parametrize("outcomes", [[1, Lost], [1, 2], []], ids=str)
    def test_it_earns_once(self, kind, outcomes):
        """Whatever comes after the first item."""
        budget = RetryBudget(2, 0.25)
        budget._take()
        try:
            kind.listed(retry(budget=budget)(kind.playing(outcomes))())
        except Lost:
            assert Lost in outcomes
        assert budget.tokens == 1.25

    def test_a_retry_costs_a_token(self, kind):
        """With none left, the policy gives up."""
        budget = RetryBudget(1)
        source = kind.playing([Lost])
        assert given_up(failure(kind, source, budget=budget)).reason == "budget"
        assert len(source.calls) == 2


class TestRefused:
    """`until` and `fallback` are refused, and what the kind of generator cannot carry out."""

    @every_kind
    @pytest.mark.parametrize(("argument", "verb"), [("until", "evaluate"), ("fallback", "replace")])
    def test_where_it_is_decorated(self, kind, argument, verb):
        """By name."""
        message = f"{argument}=.*expected None.*playing.*, which has no result to {verb}$"
        with pytest.raises(TypeError, match=message):
            retry(**{argument: lambda about: True})(kind.playing([1]))

    @pytest.mark.parametrize("hook", HOOKS)
    def test_a_coroutine_function_as_hook(self, hook):
        """Of a sync generator, which cannot await it."""

        async def awaited(attempt):
            raise AssertionError

        with pytest.raises(TypeError, match=hook):
            retry(**{hook: awaited})(playing([1]))

    def test_an_attempt_timeout(self):
        """A sync generator cannot be interrupted."""
        with pytest.raises(TypeError, match="attempt_timeout=2"):
            retry(attempt_timeout=2)(playing([1]))


@every_kind
class TestGivingUp:
    """The original exception leaves, its traceback with two library frames at the most."""

    @pytest.mark.parametrize(
        ("attempts", "options"),
        [
            ([[Lost]], {"attempts": 1}),
            ([[Lost]], {"attempts": 3}),
            ([[Lost], [Wrong]], {"on": Lost}),
            ([[1, Wrong]], {}),
        ],
        ids=["first attempt", "third attempt", "not retryable", "after the first item"],
    )
    def test_frames(self, kind, attempts, options):
        """And the last one is the user's."""
        error = failure(kind, kind.playing(*attempts), **options)
        files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
        assert sum(file.parent == PACKAGE for file in files) <= 2
        assert files[-1].parent != PACKAGE

    def test_cause_and_context_are_the_users(self, kind):
        """An earlier attempt's error is not chained in."""
        bare, caused = Lost("no context"), Lost("with a cause")
        caused.__cause__ = cause = Wrong()
        for error, expected in ((bare, None), (caused, cause)):
            assert failure(kind, kind.playing([Lost], [error]), 2) is error
            assert error.__cause__ is expected
            assert error.__context__ is None

    def test_note_and_record(self, kind):
        """Of each failed attempt a line."""
        error = failure(kind, kind.playing([Lost("one")], [Lost("two")]), 2, name="items")
        assert error.__notes__[0].startswith("retrying_elegant: gave up on items after 2 attempts")
        assert [line.partition(": ")[2] for line in given_up(error).history] == [
            "Lost: one",
            "Lost: two",
        ]

    def test_a_wait_that_took_too_long(self, kind, clock):
        """The error of the last attempt leaves, and no attempt follows."""
        slow = {"on_retry": lambda attempt: clock.tick(60)}
        error = Lost()
        source = kind.playing([error], [1])
        assert failure(kind, source, wait=1, timeout=9, **slow) is error
        assert len(source.calls) == 1
        assert (given_up(error).reason, given_up(error).attempts) == ("timeout", 1)


@every_kind
class TestLaziness:
    """As with the bare generator, nothing runs before the first item is asked for."""

    def test_nothing_runs_when_it_is_made(self, kind):
        """Neither the function nor a hook."""
        events = []
        source = kind.playing([1])
        generator = retry(**recorded(events))(source)()
        assert (source.calls, events) == ([], [])
        run_async(settled(kind.verbs["close"](generator)))
        assert (source.calls, events) == ([], [])

    def test_the_time_begins_with_the_first_attempt(self, kind, clock):
        """A generator may lie about for longer than its timeout."""
        generator = retry(wait=2, timeout=3)(kind.playing([Lost], [1]))()
        clock.tick(60)
        assert kind.listed(generator) == [1]

    def test_one_item_at_a_time(self, kind):
        """The body does not run ahead of its consumer."""
        assert kind.first_item(retry(kind.playing([1, Wrong]))) == 1
