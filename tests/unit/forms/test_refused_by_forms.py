"""Contract 5 and 14: what a form, a switch or a rule refuses, by name, with the value and the rule.

The fields of a policy have their own files, ``test_bad_input`` and ``test_bad_input_at_run_time``.
"""

from __future__ import annotations

import functools

import pytest
from ways import Flaky, as_coroutine_function, run_async

from retrying_elegant import Policy, backoff, retry, retrying, testing


class Lost(Exception):
    """Retried in these tests."""


def fetch():
    return "value"


async def fetch_async():
    return "value"


def items():
    yield 1


async def items_async():
    yield 1


class TestDecorator:
    """A non-callable decorated; what stands in the wrong place: "did you mean"."""

    @pytest.mark.parametrize("options", [{"on": Lost}, {"fallback": fetch}], ids=["on", "fallback"])
    def test_options_beside_the_function(self, options):
        """They belong into a call of their own."""
        with pytest.raises(TypeError, match=r"retry\(\.\.\.\)\(fetch\)"):
            retry(fetch, **options)

    @pytest.mark.parametrize(
        ("value", "meant"),
        [(backoff.constant(2), "wait=constant"), (backoff.exponential(), "wait=exponential")],
        ids=["constant", "exponential"],
    )
    def test_a_backoff_where_attempts_belongs(self, value, meant):
        """`wait=` is meant."""
        with pytest.raises(TypeError, match=rf"did you mean {meant}") as refusal:
            retry(value)
        said = f"{value}: expected a function, an int or a Policy; did you mean wait={value}?"
        assert str(refusal.value) == said

    @pytest.mark.parametrize("decorator", [retry, retry(3)], ids=["bare", "with options"])
    @pytest.mark.parametrize("kind", [property, functools.cached_property, functools.partialmethod])
    def test_a_descriptor(self, decorator, kind):
        """What is retried is the function in it."""
        rule = f"expected a callable; decorate the function inside the {kind.__name__} instead$"
        with pytest.raises(TypeError, match=rf"^fn=<?\w.*: {rule}"):
            decorator(kind(fetch))

    @pytest.mark.parametrize("decorator", [retry, retry(3)], ids=["bare", "with options"])
    @pytest.mark.parametrize("make", [fetch_async, items, items_async])
    def test_what_a_call_returned(self, decorator, make):
        """`retry(fetch())` for `retry(fetch)`: the message does not call it `fetch`."""
        made = make()
        with pytest.raises(TypeError, match=rf"^\w+={made!r}: expected"):
            decorator(made)
        if make is fetch_async:
            made.close()

    def test_fallback_that_cannot_be_called(self):
        """Named, with its value."""
        rule = "expected a callable that takes the Attempt$"
        with pytest.raises(TypeError, match=f"^fallback='stale': {rule}"):
            retry(fallback="stale")

    def test_fallback_that_could_not_be_awaited(self):
        """A coroutine function on a plain function."""
        with pytest.raises(TypeError, match=r"fallback=fetch_async: .*synchronous function"):
            retry(fallback=fetch_async)(fetch)

    @pytest.mark.parametrize("script", [["wrong"], [Lost, "wrong"]], ids=["first", "later"])
    @pytest.mark.parametrize("options", [{}, {"until": bool}], ids=["bare", "watched"])
    def test_a_plain_function_that_returns_a_coroutine(self, script, options):
        """It would not be retried; it is closed, not forgotten."""
        flaky = Flaky(script)

        def start():
            assert flaky()
            return fetch_async()

        with pytest.raises(TypeError, match=r"synchronous function that returned a coroutine"):
            retry(**options)(start)()
        assert flaky.calls == len(script)

    def test_a_plain_function_that_returns_coroutines_each_time(self):
        """Refused each time, not only the first."""
        start = retry(lambda: fetch_async())
        for _ in range(3):
            with pytest.raises(TypeError, match=r"synchronous function that returned a coroutine"):
                start()

    def test_a_plain_function_that_returns_one_now_and_then(self):
        """As one does that finds some answers in a cache."""
        made = fetch_async()
        get = retry([made, "cached"].pop)
        assert get() == "cached"
        with pytest.raises(TypeError, match=r"synchronous function that returned a coroutine"):
            get()


def call_sync(fn, **options):
    with retrying(**options) as call:
        return call(fn)


def call_async(fn, **options):
    async def main():
        async with retrying(**options) as call:
            return await call(fn)

    return run_async(main())


class TestBlock:
    """`call(fn, *args, **kwargs)` runs `fn` under the policy, inside the block."""

    @pytest.mark.parametrize("run", [call_sync, call_async])
    @pytest.mark.parametrize("fn", ["value", None, fetch()], ids=repr)
    def test_what_cannot_be_called(self, run, fn):
        """`call(fetch())` for `call(fetch)`, above all."""
        with pytest.raises(
            TypeError, match=rf"fn={fn!r}: expected a callable, followed by its arguments$"
        ):
            run(fn)

    @pytest.mark.parametrize("run", [call_sync, call_async])
    def test_a_coroutine(self, run):
        """`await call(fetch())`: the message does not call it `fetch`."""
        made = fetch_async()
        with pytest.raises(TypeError, match=rf"^fn={made!r}: expected a callable, followed"):
            run(made)
        made.close()

    @pytest.mark.parametrize("run", [call_sync, call_async])
    @pytest.mark.parametrize("fn", [items, items_async])
    def test_generator_functions(self, run, fn):
        """Which would run when the block is over."""
        with pytest.raises(TypeError, match=rf"fn={fn.__name__}: .*not a generator function$"):
            run(fn)

    def test_a_coroutine_function_in_a_sync_block(self):
        """The message says what to write."""
        with pytest.raises(TypeError, match=r"fetch_async .*async with retrying"):
            call_sync(fetch_async)

    def test_a_coroutine_in_a_sync_block(self):
        """From a lambda, for instance."""
        with pytest.raises(TypeError, match=r"async with retrying"):
            call_sync(lambda: fetch_async())

    def test_a_call_after_the_end(self):
        """`call` works inside its `with` only."""
        with retrying() as call:
            assert call(fetch) == "value"
        message = "^this block has ended: `call` works inside its `with` only$"
        with pytest.raises(RuntimeError, match=message):
            call(fetch)

    def test_a_call_after_the_end_of_an_async_block(self):
        """Likewise."""

        async def main():
            async with retrying() as call:
                assert await call(fetch_async) == "value"
            await call(fetch_async)

        with pytest.raises(RuntimeError, match="has ended"):
            run_async(main())

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    def test_control_flow_out_of_a_block_without_a_call(self, error):
        """Is not marked: nobody wanted it retried."""
        with pytest.raises(error) as caught, retrying():
            raise error
        assert not hasattr(caught.value, "__notes__")


class TestNumbers:
    """ValueError for what is out of its range, TypeError for what is no number."""

    def test_a_wait_that_no_float_can_hold(self):
        """Is not finite."""
        with pytest.raises(ValueError, match=r"wait=1000.*: expected a number of seconds"):
            Policy(wait=10**400)

    @pytest.mark.parametrize("value", ["0.5", None, True], ids=repr)
    @pytest.mark.parametrize(
        ("make", "name"),
        [
            (lambda value: backoff.constant(1, jitter=value), "jitter"),
            (lambda value: backoff.exponential(factor=value), "factor"),
        ],
        ids=["jitter", "factor"],
    )
    def test_what_is_no_number(self, make, name, value):
        """Named, with its value."""
        with pytest.raises(TypeError, match=f"{name}={value!r}: expected"):
            make(value)

    @pytest.mark.parametrize("n", [0, -1])
    def test_the_bounds_of_no_retry(self, n):
        """Retries are counted from 1."""
        with pytest.raises(ValueError, match=f"n={n}: expected the number of a retry"):
            backoff.exponential().bounds(n)

    def test_a_backoff_class_for_a_backoff(self):
        """The parentheses are missing."""
        with pytest.raises(TypeError, match=r"did you mean exponential\(\)"):
            Policy(wait=backoff.exponential)

    @pytest.mark.parametrize(
        "value", [{1.0: 2.0}, "12", iter([1])], ids=["dict", "str", "iterator"]
    )
    def test_a_wait_that_is_no_sequence_of_seconds(self, value):
        """Though it can be gone through."""
        with pytest.raises(TypeError, match=r"wait=.*expected seconds, a non-empty sequence"):
            Policy(wait=value)

    @pytest.mark.parametrize("name", [3, b"fetch"], ids=repr)
    def test_a_name_that_is_none(self, name):
        """A str, or None."""
        with pytest.raises(TypeError, match=f"name={name!r}: expected a str"):
            Policy(name=name)

    def test_no_limit_is_no_limit(self):
        """`testing.limit` takes a number."""
        with pytest.raises(TypeError, match="n=None: expected an int of 1 or more"):
            testing.limit(None)

    def test_a_predicate_that_answers_with_something_to_await(self, way):
        """Of whatever kind: what cannot be closed is refused like a coroutine."""

        class Awaitable:
            def __await__(self):
                yield

        with pytest.raises(TypeError, match=r"on\(\.\.\.\)=.*expected a result, not"):
            way.run(Flaky([Lost]), on=lambda error: Awaitable())


class TestTheWrongFor:
    """`for ... in retry()` and `@retrying()` are refused with "did you mean"."""

    def test_retrying_as_a_decorator(self):
        """@retry is meant."""
        said = r"^retrying\(\.\.\.\) does not decorate: did you mean `@retry\(\.\.\.\)`\?$"
        with pytest.raises(TypeError, match=said):
            retrying(3)(as_coroutine_function(fetch))


class TestABlockInABlock:
    """One `retrying` object is one block at a time."""

    SAID = (
        "this retrying object is in use as a block: write `{} retrying(...)` "
        "with an object of its own for each"
    )

    def test_sync(self):
        """With the statement to write."""
        one = retrying(3)
        with one as call:
            call(int)
            with pytest.raises(RuntimeError) as caught:
                one.__enter__()
        assert str(caught.value) == self.SAID.format("with")

    def test_async(self):
        """As above."""

        async def main():
            one = retrying(3)
            async with one as call:
                await call(int)
                with pytest.raises(RuntimeError) as caught:
                    await one.__aenter__()
            return str(caught.value)

        assert run_async(main()) == self.SAID.format("async with")

    def test_one_that_has_not_begun(self):
        """Leaving it does nothing, as an ExitStack may, whose last entry failed."""
        assert retrying(3).__exit__(None, None, None) is False
        assert run_async(retrying(3).__aexit__(None, None, None)) is False
