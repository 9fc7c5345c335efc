"""Contract 7: hooks, their order, their forms and their failures."""

from __future__ import annotations

import pytest
from ways import Flaky

from retrying_elegant import retrying

HOOKS = ("before_attempt", "on_retry", "on_success", "on_give_up")


class Lost(Exception):
    """Retried in these tests."""


class Wrong(Exception):
    """Not retried in these tests."""


class Broken(Exception):
    """Raised by a hook."""


def recorded(events):
    """A hook of each kind that writes down its kind and the attempt's number."""
    return {
        hook: lambda attempt, hook=hook: events.append((hook, attempt.number)) for hook in HOOKS
    }


def scripted(events, *script):
    """An attempt that writes itself down and then plays the script."""
    play = Flaky(script)

    def risky():
        events.append(("attempt", play.calls + 1))
        return play()

    return risky


class TestOrder:
    """`before_attempt` → the attempt → `on_retry`, or `on_success`, or `on_give_up`."""

    def test_a_success_at_once(self, way):
        """One ending."""
        events = []
        way.run(scripted(events, "value"), **recorded(events))
        assert events == [("before_attempt", 1), ("attempt", 1), ("on_success", 1)]

    def test_a_success_after_a_retry(self, way):
        """on_retry tells of the attempt that failed."""
        events = []
        way.run(scripted(events, Lost, "value"), **recorded(events))
        assert events == [
            ("before_attempt", 1),
            ("attempt", 1),
            ("on_retry", 1),
            ("before_attempt", 2),
            ("attempt", 2),
            ("on_success", 2),
        ]

    def test_giving_up(self, way):
        """No on_retry for the last."""
        events = []
        with pytest.raises(Lost):
            way.run(scripted(events, Lost), 2, **recorded(events))
        assert events == [
            ("before_attempt", 1),
            ("attempt", 1),
            ("on_retry", 1),
            ("before_attempt", 2),
            ("attempt", 2),
            ("on_give_up", 2),
        ]

    def test_a_first_error_that_is_not_retryable(self, way):
        """It ends the call as well."""
        events = []
        with pytest.raises(Wrong):
            way.run(scripted(events, Wrong), on=Lost, **recorded(events))
        assert events == [("before_attempt", 1), ("attempt", 1), ("on_give_up", 1)]

    def test_a_swallowed_failure(self, loop_way):
        """With `raises=False` it is given up on all the same."""
        events = []
        loop_way.run(scripted(events, Lost), 1, raises=False, **recorded(events))
        assert events == [("before_attempt", 1), ("attempt", 1), ("on_give_up", 1)]

    def test_on_retry_comes_before_the_sleep(self, way, waits):
        """Decided, `attempt.next_wait` known, not yet slept."""
        seen = []
        way.run(
            Flaky([Lost, Lost, "value"]),
            wait=[3, 4],
            on_retry=lambda attempt: seen.append((attempt.next_wait, list(waits))),
        )
        assert seen == [(3, []), (4, [3])]

    def test_several_hooks_run_in_their_order(self, way):
        """An iterable of callables."""
        events = []
        hooks = (lambda attempt, name=name: events.append(name) for name in "abc")
        way.run(Flaky([Lost, "value"]), on_retry=hooks)
        assert events == ["a", "b", "c"]


class TestWhatTheyAreGiven:
    """Each is given the `Attempt`."""

    def test_on_success(self, way):
        """Its result, and no error."""
        seen = []
        way.run(Flaky([Lost, "value"]), on_success=seen.append)
        (attempt,) = seen
        assert (attempt.number, attempt.result) == (2, "value")
        assert attempt.succeeded
        assert attempt.error is None

    def test_on_retry(self, way):
        """Its error, with its traceback, for the hook to report."""
        error = Lost()
        seen = []

        def on_retry(attempt):
            seen.append((attempt.error, attempt.error.__traceback__ is None, attempt.succeeded))

        way.run(Flaky([error, "value"]), on_retry=on_retry)
        assert seen == [(error, False, False)]

    @pytest.mark.parametrize(
        ("hook", "numbers"), [("before_attempt", [1, 2, 3]), ("on_retry", [1, 2])]
    )
    def test_each_attempt_is_an_object_of_its_own(self, way, hook, numbers):
        """One that is kept stays as it was."""
        seen = []
        way.run(Flaky([Lost, Lost, "value"]), **{hook: seen.append})
        assert [attempt.number for attempt in seen] == numbers

    def test_on_give_up(self, way):
        """Its error, and that nothing follows."""
        error = Lost()
        seen = []

        def on_give_up(attempt):
            seen.append((attempt.number, attempt.error, attempt.next_wait, attempt.succeeded))

        with pytest.raises(Lost):
            way.run(Flaky([error]), 3, on_give_up=on_give_up)
        assert seen == [(3, error, None, False)]


@pytest.mark.parametrize("hook", HOOKS)
class TestCoroutineFunctions:
    """Async forms await a coroutine function as a hook; sync forms refuse it."""

    def test_async_forms_await_it(self, async_way, hook):
        """Beside plain ones, in their order."""
        events = []

        async def awaited(attempt):
            events.append("awaited")

        hooks = [awaited, lambda attempt: events.append("called")]
        script = [Lost] if hook == "on_give_up" else [Lost, "value"]
        try:
            async_way.run(Flaky(script), 2, **{hook: hooks})
        except Lost:
            assert hook == "on_give_up"
        assert events[:2] == ["awaited", "called"]

    def test_sync_forms_refuse_it(self, sync_way, hook):
        """When the form is made: nothing has been called."""

        async def never_awaited(attempt):
            raise AssertionError

        flaky = Flaky(["value"])
        with pytest.raises(TypeError, match=hook):
            sync_way.run(flaky, **{hook: never_awaited})
        assert flaky.calls == 0


@pytest.mark.parametrize("hook", HOOKS)
class TestHooksThatRaise:
    """A hook that raises does not change what happens: it is logged, and the next hook runs."""

    def run(self, way, hook, hooks):
        """Give up for on_give_up, else succeed at the second attempt."""
        script = [Lost, Lost] if hook == "on_give_up" else [Lost, "value"]
        try:
            return way.run(Flaky(script), 2, **{hook: hooks})
        except Lost:
            return "given up"

    def broken(self, attempt):
        raise Broken("in a hook")

    def test_the_outcome_is_the_same(self, way, hook):
        """The value, or the attempt's own error."""
        expected = "given up" if hook == "on_give_up" else "value"
        assert self.run(way, hook, self.broken) == expected

    def test_the_next_hook_runs(self, way, hook):
        """Of the same kind."""
        seen = []
        self.run(way, hook, [self.broken, seen.append])
        assert seen

    def test_it_is_logged_with_its_traceback(self, way, hook, caplog):
        """By the logger of the library."""
        self.run(way, hook, self.broken)
        logged = [
            record.exc_info[1]
            for record in caplog.records
            if record.name == "retrying_elegant" and record.exc_info
        ]
        assert logged
        assert all(isinstance(error, Broken) for error in logged)
        assert all(error.__traceback__ is not None for error in logged)

    def test_a_coroutine_function_that_raises(self, async_way, hook):
        """Awaited ones are no exception."""

        async def broken(attempt):
            raise Broken("in a coroutine")

        seen = []
        expected = "given up" if hook == "on_give_up" else "value"
        assert self.run(async_way, hook, [broken, seen.append]) == expected
        assert seen


class TestOtherEndings:
    """Exactly one of on_success and on_give_up ends every call that ends."""

    def test_each_call_of_a_block_has_its_own(self):
        """The block itself has none."""
        events = []
        with retrying(**recorded(events)) as call:
            call(Flaky(["one"]))
            call(Flaky([Lost, "two"]))
        assert [event for event in events if event[0] == "on_success"] == [
            ("on_success", 1),
            ("on_success", 2),
        ]


class TestNoHooks:
    """An empty list of hooks is no hooks, and takes nothing away from the other fields."""

    @pytest.mark.parametrize("empty", [{"before_attempt": []}, {"on_success": []}], ids=str)
    def test_beside_until(self, way, empty):
        """It is asked."""
        assert way.run(Flaky([0, "value"]), until=bool, **empty) == "value"

    @pytest.mark.parametrize(
        ("name", "empty"), [("before_attempt", "on_success"), ("on_success", "before_attempt")]
    )
    def test_beside_other_hooks(self, way, name, empty):
        """They run."""
        told = []
        assert way.run(Flaky(["value"]), **{name: told.append, empty: []}) == "value"
        assert [attempt.number for attempt in told] == [1]

    def test_beside_a_time_for_each_attempt(self):
        """A sync loop shows it, with hooks and without."""
        for hooks in ([], [lambda attempt: None]):
            first = next(iter(retrying(attempt_timeout=2, on_retry=hooks, before_attempt=[])))
            assert first.timeout == 2
