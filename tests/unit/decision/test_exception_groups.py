"""Contract 2: how the filters read an ExceptionGroup."""

from __future__ import annotations

import pytest
from decision_parts import is_retried
from ways import Flaky


class Lost(OSError):
    """Retried in these tests."""


class Wrong(Exception):
    """Not retried in these tests."""


class OwnGroup(ExceptionGroup):
    """A group with a name of its own."""


def group(*errors):
    return ExceptionGroup("several", errors)


def never(error):
    return False


class TestGroupsAndOn:
    """An ExceptionGroup matches classes in `on` when the group itself does, or every leaf does."""

    def test_every_leaf_matches(self, way):
        """The group is retried."""
        flaky = Flaky([group(Lost(), group(Lost())), "value"])
        assert way.run(flaky, on=Lost) == "value"
        assert flaky.calls == 2

    @pytest.mark.parametrize("on", [Lost, (KeyError, Lost), (never, Lost)])
    @pytest.mark.parametrize(
        "error",
        [group(Lost()), group(Lost(), Lost()), group(Lost(), group(Lost(), group(Lost())))],
        ids=["one leaf", "two leaves", "nested"],
    )
    def test_however_deep(self, error, on):
        """In a tuple as well."""
        assert is_retried(error, on=on)

    def test_each_leaf_is_looked_at_once(self):
        """However many ways lead to it: here, 10 to the 20th."""
        error = Lost()
        for _ in range(20):
            error = group(*[error] * 10)
        assert is_retried(error, on=Lost)

    def test_leaves_may_match_different_classes(self):
        """One of the tuple for each leaf is enough."""
        assert is_retried(group(Lost(), KeyError()), on=(Lost, KeyError))

    @pytest.mark.parametrize(
        "error",
        [
            group(Lost(), Wrong()),
            group(Lost(), group(Lost(), Wrong())),
            group(*[Lost()] * 2, Wrong()),
        ],
        ids=["flat", "nested", "after one that is in it twice"],
    )
    def test_one_leaf_does_not_match(self, error):
        """The group is not retried."""
        assert not is_retried(error, on=Lost)

    @pytest.mark.parametrize("on", [OwnGroup, ExceptionGroup, Exception])
    def test_the_group_itself_matches(self, on):
        """Whatever its leaves are."""
        assert is_retried(OwnGroup("own", [Wrong()]), on=on)

    @pytest.mark.parametrize("among", [False, True])
    def test_a_predicate_is_asked_about_the_group_as_a_whole(self, among):
        """Only classes look at the leaves; in a tuple, it is asked where those do not match."""
        # reading: "a predicate on the error"; the rule of the leaves names classes alone.
        error = group(Lost(), Wrong())
        asked = []
        predicate = lambda error: [asked.append(error)]  # noqa: E731
        assert is_retried(error, on=(Lost, predicate) if among else predicate)
        assert asked == [error]


class TestGroupsAndUnless:
    """A group matches `unless` when the group itself or any leaf does."""

    def test_one_leaf_is_enough(self, way):
        """The group leaves at once, though `on` matches."""
        flaky = Flaky([group(Lost(), Wrong()), "value"])
        with pytest.raises(ExceptionGroup):
            way.run(flaky, unless=Wrong)
        assert flaky.calls == 1

    @pytest.mark.parametrize("unless", [Wrong, (KeyError, Wrong), (never, Wrong)])
    @pytest.mark.parametrize(
        "error",
        [group(Wrong()), group(Lost(), Wrong()), group(Lost(), group(Lost(), Wrong()))],
        ids=["one leaf", "among others", "nested"],
    )
    def test_however_deep(self, error, unless):
        """In a tuple as well."""
        assert not is_retried(error, unless=unless)

    def test_the_group_itself_is_enough(self):
        """Though no leaf matches."""
        assert not is_retried(OwnGroup("own", [Lost()]), unless=OwnGroup)

    def test_a_group_without_such_a_leaf_is_retried(self):
        """As `on` says."""
        assert is_retried(group(Lost(), Lost()), unless=Wrong)


class TestGroupsOfControlFlow:
    """Only `Exception`s are ever retried, and a group that holds a BaseException is none."""

    def test_a_group_with_a_keyboard_interrupt_passes_through(self, way):
        """No predicate is asked, no attempt follows."""
        error = BaseExceptionGroup("several", [Lost(), KeyboardInterrupt()])
        flaky = Flaky([error, "value"])
        asked = []
        with pytest.raises(BaseExceptionGroup) as caught:
            way.run(flaky, on=lambda error: [asked.append(error)])
        assert caught.value is error
        assert (flaky.calls, asked) == (1, [])
