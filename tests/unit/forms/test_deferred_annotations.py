"""Contract 4: annotations that Python 3.14 evaluates later than decoration."""
# ruff: noqa: F821 - the names are defined later, or never

import functools
import sys
import typing

import pytest

from retrying_elegant import retry

pytestmark = pytest.mark.skipif(sys.version_info < (3, 14), reason="deferred since Python 3.14")


class TestDeferredAnnotations:
    """A name may be defined after decoration, or for type checkers only."""

    def test_defined_later(self):
        """It is resolved when the hints are read."""

        class Shop:
            def __call__(self, number: int) -> Item:
                return Item()

        def sell(number: int, item: Item) -> Item:
            return item

        decorated = [
            retry(3)(fn)
            for fn in (Shop(), functools.partial(Shop()), sell, functools.partial(sell, 1))
        ]

        class Item:
            """What the annotations name."""

        for fn in decorated:
            hints = typing.get_type_hints(fn)
            assert hints.pop("item", Item) is Item
            assert hints == {"number": int, "return": Item}

    def test_never_defined(self):
        """It is only missed by who reads it, as in the bare function."""
        from annotationlib import Format, get_annotations

        def sell(item: Item, number: int = 1) -> None:
            pass

        for fn in (sell, functools.partial(sell, 1)):
            decorated = retry(3)(fn)
            decorated(1)
            with pytest.raises(NameError, match="Item"):
                typing.get_type_hints(decorated)
            found = get_annotations(decorated, format=Format.FORWARDREF)
            assert found["number"] is int
            found = get_annotations(decorated, format=Format.STRING)
            assert found == {"item": "Item", "number": "int", "return": "None"}
