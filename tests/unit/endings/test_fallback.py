"""Contract 4: `fallback`, what a decorated call returns when its policy gives up."""

from __future__ import annotations

import pytest
from ways import Flaky, decorator_async, run_async

from retrying_elegant import RetryBudget


class Lost(Exception):
    """Retried in these tests."""


class Wrong(Exception):
    """Not retried in these tests."""


class TestFallback:
    """When it gives up, `fallback(attempt)` is called once and its value returned instead."""

    @pytest.mark.parametrize(
        "options",
        [
            {"attempts": 2},
            {"timeout": 3, "wait": 5},
            {"budget": RetryBudget(1), "attempts": None},
            {"attempts": 2, "until": lambda value: False},
        ],
        ids=["attempts", "timeout", "budget", "until"],
    )
    def test_it_stands_in(self, decorator_way, options):
        """Whatever the reason was."""
        calls = []
        script = ["refused"] if "until" in options else [Lost]
        value = decorator_way.run(
            Flaky(script), fallback=lambda attempt: calls.append(attempt) or "stale", **options
        )
        assert value == "stale"
        assert len(calls) == 1

    def test_it_is_given_the_last_attempt(self, decorator_way):
        """Its number and its error."""
        last = Lost()
        value = decorator_way.run(
            Flaky([Lost, last]), 2, fallback=lambda attempt: (attempt.number, attempt.error)
        )
        assert value == (2, last)

    def test_it_is_awaited_if_async(self):
        """A coroutine function."""

        async def fallback(attempt):
            return attempt.number

        assert run_async(decorator_async(Flaky([Lost]), 3, fallback=fallback)) == 3

    def test_a_success_does_not_need_it(self, decorator_way):
        """Not called."""
        calls = []
        assert decorator_way.run(Flaky([Lost, "value"]), fallback=calls.append) == "value"
        assert calls == []

    @pytest.mark.parametrize("script", [[Wrong], [Lost, Wrong]], ids=["first", "later"])
    def test_what_is_not_retryable_leaves(self, decorator_way, script):
        """As it is, on the first attempt or a later one."""
        calls = []
        with pytest.raises(Wrong):
            decorator_way.run(Flaky(script), on=Lost, fallback=calls.append)
        assert calls == []

    def test_control_flow_leaves(self, decorator_way):
        """Ctrl-C has no stand-in."""
        calls = []
        with pytest.raises(KeyboardInterrupt):
            decorator_way.run(Flaky([Lost, KeyboardInterrupt]), fallback=calls.append)
        assert calls == []

    def test_its_own_errors_leave(self, decorator_way):
        """It is not retried."""
        fallback = Flaky([Wrong])
        with pytest.raises(Wrong):
            decorator_way.run(Flaky([Lost]), 2, fallback=fallback)
        assert fallback.calls == 1

    def test_until_does_not_judge_it(self, decorator_way):
        """Its value is the last word."""
        value = decorator_way.run(Flaky([0]), 2, until=bool, fallback=lambda attempt: None)
        assert value is None

    def test_on_give_up_runs_all_the_same(self, decorator_way):
        """The policy did give up."""
        events = []
        decorator_way.run(
            Flaky([Lost]),
            1,
            fallback=lambda attempt: events.append("fallback"),
            on_give_up=lambda attempt: events.append("on_give_up"),
            on_success=lambda attempt: events.append("on_success"),
        )
        assert sorted(events) == ["fallback", "on_give_up"]
