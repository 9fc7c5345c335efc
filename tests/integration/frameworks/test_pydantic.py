"""pydantic's `validate_call`, above and below `retry`."""

from __future__ import annotations

import asyncio
import functools
import typing

import pydantic
import pytest
from pydantic import validate_call

from retrying_elegant import given_up, retry


class Flaky:
    """What a function calls: fails twice, then works."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.calls <= 2:
            raise ConnectionError("down")


work = Flaky()
network = retry(3, on=ConnectionError, wait=0)


@pytest.fixture(autouse=True)
def two_failures():
    work.calls = 0


def double(number: int, *, times: int = 2) -> int:
    """Multiply."""
    work()
    return number * times


async def double_async(number: int, *, times: int = 2) -> int:
    """Multiply, later."""
    work()
    return number * times


class Doubler:
    """A callable object."""

    def __call__(self, number: int, *, times: int = 2) -> int:
        work()
        return number * times

    def method(self, number: int, *, times: int = 2) -> int:
        work()
        return number * times


class TestValidateCallAbove:
    """`validate_call(retry(...)(fn))`: arguments are checked once, before the first attempt."""

    @pytest.mark.parametrize(
        "fn",
        [
            double,
            functools.partial(double, times=2),
            functools.lru_cache(double),
            Doubler(),
            Doubler().method,
        ],
        ids=["function", "partial", "lru_cache", "object", "method"],
    )
    def test_of(self, fn):
        """Converted by the annotations of what is decorated."""
        call = validate_call(network(fn))
        assert call("21") == 42
        assert work.calls == 3
        with pytest.raises(pydantic.ValidationError):
            call("twenty-one")
        assert work.calls == 3

    async def awaited(self, call):
        return await call("21")

    def test_of_a_coroutine_function(self):
        """Awaited."""
        assert asyncio.run(self.awaited(validate_call(network(double_async)))) == 42
        assert work.calls == 3

    def test_of_a_method_in_a_class(self):
        """Both decorators above a method."""

        class Account:
            @validate_call
            @network
            def double(self, number: int) -> int:
                work()
                return number * 2

        assert Account().double("21") == 42
        assert work.calls == 3

    def test_the_result(self):
        """`validate_return` checks what the last attempt returned."""

        def text() -> int:
            work()
            return "21"  # type: ignore[return-value]  # which is the point

        assert validate_call(validate_return=True)(network(text))() == 21


class TestValidateCallBelow:
    """`retry(...)(validate_call(fn))`: arguments are checked in every attempt."""

    def test_a_validation_error_is_not_retried(self):
        """It is a ValueError: named errors do not cover it."""
        call = network(validate_call(double))
        assert call("21") == 42
        with pytest.raises(pydantic.ValidationError) as caught:
            call("twenty-one")
        assert given_up(caught.value) is None

    def test_type_hints(self):
        """Are those of the function."""
        assert typing.get_type_hints(network(validate_call(double))) == {
            "number": int,
            "times": int,
            "return": int,
        }


class TestModels:
    """Decorated functions inside of models."""

    def test_a_validator(self):
        """A validator that asks a service."""

        class Order(pydantic.BaseModel):
            item: str

            @pydantic.field_validator("item")
            @classmethod
            @network
            def exists(cls, item: str) -> str:
                assert cls is Order
                work()
                return item.upper()

        assert Order(item="tea").item == "TEA"
        assert work.calls == 3

    def test_a_method_and_a_computed_field(self):
        """A decorated method is not taken for a field."""

        class Order(pydantic.BaseModel):
            item: str

            @network
            def price(self) -> int:
                work()
                return len(self.item)

            @pydantic.computed_field
            @property
            @network
            def total(self) -> int:
                return self.price()

        assert list(Order.model_fields) == ["item"]
        assert Order(item="tea").model_dump() == {"item": "tea", "total": 3}
