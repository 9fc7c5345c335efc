"""Contract 4: what `retry(...)` itself is, and what it makes of odd callables."""

from __future__ import annotations

import collections.abc
import inspect
from unittest import mock

import pytest
from ways import run_async

from retrying_elegant import retry


class Lost(Exception):
    """Retried in these tests."""


class TestTheDecorator:
    """`retry(...)` is not iterable, and says so where somebody tries."""

    @pytest.mark.parametrize(
        "decorator", [retry(), retry(3), retry(on=OSError)], ids=["()", "(3)", "(on=)"]
    )
    def test_it_is_no_iterable(self, decorator):
        """To code that asks, as Django's `method_decorator` does."""
        assert not hasattr(decorator, "__iter__")
        assert not isinstance(decorator, collections.abc.Iterable)
        assert not hasattr(decorator, "__len__")

    @pytest.mark.parametrize("use", [iter, list, lambda decorator: [*decorator]])
    def test_iterating_is_rejected(self, use):
        """A `for` over it means `retrying`."""
        with pytest.raises(TypeError, match=r"did you mean `retrying\(\.\.\.\)`\? This\b(?!\.)"):
            use(retry(3))

    def test_entering_is_rejected(self):
        """A `with` means `retrying` as well."""
        with pytest.raises(TypeError) as refusal, retry(3):
            pytest.fail("the block ran")
        assert str(refusal.value) == (
            "retry(...) decorates functions: did you mean `retrying(...)`, "
            "as in `for attempt in retrying(...)` or `with retrying(...) as call`?"
        )


class TestMocks:
    """`unittest.mock` objects can be decorated."""

    @pytest.mark.parametrize(
        "make",
        [
            mock.Mock,
            mock.MagicMock,
            lambda **keywords: mock.Mock(spec=lambda: None, **keywords),
            lambda **keywords: mock.MagicMock(spec=inspect.unwrap, **keywords),
            lambda **keywords: mock.create_autospec(lambda: None, **keywords),
            lambda **keywords: mock.NonCallableMock(__call__=mock.Mock(**keywords)).__call__,
        ],
        ids=["Mock", "MagicMock", "spec=lambda", "spec=function", "autospec", "attribute"],
    )
    def test_sync(self, make):
        """Their side effects are retried."""
        double = make(side_effect=[Lost, Lost, "value"])
        arguments = (print,) if "unwrap" in str(getattr(double, "_spec_class", "")) else ()
        decorated = retry(3, on=Lost, wait=0)(double)
        assert decorated(*arguments) == "value"
        assert double.call_count == 3
        assert isinstance(decorated.__name__, str)
        assert isinstance(decorated.__qualname__, str)

    @pytest.mark.parametrize(
        "make",
        [
            mock.AsyncMock,
            lambda **keywords: mock.create_autospec(_coroutine_function, **keywords),
        ],
        ids=["AsyncMock", "autospec"],
    )
    def test_async(self, make):
        """Recognized as coroutine functions."""
        double = make(side_effect=[Lost, Lost, "value"])
        decorated = retry(3, on=Lost, wait=0)(double)
        assert inspect.iscoroutinefunction(decorated)
        assert run_async(decorated()) == "value"
        assert double.await_count == 3

    def test_a_name_that_is_none(self):
        """An object whose `__name__` and `__qualname__` are not texts is named by its class."""

        class Odd:
            def __call__(self):
                raise Lost

        odd = Odd()
        odd.__name__, odd.__qualname__ = 7, None
        with pytest.raises(Lost) as caught:
            retry(2, wait=0)(odd)()
        assert "Odd after 2 attempts" in caught.value.__notes__[0]


async def _coroutine_function():
    """What an async autospec is made of."""


class TestAboveContextmanager:
    """`retry` directly above `contextmanager` retries nothing: TypeError at decoration."""

    def test_what_else_comes_from_contextlib(self):
        """A function that a context manager decorates is an ordinary one."""
        from contextlib import contextmanager

        @contextmanager
        def noted():
            yield

        assert retry(noted()(lambda: "value"))() == "value"
        assert callable(retry(contextmanager))

    def test_what_only_has_the_same_name(self):
        """A function is recognized by its module, too."""

        def helper():
            return "value"

        assert retry(helper)() == "value"

    def test_contextmanager(self):
        """It would only make the context manager; the message says to write it below."""
        from contextlib import contextmanager

        with pytest.raises(TypeError, match="below"):

            @retry(3)
            @contextmanager
            def connection():
                yield "connection"

    def test_asynccontextmanager(self):
        """Likewise."""
        from contextlib import asynccontextmanager

        with pytest.raises(TypeError, match="below"):

            @retry
            @asynccontextmanager
            async def connection():
                yield "connection"

    def test_a_method_or_a_partial_of_one(self):
        """Wherever it is bound to its arguments."""
        from contextlib import contextmanager
        from functools import partial

        class Pool:
            @contextmanager
            def connection(self):
                yield "connection"

        for fn in (Pool().connection, partial(Pool.connection, Pool())):
            with pytest.raises(TypeError, match="below"):
                retry(fn)

    def test_below(self):
        """Retried until the connection is there; what the body raises is its own."""
        from contextlib import asynccontextmanager, contextmanager

        outcomes = [Lost, Lost, "connection"] * 2

        def connect():
            outcome = outcomes.pop(0)
            if outcome is Lost:
                raise Lost
            return outcome

        @contextmanager
        @retry(3, on=Lost, wait=0)
        def connection():
            yield connect()

        @asynccontextmanager
        @retry(3, on=Lost, wait=0)
        async def connection_async():
            yield connect()

        with connection() as opened:
            assert opened == "connection"

        async def main():
            async with connection_async() as opened:
                return opened

        assert run_async(main()) == "connection"
        outcomes.append("connection")
        with pytest.raises(Lost, match="of the body"), connection():
            raise Lost("of the body")
        assert outcomes == []

    def test_other_generator_wrappers(self):
        """A function that returns a context manager of its own is a function like others."""
        from contextlib import contextmanager, nullcontext

        @contextmanager
        def inner():
            yield "inner"

        assert retry(3)(lambda: nullcontext("value"))().__enter__() == "value"
        with retry(3)(lambda: inner())() as value:
            assert value == "inner"
