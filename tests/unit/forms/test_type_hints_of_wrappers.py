"""Contract 4: annotations and type hints of a decorated object are those of what it wraps."""

from __future__ import annotations

import functools
import inspect
import sys
import typing

import pytest

from retrying_elegant import retry


class Item:
    """Known in this module only."""


def sync(number: int, item: Item, *, times: float = 1.0) -> str:
    """Synchronous."""
    return f"{number} {item} {times}"


async def coroutine(number: int, item: Item, *, times: float = 1.0) -> str:
    """Async."""
    return f"{number} {item} {times}"


def generator(number: int, item: Item, *, times: float = 1.0) -> str:
    """Items."""
    yield f"{number} {item} {times}"


async def async_generator(number: int, item: Item, *, times: float = 1.0) -> str:
    """Async items."""
    yield f"{number} {item} {times}"


class Object:
    """Callable."""

    def __call__(self, number: int, item: Item, *, times: float = 1.0) -> str:
        return f"{number} {item} {times}"

    method = __call__


class AsyncObject:
    """Callable, async."""

    async def __call__(self, number: int, item: Item, *, times: float = 1.0) -> str:
        return f"{number} {item} {times}"


@functools.wraps(sync)
def wrapping(*args, **kwargs):
    return sync(*args, **kwargs)


HINTS = {"number": int, "item": Item, "times": float, "return": str}
WRAPPED = {
    "function": sync,
    "coroutine function": coroutine,
    "generator function": generator,
    "async generator function": async_generator,
    "bound method": Object().method,
    "functools.wraps": wrapping,
    "lru_cache": functools.lru_cache(sync),
    "singledispatch": functools.singledispatch(sync),
    "partial": functools.partial(sync, times=2.0),
    "partial of a coroutine function": functools.partial(coroutine, times=2.0),
    "partial of a partial": functools.partial(functools.partial(sync), times=2.0),
    "object": Object(),
    "async object": AsyncObject(),
    "partial of an object": functools.partial(Object(), times=2.0),
}
everything = pytest.mark.parametrize("fn", WRAPPED.values(), ids=WRAPPED)


class TestTypeHints:
    """`typing.get_type_hints` and `__annotations__` never show the library's own."""

    @everything
    def test_typed(self, fn):
        """Resolved where the wrapped function was defined."""
        assert typing.get_type_hints(retry(3)(fn)) == HINTS

    @everything
    def test_annotations(self, fn):
        """As they were written."""
        found = retry(3)(fn).__annotations__
        assert set(found) == set(HINTS)
        assert found["return"] in (str, "str")

    def test_what_is_added_to_a_type(self):
        """By `Annotated`."""

        class Measure:
            def __call__(self, length: typing.Annotated[int, "meters"]) -> str:
                return str(length)

        hints = typing.get_type_hints(retry(3)(Measure()), include_extras=True)
        assert hints == {"length": typing.Annotated[int, "meters"], "return": str}

    @everything
    def test_signature(self, fn):
        """That of `inspect.signature` on what is wrapped, evaluated or not."""
        for options in ({}, {"eval_str": True}):
            expected = inspect.signature(fn, **options)
            assert inspect.signature(retry(3)(fn), **options) == expected

    @everything
    def test_under_fallback(self, fn):
        """Which only widens the static type."""
        if "generator" in getattr(fn, "__name__", ""):
            pytest.skip("generator functions take no fallback")
        assert typing.get_type_hints(retry(3, fallback=str)(fn)) == HINTS

    @pytest.mark.parametrize(
        "fn",
        [len, print, str.upper, [].append, functools.partial(pow, 2), dict],
        ids=["len", "print", "str.upper", "append", "partial", "dict"],
    )
    def test_without_any(self, fn):
        """Builtins and classes have none, or their own."""
        decorated = retry(3)(fn)
        assert decorated.__annotations__ == {}
        assert typing.get_type_hints(decorated) == {}

    def test_of_a_class(self):
        """Not those of what makes its objects."""

        class Meta(type):
            def __call__(cls, number: int) -> object:
                return super().__call__()

        class Made(metaclass=Meta):
            """Made by a call of another class."""

        assert retry(3)(Made).__annotations__ == {}

    @pytest.mark.parametrize("annotations", [{"number": int}, {"return": None}], ids=str)
    def test_of_an_object_that_has_them(self, annotations):
        """They are taken as they are, and not evaluated a second time."""
        fn = Object()
        fn.__annotations__ = annotations
        fn.__annotate__ = lambda _: pytest.fail("evaluated")
        assert retry(3)(fn).__annotations__ == annotations

    @pytest.mark.parametrize("make", [lambda fn: fn, functools.partial], ids=["fn", "partial"])
    def test_assigned(self, make):
        """To a function, as tools do that generate code."""

        def fn(number, item):
            return f"{number} {item}"

        fn.__annotations__ = {"number": int, "item": "Item"}
        assert typing.get_type_hints(retry(3)(make(fn))) == {"number": int, "item": Item}

    def test_of_an_object_that_fails_to_give_them(self):
        """It has none."""
        fn = Object()
        fn.__annotate__ = lambda _: 1 / 0
        assert retry(3)(fn).__annotations__ == {}

    def test_of_a_method(self):
        """In a class, decorated as a method, a class method and a static one."""

        class Shop:
            @retry(3)
            def method(self, number: int) -> str: ...

            @retry(3)
            @classmethod
            def of_class(cls, number: int) -> str: ...

            @staticmethod
            @retry(3)
            def static(number: int) -> str: ...

        for fn in (Shop.method, Shop().method, Shop.of_class, Shop.static):
            assert typing.get_type_hints(fn) == {"number": int, "return": str}

    def test_of_what_is_decorated_twice(self):
        """The innermost."""
        assert typing.get_type_hints(retry(3)(retry(2)(functools.partial(sync)))) == HINTS

    @pytest.mark.skipif(sys.version_info < (3, 14), reason="__annotate__ is new in Python 3.14")
    @everything
    def test_annotate(self, fn):
        """The function behind the annotations gives them too, in every format."""
        import annotationlib

        for format_ in (annotationlib.Format.FORWARDREF, annotationlib.Format.STRING):
            found = annotationlib.get_annotations(retry(3)(fn), format=format_)
            assert set(found) == set(HINTS)

    def test_a_name_that_is_not_defined_yet(self):
        """Stays as it was written."""

        class Later:
            def __call__(self, number):
                return number

        Later.__call__.__annotations__["number"] = "NotDefinedYet"
        assert retry(3)(Later()).__annotations__ == {"number": "NotDefinedYet"}

    @everything
    def test_what_is_wrapped_is_left_alone(self, fn):
        """Decorating adds nothing to it."""
        before = dict(getattr(fn, "__dict__", {}))
        retry(3)(fn)
        assert dict(getattr(fn, "__dict__", {})) == before
