"""Contract 3: what an Attempt knows."""

from __future__ import annotations

import contextlib
import copy
import math
import pickle

import pytest
from ways import Flaky, as_coroutine_function, run_async

from retrying_elegant import TryAgain, retry, retrying


class Lost(Exception):
    """Retried in these tests."""


def hook_views(way, script, look, *args, **options):
    """What *look* gives in each hook, in their order."""
    views = []
    hooks = ("before_attempt", "on_retry", "on_success", "on_give_up")
    options |= {
        hook: lambda attempt, hook=hook: views.append((hook, look(attempt))) for hook in hooks
    }
    try:
        way.run(Flaky(script), *args, **options)
    except Lost:
        views.append("given up")
    return views


class TestFields:
    """One object per attempt; the loop yields it, hooks and wait callables receive it."""

    def test_number(self, way):
        """From 1."""
        views = hook_views(way, [Lost, Lost], lambda attempt: attempt.number, 2)
        assert views == [
            ("before_attempt", 1),
            ("on_retry", 1),
            ("before_attempt", 2),
            ("on_give_up", 2),
            "given up",
        ]

    def test_name(self, way):
        """That of the policy, if it has one."""
        views = hook_views(way, ["value"], lambda attempt: attempt.name, name="fetch")
        assert views == [("before_attempt", "fetch"), ("on_success", "fetch")]

    def test_error(self, way):
        """The exception of this attempt, or None."""
        error = Lost()
        views = hook_views(way, [error, "value"], lambda attempt: attempt.error)
        assert views == [
            ("before_attempt", None),
            ("on_retry", error),
            ("before_attempt", None),
            ("on_success", None),
        ]

    def test_succeeded(self, way):
        """A bool, true of the last alone."""
        views = hook_views(way, [Lost, "value"], lambda attempt: attempt.succeeded)
        assert views == [
            ("before_attempt", False),
            ("on_retry", False),
            ("before_attempt", False),
            ("on_success", True),
        ]

    def test_waited_and_next_wait(self, way):
        """Slept before, and to be slept after: None until decided, or when none follows."""
        views = hook_views(
            way,
            [Lost, Lost, "value"],
            lambda attempt: (attempt.waited, attempt.next_wait),
            wait=[1, 2],
        )
        assert views == [
            ("before_attempt", (0, None)),
            ("on_retry", (0, 1)),
            ("before_attempt", (1, None)),
            ("on_retry", (1, 2)),
            ("before_attempt", (2, None)),
            ("on_success", (2, None)),
        ]

    def test_hint(self, way):
        """Seconds or None."""
        views = hook_views(
            way,
            [TryAgain(after=2.5), Lost, "value"],
            lambda attempt: (attempt.hint, attempt.next_wait),
            wait=1,
        )
        assert [view for view in views if view[0] == "on_retry"] == [
            ("on_retry", (2.5, 3.5)),
            ("on_retry", (None, 1)),
        ]

    def test_elapsed_and_remaining(self, way, clock):
        """Seconds since the start, and until `timeout`."""
        views = hook_views(
            way,
            [Lost, "value"],
            lambda attempt: (attempt.elapsed, attempt.remaining),
            wait=4,
            timeout=10,
        )
        assert views == [
            ("before_attempt", (0, 10)),
            ("on_retry", (0, 10)),
            ("before_attempt", (4, 6)),
            ("on_success", (4, 6)),
        ]

    def test_without_a_timeout(self, way):
        """remaining and timeout are None."""
        views = hook_views(way, ["value"], lambda attempt: (attempt.remaining, attempt.timeout))
        assert views == [("before_attempt", (None, None)), ("on_success", (None, None))]

    def test_timeout_is_what_the_attempt_may_take(self, way, clock):
        """What remains, if there is no attempt_timeout."""
        views = hook_views(way, [Lost, "value"], lambda attempt: attempt.timeout, wait=4, timeout=9)
        assert [view for view in views if view[0] == "before_attempt"] == [
            ("before_attempt", 9),
            ("before_attempt", 5),
        ]

    @pytest.mark.parametrize(
        ("attempt_timeout", "timeout", "expected"), [(5, None, 5), (5, 20, 5), (20, 5, 5)]
    )
    def test_timeout_is_the_lesser(self, loop_way, clock, attempt_timeout, timeout, expected):
        """min(attempt_timeout, remaining)."""
        seen = []
        loop_way.run(
            Flaky(["value"]),
            attempt_timeout=attempt_timeout,
            timeout=timeout,
            before_attempt=lambda attempt: seen.append(attempt.timeout),
        )
        assert seen == [expected]

    def test_elapsed_is_live(self, clock):
        """It goes on inside the attempt."""
        for attempt in retrying(timeout=10):
            with attempt:
                before = attempt.elapsed
                clock.tick(3)
                assert (before, attempt.elapsed, attempt.remaining) == (0, 3, 7)

    def test_args_and_kwargs(self):
        """Of the decorated call."""
        seen = []
        hooked = retry(before_attempt=lambda attempt: seen.append((attempt.args, attempt.kwargs)))
        flaky = Flaky([Lost, "value"])
        hooked(flaky)("one", key="two")
        run_async(hooked(as_coroutine_function(flaky))("three"))
        assert seen == [(("one",), {"key": "two"})] * 2 + [(("three",), {})]

    def test_args_and_kwargs_in_a_loop(self, loop_way):
        """Empty."""
        views = hook_views(loop_way, ["value"], lambda attempt: (attempt.args, attempt.kwargs))
        assert views == [("before_attempt", ((), {})), ("on_success", ((), {}))]

    def test_its_repr_is_readable(self, way):
        """It names the call and the attempt, not where it lies in memory."""
        views = hook_views(way, [Lost("text"), "value"], repr, name="fetch")
        for _, view in views:
            assert "fetch" in view
            assert " at 0x" not in view
        assert "Lost" in views[1][1]


class TestReadOnly:
    """Read-only but for `result` in a loop."""

    @pytest.mark.parametrize(
        "field",
        [
            *("number", "name", "args", "kwargs", "error", "succeeded", "waited", "next_wait"),
            *("hint", "elapsed", "remaining", "timeout"),
        ],
    )
    def test_no_field_can_be_set(self, way, field):
        """By no hook."""
        seen = []
        way.run(Flaky(["value"]), on_success=seen.append)
        with pytest.raises(AttributeError):
            setattr(seen[0], field, 1)

    def test_nor_the_result_of_a_call(self, decorator_way):
        """There it is what the function returned."""
        seen = []
        decorator_way.run(Flaky(["value"]), on_success=seen.append)
        with pytest.raises(AttributeError):
            seen[0].result = "another"

    @pytest.mark.parametrize("script", [["value"], [Lost, "value"]], ids=["first", "later"])
    def test_nor_an_item_of_kwargs(self, decorator_way, script):
        """TypeError; apart from that it is as good as the dict."""
        seen = []

        @retry(2, before_attempt=seen.append)
        def fetch(**kwargs):
            return kwargs

        @retry(2, before_attempt=seen.append)
        async def fetch_async(**kwargs):
            return kwargs

        flaky = Flaky(script)
        if decorator_way.colour == "async":
            got = run_async(fetch_async(limit=flaky))
        else:
            got = fetch(limit=flaky)
        assert got == {"limit": flaky}
        for attempt in seen:
            with pytest.raises(TypeError):
                attempt.kwargs["limit"] = None
            with pytest.raises(TypeError):
                del attempt.kwargs["limit"]
            assert attempt.kwargs == {"limit": flaky}
            assert dict(**attempt.kwargs) == {"limit": flaky}

    def test_nor_an_item_of_kwargs_in_a_loop(self, loop_way):
        """Which are those of no call."""
        seen = []
        loop_way.run(Flaky([Lost, "value"]), on_retry=seen.append, on_success=seen.append)
        for attempt in seen:
            with pytest.raises(TypeError):
                attempt.kwargs["limit"] = None
            assert attempt.kwargs == {}


class TestAfterALoop:
    """After a loop, the loop variable is the last attempt, and says how it ended."""

    def test_a_success(self):
        """attempt.succeeded, attempt.number, attempt.error."""
        flaky = Flaky([Lost, "value"])
        for attempt in retrying():
            with attempt:
                attempt.result = flaky()
        assert (attempt.succeeded, attempt.number, attempt.error) == (True, 2, None)
        assert attempt.result == "value"

    def test_a_swallowed_failure(self):
        """With `raises=False` it keeps the error."""
        error = Lost()
        for attempt in retrying(2, raises=False):
            with attempt:
                raise error
        assert (attempt.succeeded, attempt.number, attempt.error) == (False, 2, error)

    def test_a_failure_that_leaves(self):
        """The attempt lets go of it."""
        with pytest.raises(Lost):
            for attempt in retrying(2):
                with attempt:
                    raise Lost
        assert (attempt.succeeded, attempt.number, attempt.error) == (False, 2, None)
        assert repr(attempt).endswith(": gave up>")

    def test_a_failure_that_leaves_an_async_loop(self):
        """Likewise."""
        attempts = []

        async def main():
            async for attempt in retrying(2):
                attempts.append(attempt)
                async with attempt:
                    raise Lost

        with pytest.raises(Lost):
            run_async(main())
        attempt = attempts[-1]
        assert (attempt.succeeded, attempt.number, attempt.error) == (False, 2, None)
        assert repr(attempt).endswith(": gave up>")

    def test_a_predicate_that_raises(self):
        """The attempt lets go of its error then too."""

        def broken(error):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError) as caught:
            for attempt in retrying(on=broken):
                with attempt:
                    raise Lost
        assert (attempt.succeeded, attempt.number, attempt.error) == (False, 1, None)
        assert type(caught.value.__context__) is Lost

    def test_failed_attempts_keep_their_errors_without_traceback(self):
        """Once the retry has been decided and announced."""
        first = Lost()
        flaky = Flaky([first, "value"])
        attempts = []
        for attempt in retrying():
            attempts.append(attempt)
            with attempt:
                flaky()
        assert attempts[0].error is first
        assert first.__traceback__ is None
        assert [attempt.succeeded for attempt in attempts] == [False, True]


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


COPIES = {
    "copied": copy.copy,
    "copied deeply": copy.deepcopy,
    "pickled": lambda attempt: pickle.loads(pickle.dumps(attempt)),
}


def view(attempt):
    """What an attempt shows, except for the time that passes."""
    return (
        repr(attempt),
        attempt.number,
        attempt.result,
        attempt.succeeded,
        attempt.reason,
        attempt.waited,
        attempt.next_wait,
        attempt.hint,
        attempt.remaining is None,
        attempt.timeout is None,
    )


KEPT = []


def keep(attempt):
    """A hook that pickles, and keeps what an attempt and its copies show."""
    KEPT.append([view(attempt), *(view(made(attempt)) for made in COPIES.values())])


def broken(attempt):
    """A wait callable that raises."""
    raise ZeroDivisionError


class TestCopies:
    """A copy or a pickle of an attempt, as a queue or a mock makes one, reads the same."""

    @pytest.mark.parametrize("end", [7, Lost("c")], ids=["success", "give-up"])
    def test_in_hooks(self, way, end):
        """At every stage of a call."""
        hooks = ("before_attempt", "on_retry", "on_success", "on_give_up")
        KEPT.clear()
        with contextlib.suppress(Lost):
            script = [Lost("a"), Lost("b"), end]
            way.run(Flaky(script), 3, wait=1, **dict.fromkeys(hooks, keep))
        assert len(KEPT) == 3 + 2 + 1
        for original, *copied in KEPT:
            assert copied == [original] * 3

    @pytest.mark.parametrize("made", COPIES.values(), ids=COPIES)
    @pytest.mark.parametrize("reason", ["attempts", "timeout"])
    def test_after_a_loop(self, made, reason):
        """Its place is known where the code of the loop is not."""
        limits = {"timeout": 0.5 if reason == "timeout" else 9, "log_level": None}
        for attempt in retrying(2, wait=1, raises=False, **limits):
            with attempt:
                raise Lost("down")
        copied = made(attempt)  # before its name is read
        assert view(copied) == view(attempt)
        assert copied.reason == reason

    @pytest.mark.parametrize("made", COPIES.values(), ids=COPIES)
    def test_of_what_has_not_begun_or_was_ended_by_others(self, made):
        """Before its `with`, after Ctrl-C, and after a wait callable that raised."""
        seen = []
        for attempt in retrying():
            seen.append(attempt)
            break
        for error in (KeyboardInterrupt, Lost):
            with contextlib.suppress(KeyboardInterrupt, ZeroDivisionError):
                for attempt in retrying(wait=broken):
                    seen.append(attempt)
                    with attempt:
                        raise error
        assert [view(made(attempt)) for attempt in seen] == [view(attempt) for attempt in seen]

    @pytest.mark.parametrize("made", COPIES.values(), ids=COPIES)
    def test_before_its_name_is_read(self, made):
        """By a log line, a hook or anything else."""
        attempt = next(iter(retrying()))
        copied = made(attempt)
        assert copied.name == attempt.name
        assert view(copied) == view(attempt)

    @pytest.mark.parametrize("made", COPIES.values(), ids=COPIES)
    def test_under_an_attempt_timeout(self, made):
        """Whose timer belongs to the event loop."""

        async def main():
            async for attempt in retrying(1, attempt_timeout=9, raises=False):
                async with attempt:
                    raise Lost("down")
            return view(made(attempt)), view(attempt)

        copied, original = run_async(main())
        assert copied == original
