"""Contract 2: the decision itself, asked directly: plain values in, seconds or a reason out.

Its wiring through every form is in the other files of this folder.
"""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from fractions import Fraction
from itertools import product
from math import inf, nan

import pytest
from decision_parts import Lost, attempt_of, decided, is_retried

from retrying_elegant import Policy, RetryBudget, RetryError, TryAgain, _decision, backoff
from retrying_elegant._attempt import (
    BROKEN,
    GAVE_UP,
    NEW,
    NOTHING,
    RUNNING,
    SETTLING,
    SUCCEEDED,
    WAITING,
)

STAGES = [NEW, RUNNING, SETTLING, WAITING, SUCCEEDED, GAVE_UP, BROKEN]


def event(*, is_set):
    event = threading.Event()
    if is_set:
        event.set()
    return event


def budget_of(tokens):
    """A budget of two with so many left."""
    budget = RetryBudget(2, refill=0)
    while budget.tokens > tokens:
        budget._take()
    return budget


class TestOrder:
    """filters → stop → attempts → timeout passed? → wait → would it end past it? → budget."""

    ORDER = ("not retryable", "stopped", "attempts", "timeout", "wait", "late", "budget")

    @pytest.mark.parametrize(
        "hold",
        list(product([False, True], repeat=len(ORDER))),
        ids=lambda hold: "".join("-x"[is_so] for is_so in hold),
    )
    def test_the_first_reason_that_holds(self, hold):
        """Of every set of reasons; none that comes later has an effect."""
        holds = dict(zip(self.ORDER, hold, strict=True))
        asked = []

        def wait(attempt):
            asked.append(attempt)
            return inf if holds["wait"] else 1

        budget = budget_of(0 if holds["budget"] else 2)
        policy = Policy(
            1 if holds["attempts"] else 2,
            on=KeyError if holds["not retryable"] else Lost,
            stop=event(is_set=holds["stopped"]),
            wait=wait,
            budget=budget,
        )
        elapsed = 10.0 if holds["timeout"] else 9.0 if holds["late"] else 0.0
        tokens = budget.tokens

        outcome = decided(policy, elapsed=elapsed, limit=10.0)

        first = next((reason for reason in self.ORDER if holds[reason]), 1)
        assert outcome == ("timeout" if first == "late" else first)
        assert bool(asked) == (first in ("wait", "late", "budget", 1))
        assert budget.tokens == (tokens - 1 if first == 1 else tokens)


class TestNumbers:
    """Each limit at its edge."""

    @pytest.mark.parametrize(
        ("attempts", "number", "expected"),
        [(3, 1, 1), (3, 2, 1), (3, 3, "attempts"), (3, 4, "attempts"), (1, 1, "attempts")],
    )
    def test_attempts(self, attempts, number, expected):
        """The first one included."""
        assert decided(Policy(attempts, wait=1), number=number) == expected

    @pytest.mark.parametrize("number", [1, 10**6, 10**18])
    def test_no_limit(self, number):
        """As often as it takes."""
        assert decided(Policy(None, wait=1), number=number) == 1

    @pytest.mark.parametrize(
        ("elapsed", "limit", "expected"),
        [
            (0.0, None, 2),
            (1e9, None, 2),
            (0.0, 2.5, 2),
            (0.0, 2.0, "timeout"),  # the next attempt would start at the timeout
            (0.5, 2.5, "timeout"),
            (0.25, 2.5, 2),
            (2.5, 2.5, "timeout"),
            (3.0, 2.5, "timeout"),
        ],
    )
    def test_timeout(self, elapsed, limit, expected):
        """An attempt starts within it, or not at all."""
        assert decided(Policy(wait=2), elapsed=elapsed, limit=limit) == expected

    def test_no_wait_at_the_timeout(self):
        """0 seconds do not help if no time is left."""
        assert decided(Policy(wait=0), elapsed=2.0, limit=2.0) == "timeout"
        assert decided(Policy(wait=0), elapsed=1.999, limit=2.0) == 0

    @pytest.mark.parametrize(("tokens", "expected"), [(2, 1), (1, 1), (0, "budget")])
    def test_budget(self, tokens, expected):
        """A retry takes a token, if one is left."""
        budget = budget_of(tokens)
        assert decided(Policy(wait=1, budget=budget), number=1) == expected
        assert budget.tokens == max(0, tokens - 1)

    @pytest.mark.parametrize(("number", "expected"), [(1, 0.5), (2, 1), (3, 7), (4, 7), (99, 7)])
    def test_a_list_of_waits(self, number, expected):
        """The last one repeats."""
        assert decided(Policy(None, wait=(0.5, 1, 7)), number=number) == expected

    @pytest.mark.parametrize(
        ("wait", "expected"),
        [
            (2, [2, 2, 2]),
            (0.25, [0.25, 0.25, 0.25]),
            (timedelta(minutes=1), [60, 60, 60]),
            ([5], [5, 5, 5]),
            ((3, 2, 1), [3, 2, 1]),
            ([timedelta(seconds=1), 2, 0.5], [1, 2, 0.5]),
            (range(1, 3), [1, 2, 2]),
            (lambda attempt: attempt.number * 10, [10, 20, 30]),
            (lambda attempt: timedelta(minutes=attempt.number), [60, 120, 180]),
            (backoff.exponential(1, jitter=0), [1, 2, 4]),
            (backoff.sequence(1, 60), [1, 60, 60]),
        ],
        ids=[
            *("int", "float", "timedelta", "list", "tuple", "list of kinds", "range"),
            *("callable", "callable giving timedelta", "backoff", "sequence"),
        ],
    )
    def test_the_kinds_of_waits(self, wait, expected):
        """Seconds, sequences of seconds, callables, and the ready backoffs."""
        policy = Policy(wait=wait)
        assert [decided(policy, number=number) for number in (1, 2, 3)] == expected

    @pytest.mark.parametrize("number", [1, 2, 9])
    def test_a_hint_is_added(self, number):
        """To the backoff, not instead of it."""
        rising = backoff.linear(1, step=1, jitter=0)
        policy = Policy(None, wait=rising)
        assert decided(policy, error=TryAgain(after=60), number=number) == number + 60
        hinting = Policy(None, on=lambda error: TryAgain(after=60), wait=rising)
        assert decided(hinting, number=number) == number + 60

    def test_a_hint_past_the_timeout(self):
        """The backoff alone would have been in time."""
        assert decided(Policy(wait=1), error=TryAgain(after=5), limit=6.0) == "timeout"
        assert decided(Policy(wait=1), error=TryAgain(after=5), limit=6.001) == 6


class TestWaitsOfCallables:
    """Seconds, infinity for no further attempt, or a mistake, which is raised."""

    @pytest.mark.parametrize("wait", [inf, Fraction(10**400)])
    def test_no_further_attempt(self, wait):
        """A fraction that no float holds is as good as infinite."""
        assert decided(Policy(wait=lambda attempt: wait)) == "wait"

    @pytest.mark.parametrize("elapsed", [2.5, 3.0])
    def test_too_late(self, elapsed):
        """It is not called when the timeout has passed."""
        assert decided(Policy(wait=pytest.fail), elapsed=elapsed, limit=2.5) == "timeout"

    @pytest.mark.parametrize(
        ("value", "kind", "shown"),
        [
            (-1, ValueError, "-1"),
            (-0.5, ValueError, "-0.5"),
            (nan, ValueError, "nan"),
            (-inf, ValueError, "-inf"),
            (10**400, ValueError, "1000"),
            (Fraction(-(10**400)), ValueError, "Fraction(-1000"),
            (timedelta(seconds=-3), ValueError, "datetime.timedelta(days=-1, seconds=86397)"),
            (None, TypeError, "None"),
            ("1", TypeError, "'1'"),
            ([1, 2], TypeError, "[1, 2]"),
        ],
        ids=lambda value: repr(value)[:20],
    )
    def test_a_mistake(self, value, kind, shown):
        """The message names the argument, repeats the value and states the rule."""
        rule = "expected a number of seconds, 0 or more"
        with pytest.raises(kind, match=rf"^wait\(\.\.\.\)={re.escape(shown)}.*: {rule}$"):
            decided(Policy(wait=lambda attempt: value))


class TestFilters:
    """`unless` before `on`; the policy's own timeout is always retried, unless `unless` says no."""

    @pytest.mark.parametrize("timed_out", [False, True])
    @pytest.mark.parametrize("unless", [None, KeyError, Lost])
    @pytest.mark.parametrize("on", [Lost, KeyError, ()])
    def test_classes(self, on, unless, timed_out):
        """Every pair of them."""
        expected = unless is not Lost and (timed_out or on is Lost)
        policy = Policy(on=on, unless=unless, wait=1)
        assert decided(policy, timed_out=timed_out) == (1 if expected else "not retryable")

    @pytest.mark.parametrize("answer", [True, 1, "yes", [None], False, None, 0, ""])
    def test_any_truth_value(self, answer):
        """Of a predicate, in `on` and in `unless`."""
        assert is_retried(Lost(), on=lambda error: answer) is bool(answer)
        assert is_retried(Lost(), unless=lambda error: answer) is not bool(answer)

    @pytest.mark.parametrize("unless", [Lost, (KeyError, Lost), lambda error: type(error) is Lost])
    @pytest.mark.parametrize("on", [Exception, lambda error: True])
    def test_unless_comes_first(self, on, unless):
        """Whatever `on` would say."""
        assert not is_retried(Lost(), on=on, unless=unless)
        assert is_retried(ValueError(), on=on, unless=unless)

    @pytest.mark.parametrize("unless", [None, TryAgain, Exception])
    def test_try_again_is_above_them(self, unless):
        """The body itself has asked for another attempt."""
        assert decided(Policy(on=(), unless=unless, wait=1), error=TryAgain()) == 1

    def test_try_again_in_a_group(self):
        """It is a leaf like any other, and its hint is not read: the body has raised the group."""
        group = ExceptionGroup("several", [TryAgain(after=5)])
        assert decided(Policy(on=Lost, wait=1), error=group) == "not retryable"
        assert decided(Policy(on=TryAgain, wait=1), error=group) == 1


def never(error):
    """A predicate that matches nothing."""
    return False


def busy_for(seconds):
    """A predicate that matches a KeyError, with a hint."""
    return lambda error: isinstance(error, KeyError) and TryAgain(after=seconds)


class TestTuplesOfFilters:
    """Classes and predicates are evaluated in order, and the first match decides."""

    @pytest.mark.parametrize("on", [(never, Lost, busy_for(0)), (busy_for(0), never, Lost)])
    def test_a_match_anywhere(self, on):
        """A class or a predicate."""
        assert is_retried(Lost(), on=on)
        assert is_retried(KeyError(), on=on)
        assert not is_retried(ValueError(), on=on)

    @pytest.mark.parametrize("unless", [(never, Lost), (Lost, never), (lambda error: True,)])
    def test_unless(self, unless):
        """By class or predicate."""
        assert not is_retried(Lost(), unless=unless)

    @pytest.mark.parametrize(
        ("on", "hint"), [((never, busy_for(7), busy_for(9)), 7), ((KeyError, busy_for(7)), 0)]
    )
    def test_the_hint_of_the_first(self, on, hint):
        """A class has none."""
        assert decided(Policy(on=on, wait=1), error=KeyError()) == 1 + hint


class Moody(type):
    """May decide differently about each error."""

    def __subclasscheck__(cls, kind):
        return True


class Retryable(Exception, metaclass=Moody):
    """Matches as its metaclass says."""


class TestAlwaysRetried:
    """A class may be known to be retried while attempts are left, whatever the single error is."""

    @pytest.mark.parametrize(
        ("on", "kind", "expected"),
        [
            (Lost, Lost, True),
            (Exception, Lost, True),
            (KeyError, Lost, False),
            ((KeyError, Lost), Lost, True),
            ((KeyError, OSError), Lost, False),
            ((), Lost, False),
            (Retryable, Lost, False),
            ((Retryable,), Lost, False),
            ((Lost, Retryable), Lost, False),
            ((Lost, never), Lost, False),
            (lambda error: True, Lost, False),
            (Exception, TryAgain, False),  # it may have a hint
        ],
    )
    def test_by_its_filter(self, on, kind, expected):
        """Only classes without a metaclass of their own never change."""
        assert _decision.is_always_retried(Policy(on=on), kind) is expected

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"attempts": 1, "until": bool, "on_retry": id}, True),
            ({"unless": KeyError}, False),
            ({"wait": 1}, False),
            ({"timeout": 60}, False),
            ({"reset_after": 60}, False),
            ({"stop": event(is_set=False)}, False),
            ({"budget": budget_of(2)}, False),
        ],
        ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
    )
    def test_by_other_fields(self, fields, expected):
        """Anything else that may end the call has to be looked at."""
        assert _decision.is_always_retried(Policy(**fields), Lost) is expected


class TestConfirm:
    """A decided retry is decided again after the hooks and after the wait."""

    @pytest.mark.parametrize("was_set", [False, True])
    @pytest.mark.parametrize("is_set", [False, True])
    @pytest.mark.parametrize(("now", "ahead", "late"), [(2, 0, False), (2, 1, True), (3, 0, True)])
    def test_stop_and_timeout(self, is_set, was_set, now, ahead, late):
        """Stop comes first, even if it was cleared; the token goes back if no attempt follows."""
        budget = budget_of(1)
        policy = Policy(stop=event(is_set=is_set), timeout=3, budget=budget)
        attempt = attempt_of(policy, stage=WAITING)

        follows = _decision.confirm(attempt, float(now), float(ahead), stopped=was_set)

        reason = "stopped" if is_set or was_set else "timeout" if late else None
        assert follows is (reason is None)
        assert attempt.reason == reason
        assert attempt._stage == (WAITING if follows else GAVE_UP)
        assert budget.tokens == (1 if follows else 2)

    def test_without_either(self):
        """Nothing can have changed."""
        assert _decision.confirm(attempt_of(Policy(), stage=WAITING), 1e9)


class TestStages:
    """The picture at the top of the module, arrow by arrow."""

    def settled(self, *outcome, fields=None, canceled=False):
        attempt = attempt_of(Policy(2, on=Lost, wait=1, **fields or {}))
        error, value = outcome
        follows = _decision.settle(attempt, error, value, 0.0, False, canceled)
        assert follows is (attempt._stage is WAITING)
        return attempt

    def test_accepted(self):
        """A result, or none where a loop stored none."""
        for value in (None, "value", NOTHING):
            attempt = self.settled(None, value)
            assert attempt._stage is SUCCEEDED
            assert attempt._result is value

    @pytest.mark.parametrize("answer", [True, 1, "yes", [None], False, None, 0, "", []])
    def test_accepted_by_until(self, answer):
        """Which returns any truth value."""
        attempt = self.settled(None, "value", fields={"until": lambda value: answer})
        assert (attempt._stage is SUCCEEDED) is bool(answer)

    def test_wait_decided(self):
        """Its seconds are the data of the stage."""
        attempt = self.settled(Lost(), NOTHING)
        assert (attempt._stage, attempt._outcome) == (WAITING, 1)

    def test_given_up(self):
        """Its reason is."""
        wrong = KeyError()
        attempt = self.settled(wrong, NOTHING)
        assert (attempt._stage, attempt._outcome) == (GAVE_UP, "not retryable")
        assert attempt._error is wrong

    def test_a_rejected_result_is_an_error_only_in_the_end(self):
        """While it waits there is none."""
        fields = {"until": lambda value: False}
        attempt = self.settled(None, "value", fields=fields)
        assert (attempt._stage, attempt._error) == (WAITING, None)
        _decision.give_up(attempt, "timeout")
        assert type(attempt._error) is RetryError
        assert attempt._error.result == "value"

    @pytest.mark.parametrize(
        ("ran", "ended", "is_healthy"),
        [
            (59.5, None, False),
            (60, None, True),
            (90, None, True),
            (90, "timed out", False),
            (90, "hung", False),
        ],
    )
    @pytest.mark.parametrize("error", [Lost(), None], ids=["error", "result"])
    def test_healthy(self, error, ran, ended, is_healthy):
        """Everything starts over, unless it was ended by its own timeout."""
        budget = RetryBudget(1, refill=1)
        budget._take()  # only a credit brings it back
        fields = {"until": lambda value: False, "wait": (1, 2), "budget": budget}
        attempt = attempt_of(Policy(9, reset_after=60, **fields), number=2)
        attempt._history = (5.0, Lost, "")
        attempt._began, attempt._slept, attempt._waited = 10.0, 3.0, 3.0
        if ended == "hung":
            _decision.mark_hung(attempt)

        outcome = (error, "value", 10.0 + ran, ended == "timed out")
        assert _decision.settle(attempt, *outcome) is is_healthy

        if is_healthy:
            assert (attempt.number, attempt.next_wait, attempt.waited) == (1, 1, 0)
            assert (attempt._start, attempt._slept) == (10 + ran, 0)
            assert attempt._history[0] == 0
            assert len(attempt._history) == 3
        else:
            assert (attempt.number, attempt.reason) == (2, "budget")

    def test_what_was_before_a_healthy_attempt(self):
        """It is counted for `testing.limit`."""
        attempt = attempt_of(Policy(9, reset_after=60, wait=1), number=3)
        assert _decision.settle(attempt, Lost(), NOTHING, 60.0)
        assert (attempt._number, attempt._earlier) == (1, 2)

    def test_canceled(self):
        """It ends unannounced; a success is one all the same."""
        assert self.settled(Lost(), NOTHING, canceled=True)._stage is SETTLING
        assert self.settled(None, "value", canceled=True)._stage is SUCCEEDED

    def test_broken(self):
        """By a predicate that raises."""
        attempt = attempt_of(Policy(on=lambda error: 1 / 0))
        with pytest.raises(ZeroDivisionError):
            _decision.settle(attempt, Lost(), NOTHING, 0.0)
        assert attempt._stage is BROKEN

    @pytest.mark.parametrize("stage", STAGES)
    @pytest.mark.parametrize(
        ("end", "after"),
        [
            (lambda attempt: _decision.give_up(attempt, "timeout"), GAVE_UP),
            (_decision.interrupt, GAVE_UP),
            (_decision.break_off, BROKEN),
            (lambda attempt: _decision.cancel(attempt, Lost()), SETTLING),
            (_decision.abandon, None),
            (_decision.leave, None),
        ],
        ids=["give_up", "interrupt", "break_off", "cancel", "abandon", "leave"],
    )
    def test_only_a_wait_holds_a_token(self, end, after, stage):
        """However it ends, the token goes back once, and from no other stage."""
        budget = budget_of(1)
        attempt = attempt_of(Policy(budget=budget), stage=stage)
        end(attempt)
        end(attempt)
        assert attempt._stage == (after or (SETTLING if stage is WAITING else stage))
        assert budget.tokens == (2 if stage is WAITING else 1)

    @pytest.mark.parametrize(
        ("number", "earlier", "tokens"), [(1, 0, 1), (2, 0, 2), (2, 1, 2), (1, 1, 2)]
    )
    def test_leaving_before_an_attempt_begins(self, number, earlier, tokens):
        """Its token is unused, unless it is the first of the call, which took none."""
        budget = budget_of(1)
        attempt = attempt_of(Policy(budget=budget), stage=NEW, number=number)
        attempt._earlier = earlier
        _decision.leave(attempt)
        assert budget.tokens == tokens
