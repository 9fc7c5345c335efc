"""Contract 5: `for attempt in retrying(...)` and its async twin."""

from __future__ import annotations

import inspect
import weakref

import pytest
from ways import Flaky, run_async

from retrying_elegant import Policy, RetryBudget, _attempt, retrying


class Lost(Exception):
    """Retried in these tests."""


class Wrong(Exception):
    """Not retried in these tests."""


def endings(events):
    """Hooks that write down how each call ended."""
    return {
        "on_success": lambda attempt: events.append(("success", attempt.number)),
        "on_give_up": lambda attempt: events.append(("give up", attempt.number)),
    }


def falling_off(loop, flaky):
    for attempt in loop:
        with attempt:
            flaky()


def breaking(loop, flaky):
    for attempt in loop:
        with attempt:
            flaky()
            break


def returning(loop, flaky):
    for attempt in loop:
        with attempt:
            return flaky()
    return None


def continuing(loop, flaky):
    for attempt in loop:
        with attempt:
            flaky()
            continue


async def falling_off_async(loop, flaky):
    async for attempt in loop:
        async with attempt:
            flaky()


async def breaking_async(loop, flaky):
    async for attempt in loop:
        async with attempt:
            flaky()
            break


async def returning_async(loop, flaky):
    async for attempt in loop:
        async with attempt:
            return flaky()
    return None


async def continuing_async(loop, flaky):
    async for attempt in loop:
        async with attempt:
            flaky()
            continue


@pytest.mark.parametrize(
    "leave",
    [
        *(falling_off, breaking, returning, continuing),
        *(falling_off_async, breaking_async, returning_async, continuing_async),
    ],
)
class TestLeavingThePass:
    """`break`, `return`, `continue` and falling off the end of the `with` count as success."""

    def run(self, leave, flaky, **options):
        outcome = leave(retrying(**options), flaky)
        return run_async(outcome) if inspect.iscoroutine(outcome) else outcome

    def test_at_once(self, leave):
        """One attempt, one success."""
        events = []
        flaky = Flaky(["value", Wrong])
        self.run(leave, flaky, **endings(events))
        assert flaky.calls == 1
        assert events == [("success", 1)]

    def test_after_a_retry(self, leave):
        """The second attempt is the last."""
        events = []
        flaky = Flaky([Lost, "value", Wrong])
        self.run(leave, flaky, **endings(events))
        assert flaky.calls == 2
        assert events == [("success", 2)]

    def test_never(self, leave):
        """The final failure leaves."""
        events = []
        with pytest.raises(Lost):
            self.run(leave, Flaky([Lost]), **endings(events))
        assert events == [("give up", 5)]


class TestPasses:
    """Each pass yields a new `Attempt`; a retryable failure is suppressed, the next follows."""

    def test_each_pass_has_a_new_attempt(self):
        """Counted from 1."""
        attempts = []
        for attempt in retrying(3, raises=False):
            attempts.append(attempt)
            with attempt:
                raise Lost
        assert [attempt.number for attempt in attempts] == [1, 2, 3]
        assert len(set(map(id, attempts))) == 3

    def test_each_pass_of_an_async_loop_too(self):
        """Those before it show what they were."""
        attempts = []

        async def main():
            async for attempt in retrying(3, raises=False):
                attempts.append(attempt)
                async with attempt:
                    raise Lost(attempt.number)

        run_async(main())
        assert [attempt.number for attempt in attempts] == [1, 2, 3]
        assert [attempt.error.args for attempt in attempts] == [(1,), (2,), (3,)]

    def test_the_wait_is_slept_by_the_loop(self, waits):
        """Not yet when the `with` has ended."""
        slept = []
        for attempt in retrying(3, wait=2, raises=False):
            with attempt:
                raise Lost
            slept.append(list(waits))
        assert slept == [[], [2], [2, 2]]

    def test_the_final_failure_leaves_from_the_with_itself(self):
        """The rest of the last pass does not run."""
        passed = []
        with pytest.raises(Lost):
            for attempt in retrying(3):
                with attempt:
                    raise Lost
                passed.append(attempt.number)
        assert passed == [1, 2]

    def test_a_loop_left_between_passes_has_no_ending_hook(self):
        """`break` outside the `with`, after a failure."""
        events = []
        for attempt in retrying(**endings(events)):
            with attempt:
                raise Lost
            break
        assert events == []

    @pytest.mark.parametrize("budget", [None, RetryBudget(9)], ids=["no budget", "a budget"])
    @pytest.mark.parametrize("failures", [1, 2, 3])
    def test_a_loop_left_between_passes_has_been_told_the_wait(self, failures, budget):
        """`next_wait` is what it would have slept; with a budget None, for the token returns."""
        for attempt in retrying(wait=7, budget=budget):
            with attempt:
                raise Lost
            if attempt.number == failures:
                break
        assert attempt.next_wait == (7 if budget is None else None)

    @pytest.mark.parametrize("budget", [None, RetryBudget(9)], ids=["no budget", "a budget"])
    @pytest.mark.parametrize("failures", [1, 2, 3])
    def test_an_async_loop_left_between_passes_has_been_told_the_wait(self, failures, budget):
        """Likewise."""

        async def main():
            async for attempt in retrying(wait=7, budget=budget):
                async with attempt:
                    raise Lost
                if attempt.number == failures:
                    break
            return attempt.next_wait

        assert run_async(main()) == (7 if budget is None else None)

    def test_a_success_stays_one_when_the_rest_of_the_pass_breaks(self):
        """One ending, and no pass after it."""
        events = []
        for attempt in retrying(**endings(events)):
            with attempt:
                pass
            break
        assert events == [("success", 1)]

    def test_an_error_outside_the_with_is_none_of_its_business(self):
        """It leaves, unmarked, and nothing is retried."""
        passes = []
        with pytest.raises(Lost) as caught:
            for attempt in retrying():
                passes.append(attempt.number)
                with attempt:
                    pass
                raise Lost
        assert passes == [1]
        assert not hasattr(caught.value, "__notes__")

    def test_entering_it_gives_it(self):
        """As a file gives itself."""
        for attempt in retrying():
            with attempt as entered:
                assert entered is attempt

    def test_entering_it_gives_it_in_an_async_loop(self):
        """Likewise."""

        async def main():
            async for attempt in retrying():
                async with attempt as entered:
                    assert entered is attempt

        run_async(main())

    def test_its_default_name_is_where_it_stands(self):
        """`file.py:line`."""
        line = inspect.currentframe().f_lineno + 1
        for attempt in retrying():
            with attempt:
                assert attempt.name == f"test_loop.py:{line}"

    def test_its_default_name_in_a_coroutine(self):
        """The same for `async for`."""

        async def main():
            line = inspect.currentframe().f_lineno + 1
            async for attempt in retrying():
                async with attempt:
                    assert attempt.name == f"test_loop.py:{line}"

        run_async(main())

    def test_it_does_not_hold_the_frame_around_it(self, no_collector):
        """That holds the loop: it would be a cycle."""

        def begin():
            steps = iter(retrying())
            held = Lost()
            return next(steps), weakref.ref(held)

        attempt, held = begin()
        assert attempt.number == 1
        assert held() is None

    def test_its_default_name_at_any_instruction_of_the_line(self):
        """Whichever it is that enters the loop."""
        code = loop_at_the_end.__code__.replace(co_filename="/srv/jobs/fetch.py")
        for start, end, line in code.co_lines():
            names = {_attempt._place_name(code, offset) for offset in range(start, end, 2)}
            assert line is None or names == {f"fetch.py:{line}"}

    def test_its_default_name_in_a_file_of_windows(self):
        """The folder is left out there as well."""
        code = loop_at_the_end.__code__.replace(co_filename="C:\\jobs\\fetch.py")
        assert _attempt._place_name(code, 0) == f"fetch.py:{code.co_firstlineno}"


def loop_at_the_end(values):
    """Return the last of *values*, in a dict."""
    last = {}
    last["value"] = None  # takes more than one instruction, up to the end of the line
    for value in values:
        last["value"] = value
    return last


class TestRaisesFalse:
    """`raises=False`: the final retryable failure is swallowed and the loop ends."""

    def test_the_loop_ends(self, loop_way):
        """After all attempts."""
        flaky = Flaky([Lost])
        assert loop_way.run(flaky, 3, raises=False) is None
        assert flaky.calls == 3

    def test_errors_that_are_not_retryable_still_leave(self, loop_way):
        """On the first attempt or a later one."""
        for script in ([Wrong], [Lost, Wrong]):
            with pytest.raises(Wrong):
                loop_way.run(Flaky(script), on=Lost, raises=False)

    def test_a_timeout_ends_it_too(self, loop_way, waits):
        """Silently."""
        assert loop_way.run(Flaky([Lost]), wait=9, timeout=3, raises=False) is None
        assert waits == []


class TestIteratingAgain:
    """A `retrying` object can be iterated any number of times; each iteration starts afresh."""

    @pytest.mark.parametrize(
        "form", [retrying(3), retrying(Policy(3)), retrying(Policy(9), attempts=3)]
    )
    def test_one_loop_after_another(self, form):
        """Each counts its own attempts."""
        for _ in range(3):
            flaky = Flaky([Lost])
            with pytest.raises(Lost):
                falling_off(form, flaky)
            assert flaky.calls == 3

    def test_each_has_its_own_timeout(self, clock):
        """It starts with the loop, not with the object."""
        again = retrying(wait=2, timeout=3)
        clock.tick(60)
        falling_off(again, Flaky([Lost, "value"]))
        clock.tick(60)
        falling_off(again, Flaky([Lost, "value"]))

    def test_one_loop_inside_another(self):
        """The inner one disturbs nothing."""
        again = retrying(3)
        numbers = []
        flaky = Flaky([Lost, "value"])
        for outer in again:
            with outer:
                for inner in again:
                    with inner:
                        numbers.append((outer.number, inner.number))
                        flaky()
                flaky.calls = 0
                if outer.number < 3:
                    raise Lost
        assert numbers == [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)]

    def test_sync_and_async_by_turns(self):
        """One object serves both."""
        again = retrying(2)
        flaky = Flaky([Lost, "value", Lost, "value"])
        falling_off(again, flaky)
        run_async(falling_off_async(again, flaky))
        assert flaky.calls == 4


class TestIterators:
    """A `retrying` object is iterable; what it gives is an iterator like any other."""

    def test_an_iterator_can_be_iterated(self):
        """The same passes, from where it stands."""
        passes = iter(retrying(2))
        assert iter(passes) is passes
        falling_off(passes, flaky := Flaky([Lost, "value"]))
        assert flaky.calls == 2

    def test_an_async_iterator_can_be_iterated(self):
        """Likewise."""
        passes = aiter(retrying(2))
        assert aiter(passes) is passes
        run_async(falling_off_async(passes, flaky := Flaky([Lost, "value"])))
        assert flaky.calls == 2


class TestTheAsyncIterator:
    """Its end comes when it is awaited, as that of any other asynchronous iterator."""

    def test_with_a_default(self):
        """``anext(passes, default)`` gives the default after a success."""

        async def main():
            passes = aiter(retrying(2, wait=0))
            async with await anext(passes):
                pass
            # Made first by itself: where this raises, the next line crashes the interpreter.
            end = passes.__anext__()
            try:
                await end
            except StopAsyncIteration:
                return await anext(passes, "default")

        assert run_async(main()) == "default"
