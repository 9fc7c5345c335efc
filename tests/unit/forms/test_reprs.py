"""Contract 2, 3 and 10: what attempts, budgets and loop objects look like to who prints them."""

from __future__ import annotations

import inspect

import pytest
from ways import Flaky, run_async

from retrying_elegant import Policy, RetryBudget, retry, retrying


class Lost(Exception):
    """Retried in these tests."""


class TestAttempt:
    """A readable `repr`: number, name, how it ended, what follows."""

    def test_from_beginning_to_end(self, way):
        """As hooks see it."""
        seen = []

        def look(attempt):
            seen.append(repr(attempt))

        way.run(
            Flaky([Lost("no line"), "pending", "ready"]),
            until=lambda result: result == "ready",
            wait=[2, 3.5],
            name="fetch",
            before_attempt=look,
            on_retry=look,
            on_success=look,
        )
        assert seen == [
            "<attempt 1 of fetch: not ended>",
            "<attempt 1 of fetch: Lost: no line, next in 2.00 s>",
            "<attempt 2 of fetch: not ended>",
            "<attempt 2 of fetch: result not accepted, next in 3.50 s>",
            "<attempt 3 of fetch: not ended>",
            "<attempt 3 of fetch: succeeded>",
        ]

    def test_a_give_up(self, way):
        """With the error that leaves."""
        seen = []
        with pytest.raises(Lost):
            way.run(
                Flaky([Lost("no line")]),
                1,
                name="fetch",
                on_give_up=lambda attempt: seen.append(repr(attempt)),
            )
        assert seen == ["<attempt 1 of fetch: Lost: no line>"]

    def test_before_it_is_entered(self, loop_way):
        """In a loop, whose body has the attempt before it begins."""
        if loop_way.colour == "sync":
            attempt = next(iter(retrying(name="fetch")))
        else:
            attempt = run_async(anext(aiter(retrying(name="fetch"))))
        assert repr(attempt) == "<attempt 1 of fetch: not ended>"

    def test_a_predicate_that_raises(self, way):
        """It has broken the call, whose attempt has no error of its own."""
        seen = []

        def broken(result):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            way.run(
                Flaky(["value"]),
                until=broken,
                name="fetch",
                on_give_up=lambda attempt: seen.append(repr(attempt)),
            )
        assert seen == ["<attempt 1 of fetch: broken>"]

    def test_a_loop_variable_after_a_give_up(self):
        """It has let go of the error."""
        with pytest.raises(Lost):
            for attempt in retrying(1, name="fetch"):
                with attempt:
                    raise Lost
        assert repr(attempt) == "<attempt 1 of fetch: gave up>"


class TestRetryBudget:
    """A token bucket for one target: its size, not its state of the moment."""

    @pytest.mark.parametrize("text", ["RetryBudget(capacity=10, refill=0.25)"])
    def test_it_is_what_one_would_write(self, text):
        """Whatever has been taken."""
        budget = RetryBudget(10, 0.25)
        budget._take()
        assert repr(budget) == text
        assert repr(eval(text)) == text


class TestRetry:
    """A decorator shows its policy."""

    def test_it_is_what_one_would_write(self):
        """With the policy written out."""
        assert repr(retry(3, on=Lost)) == "retry(Policy(3, on=Lost))"


class TestSignatures:
    """What `help` shows of the two that take a policy."""

    @pytest.mark.parametrize("form", [retry, retrying])
    def test_the_policy_if_none_is_given(self, form):
        """It is the default policy, and not an object at some address."""
        first = next(iter(inspect.signature(form).parameters.values()))
        assert repr(first.default) == "Policy()"


class TestRetrying:
    """A loop object shows its policy, and has it as `.policy`."""

    @pytest.mark.parametrize(
        ("given", "text"),
        [
            (lambda policy: retrying(policy), "retrying(Policy(3, on=Lost))"),
            (
                lambda policy: retrying(policy, raises=False),
                "retrying(Policy(3, on=Lost), raises=False)",
            ),
        ],
        ids=["raising", "not raising"],
    )
    def test_it_is_what_one_would_write(self, given, text):
        """With `raises=False` where it is so."""
        policy = Policy(3, on=Lost)
        assert repr(given(policy)) == text
        assert given(policy).policy is policy
