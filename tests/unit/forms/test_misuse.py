"""Contract 4, 5 and 14: what is easily written by mistake, and what the library says to it."""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import warnings

import pytest
from ways import Flaky, as_coroutine_function, run_async

from retrying_elegant import RetryBudget, backoff, retry, retrying, web

DID_YOU_MEAN = re.compile("did you mean", re.IGNORECASE)


class Lost(Exception):
    """Retried in these tests."""


class TestTheOtherWord:
    """`for ... in retry()`, `@retrying()`, `@retry(OSError)`: refused with "did you mean"."""

    def test_for_in_retry(self):
        """retrying is meant."""
        with pytest.raises(TypeError, match=DID_YOU_MEAN) as caught:
            for _ in retry():
                pytest.fail("there is no loop here")
        assert "retrying" in str(caught.value)

    def test_async_for_in_retry(self):
        """retrying is meant."""

        async def main():
            async for _ in retry():
                pytest.fail("there is no loop here")

        with pytest.raises(TypeError, match=DID_YOU_MEAN) as caught:
            run_async(main())
        assert "retrying" in str(caught.value)

    @pytest.mark.parametrize("colour", [lambda f: f, as_coroutine_function], ids=["sync", "async"])
    @pytest.mark.parametrize(
        "decorator",
        [lambda f: retrying()(f), lambda f: retrying(3, on=Lost)(f)],
        ids=["()", "with options"],
    )
    def test_retrying_as_a_decorator(self, decorator, colour):
        """@retry is meant, and nothing is called."""
        flaky = Flaky(["value"])
        with pytest.raises(TypeError, match=DID_YOU_MEAN) as caught:
            decorator(colour(lambda: flaky()))
        assert re.search(r"retry\b", str(caught.value))
        assert flaky.calls == 0

    @pytest.mark.parametrize("colour", [lambda f: f, as_coroutine_function], ids=["sync", "async"])
    def test_retrying_as_a_bare_decorator(self, colour):
        """The function stands where attempts belongs."""
        with pytest.raises(TypeError):
            retrying(colour(lambda: None))

    @pytest.mark.parametrize("word", [retry, retrying])
    def test_an_exception_class_where_attempts_belongs(self, word):
        """`on=OSError` is meant."""
        with pytest.raises(TypeError, match=DID_YOU_MEAN) as caught:
            word(OSError)
        assert "on=OSError" in str(caught.value)

    @pytest.mark.parametrize("word", [retry, retrying])
    def test_exception_classes_where_attempts_belongs(self, word):
        """In a tuple, by position or by name."""
        for use in (lambda errors: word(errors), lambda errors: word(attempts=errors)):
            with pytest.raises(TypeError, match=DID_YOU_MEAN) as caught:
                use((OSError, ValueError))
            assert "on=(OSError, ValueError)" in str(caught.value)

    @pytest.mark.parametrize(
        ("value", "meant"),
        [
            (backoff.constant(1), "wait=constant"),
            (backoff.exponential(), "wait=exponential"),
            (backoff.decorrelated(), "wait=decorrelated"),
            (web.transient, "on=Transient()"),
            (web.Transient(statuses=[503]), "on=Transient(statuses=(503,))"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_a_setting_where_attempts_belongs(self, value, meant):
        """It can be called, but is no function to retry."""
        for use in (retry, retry(3)):
            with pytest.raises(TypeError, match=DID_YOU_MEAN) as caught:
                use(value)
            assert f"did you mean {meant}" in str(caught.value)


class TestCoroutinesOfPlainFunctions:
    """A plain function that returns a coroutine: nothing of that would be retried."""

    @staticmethod
    def wrapped(fn):
        @functools.wraps(fn)
        def wrapper(*args, **kwargs):
            return fn(*args, **kwargs)

        return wrapper

    shapes = pytest.mark.parametrize(
        "shape",
        [lambda fn: lambda: fn(), wrapped, lambda fn: functools.partial(lambda: fn())],
        ids=["lambda", "wrapper", "partial"],
    )

    @pytest.fixture
    def flaky(self):
        return Flaky(["value"])

    @pytest.fixture
    def function(self, flaky):
        """A coroutine function, all of whose coroutines must have been closed in the end."""
        coroutines = []

        def function():
            coroutines.append(as_coroutine_function(flaky)())
            return coroutines[-1]

        yield function
        assert len(coroutines) == 1
        assert inspect.getcoroutinestate(coroutines[0]) == inspect.CORO_CLOSED

    @shapes
    @pytest.mark.parametrize(
        "options",
        [{}, {"until": bool}, {"on_success": print}, {"fallback": print}],
        ids=["bare", "until", "on_success", "fallback"],
    )
    def test_of_a_decorated_function(self, flaky, function, shape, options):
        """Refused when it is called, saying what to write; the coroutine is closed."""
        decorated = retry(**options)(shape(function))
        with pytest.raises(TypeError, match=r"returned a coroutine, which .*async def"):
            decorated()
        assert flaky.calls == 0

    def test_of_a_decorated_function_that_failed_before(self, flaky, function):
        """At a later attempt."""
        script = Flaky([Lost, None])
        with pytest.raises(TypeError, match="returned a coroutine"):
            retry(lambda: script() or function())()
        assert (script.calls, flaky.calls) == (2, 0)

    @shapes
    def test_of_a_call_in_a_block(self, flaky, function, shape):
        """Likewise."""
        with pytest.raises(TypeError, match="returned a coroutine"), retrying() as call:
            call(shape(function))
        assert flaky.calls == 0

    def test_a_coroutine_function_in_a_block(self):
        """Rejected before it is called, saying what to write."""
        message = (
            r"attempt is a coroutine function: write `async with retrying\(\.\.\.\) as call` and "
            r"`await call\(\.\.\.\)`\n"
        )
        with pytest.raises(TypeError, match=message), retrying() as call:
            call(as_coroutine_function(Flaky(["value"])))


class TestTheWrongWith:
    """Entering with the wrong kind of `with`: a TypeError that says what to write."""

    def test_with_in_an_async_loop(self):
        """`async with` is meant."""

        async def main():
            async for attempt in retrying():
                with attempt:
                    pytest.fail("entered")

        message = r"^in an `async for` loop, write `async with attempt:`$"
        with pytest.raises(TypeError, match=message):
            run_async(main())

    def test_async_with_in_a_sync_loop(self):
        """`with attempt` is meant, or `async for`."""

        async def main():
            for attempt in retrying():
                async with attempt:
                    pytest.fail("entered")

        message = (
            "in a regular `for` loop, write `with attempt:`; in async code, "
            r"`async for attempt in retrying\(\.\.\.\)` and `async with attempt:`$"
        )
        with pytest.raises(TypeError, match=message):
            run_async(main())


class TestNeverEntered:
    """A pass whose attempt was never entered raises `RuntimeError` at the next step."""

    @pytest.mark.parametrize("raises", [True, False])
    def test_in_a_sync_loop(self, raises):
        """After one pass, saying what to write."""
        passes = 0
        with pytest.raises(RuntimeError, match=r"was never entered: write `with"):
            for _ in retrying(raises=raises):
                passes += 1
        assert passes == 1

    def test_never_left(self):
        """By hand it can be entered alone."""
        with pytest.raises(RuntimeError, match=r"was never left: write `with"):
            for attempt in retrying():
                attempt.__enter__()

    def test_in_an_async_loop(self):
        """After one pass, saying what to write."""
        passes = 0

        async def main():
            nonlocal passes
            async for _ in retrying():
                passes += 1

        message = r"was never entered: write `async with attempt:` around the code to retry"
        with pytest.raises(RuntimeError, match=message):
            run_async(main())
        assert passes == 1

    def test_on_a_later_pass(self):
        """A `with` under an `if`."""
        passes = []
        with pytest.raises(RuntimeError, match="with"):
            for attempt in retrying():
                passes.append(attempt.number)
                if attempt.number == 1:
                    with attempt:
                        raise Lost
        assert passes == [1, 2]


class TestEnteredTwice:
    """Entering one twice: `RuntimeError`."""

    def test_one_after_the_other(self):
        """Though the first was a success."""
        with pytest.raises(RuntimeError):
            for attempt in retrying():
                with attempt:
                    pass
                with attempt:
                    pytest.fail("entered twice")

    def test_after_a_failure(self):
        """An attempt is one attempt."""
        with pytest.raises(RuntimeError):
            for attempt in retrying():
                with attempt:
                    raise Lost
                with attempt:
                    pytest.fail("entered twice")

    def test_one_inside_the_other(self):
        """The attempt has begun."""
        with pytest.raises(RuntimeError):
            for attempt in retrying(on=()):
                with attempt, attempt:
                    pytest.fail("entered twice")

    def test_one_inside_the_other_in_an_async_loop(self):
        """Likewise."""

        async def main():
            async for attempt in retrying(on=()):
                async with attempt, attempt:
                    pytest.fail("entered twice")

        with pytest.raises(RuntimeError):
            run_async(main())

    def test_in_an_async_loop(self):
        """Likewise."""

        async def main():
            async for attempt in retrying():
                async with attempt:
                    pass
                async with attempt:
                    pytest.fail("entered twice")

        with pytest.raises(RuntimeError):
            run_async(main())


NOTHING_RETRIED = "retrying_elegant: nothing was retried, because no call used `call(...)`"


class TestBlocksWithoutACall:
    """A block left without any call through `call`: nothing was retried, and it says so."""

    def test_a_warning(self):
        """RuntimeWarning."""
        with pytest.warns(RuntimeWarning, match="call"), retrying():
            pass

    def test_a_warning_in_an_async_block(self):
        """RuntimeWarning."""

        async def main():
            async with retrying():
                pass

        with pytest.warns(RuntimeWarning, match="call"):
            run_async(main())

    def test_what_the_warning_says(self):
        """What was missed, at the line of the `with`."""
        line = inspect.currentframe().f_lineno + 1
        with pytest.warns(RuntimeWarning) as caught, retrying():
            pass
        assert [str(warning.message) for warning in caught] == [NOTHING_RETRIED]
        assert (caught[0].filename, caught[0].lineno) == (__file__, line)

    def test_what_the_warning_says_in_an_async_block(self):
        """The same, at the line of the `async with`."""

        async def main():
            line = inspect.currentframe().f_lineno + 1
            async with retrying():
                pass
            return line

        with pytest.warns(RuntimeWarning) as caught:
            line = run_async(main())
        assert [str(warning.message) for warning in caught] == [NOTHING_RETRIED]
        assert (caught[0].filename, caught[0].lineno) == (__file__, line)

    def test_a_note_if_an_error_leaves(self):
        """The very error, and no warning besides."""
        error = Lost()
        with pytest.raises(Lost) as caught, retrying():
            raise error
        assert caught.value is error
        assert "call" in "\n".join(error.__notes__)

    def test_a_note_in_an_async_block(self):
        """The very error, and no warning besides."""

        async def main():
            async with retrying():
                raise Lost

        with pytest.raises(Lost) as caught:
            run_async(main())
        assert "call" in "\n".join(caught.value.__notes__)

    def test_one_call_is_enough(self):
        """Neither warning nor note."""
        with pytest.raises(Lost) as caught, retrying() as call:
            call(Flaky(["value"]))
            raise Lost
        assert not hasattr(caught.value, "__notes__")


BLOCKING = (
    "a regular `for` in an `async def` blocks the event loop while it waits: "
    "write `async for attempt in retrying(...)` and `async with attempt:`"
)


class TestPlainForInACoroutine:
    """A plain `for` in an `async def` would block the event loop: the first wait warns."""

    @staticmethod
    async def blocking(flaky):
        for attempt in retrying():
            with attempt:
                attempt.result = flaky()
        return attempt.result

    def test_the_first_wait_warns(self):
        """A RuntimeWarning naming `async for`; the loop goes on."""
        with pytest.warns(RuntimeWarning, match="async for"):
            assert run_async(self.blocking(Flaky([Lost, "value"]))) == "value"

    def test_the_first_alone(self):
        """Three waits, one warning."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run_async(self.blocking(Flaky([Lost, Lost, Lost, "value"])))
        assert [warning.category for warning in caught] == [RuntimeWarning]

    def test_what_it_says(self):
        """What to write instead, at the line of the loop."""
        with pytest.warns(RuntimeWarning) as caught:
            run_async(self.blocking(Flaky([Lost, "value"])))
        assert [str(warning.message) for warning in caught] == [BLOCKING]
        line = self.blocking.__code__.co_firstlineno + 2  # below the decorator
        assert (caught[0].filename, caught[0].lineno) == (__file__, line)

    def test_the_first_alone_of_all_series(self, clock):
        """Also where an attempt was healthy, and its failure counts as the first of a new one."""

        async def main():
            for attempt in retrying(reset_after=60):
                with attempt:
                    numbers.append(attempt.number)
                    if len(numbers) == 2:
                        clock.tick(60)
                    if len(numbers) < 4:
                        raise Lost

        numbers = []
        with pytest.warns(RuntimeWarning) as caught:
            run_async(main())
        assert numbers == [1, 2, 2, 3]
        assert len(caught) == 1

    def test_without_a_wait_nothing_blocks(self):
        """No warning after a success at once."""
        assert run_async(self.blocking(Flaky(["value"]))) == "value"

    def test_a_plain_function_in_a_thread_of_the_loop(self):
        """A thread has no event loop to block."""

        async def main():
            return await asyncio.to_thread(self.plain, Flaky([Lost, "value"]))

        assert run_async(main()) == "value"

    @staticmethod
    def plain(flaky):
        for attempt in retrying():
            with attempt:
                attempt.result = flaky()
        return attempt.result


def run_with_errors(error, **fields):
    """What comes of a regular loop in an `async def`, warnings being errors."""

    async def main():
        for attempt in retrying(3, wait=1, **fields):
            with attempt:
                raise error

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_async(main())


class TestTheWarningAsAnError:
    """The same warning ends the call like whatever interrupts a wait; nothing is lost."""

    def test_the_attempts_error(self):
        """Is its context."""
        error = Lost("down")
        with pytest.raises(RuntimeWarning, match="async for") as caught:
            run_with_errors(error)
        assert caught.value.__context__ is error

    def test_the_hooks_of_the_end(self):
        """They run: the call has ended, for no reason that a policy has; no wait follows."""
        ended = []

        def note(attempt):
            ended.append((attempt.reason, attempt.next_wait))

        with pytest.raises(RuntimeWarning):
            run_with_errors(Lost(), on_give_up=note)
        assert ended == [(None, None)]

    def test_the_token(self):
        """Is returned."""
        budget = RetryBudget(5)
        with pytest.raises(RuntimeWarning):
            run_with_errors(Lost(), budget=budget)
        assert budget.tokens == 5

    def test_the_ending_hook(self):
        """Runs once, with the attempt's error."""
        ends, error = [], Lost("down")
        with pytest.raises(RuntimeWarning):
            run_with_errors(
                error, on_give_up=lambda attempt: ends.append((attempt.number, attempt.error))
            )
        assert ends == [(1, error)]

    def test_raises_false(self):
        """Does not swallow it."""
        with pytest.raises(RuntimeWarning):
            run_with_errors(Lost(), raises=False)
