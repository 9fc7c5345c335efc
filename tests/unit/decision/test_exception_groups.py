"""Contract 2: how the filters read an ExceptionGroup."""

from __future__ import annotations

import pytest
from ways import Flaky


class Lost(OSError):
    """Retried in these tests."""


class Wrong(Exception):
    """Not retried in these tests."""


class OwnGroup(ExceptionGroup):
    """A group with a name of its own."""


def group(*errors):
    return ExceptionGroup("several", errors)


class TestGroupsAndOn:
    """An ExceptionGroup matches classes in `on` when the group itself does, or every leaf does."""

    @pytest.mark.parametrize("on", [Lost, (KeyError, Lost)], ids=["class", "tuple"])
    @pytest.mark.parametrize(
        "error",
        [group(Lost()), group(Lost(), Lost()), group(Lost(), group(Lost(), group(Lost())))],
        ids=["one leaf", "two leaves", "nested"],
    )
    def test_every_leaf_matches(self, way, on, error):
        """The group is retried, however deep its leaves are."""
        flaky = Flaky([error, "value"])
        assert way.run(flaky, on=on) == "value"
        assert flaky.calls == 2

    def test_each_leaf_is_looked_at_once(self, some_way):
        """However many ways lead to it: here, 10 to the 20th."""
        error = Lost()
        for _ in range(20):
            error = group(*[error] * 10)
        assert some_way.run(Flaky([error, "value"]), on=Lost) == "value"

    def test_leaves_may_match_different_classes(self, way):
        """One of the tuple for each leaf is enough."""
        assert way.run(Flaky([group(Lost(), KeyError()), "value"]), on=(Lost, KeyError)) == "value"

    @pytest.mark.parametrize(
        "error",
        [
            group(Lost(), Wrong()),
            group(Lost(), group(Lost(), Wrong())),
            group(*[Lost()] * 2, Wrong()),
        ],
        ids=["flat", "nested", "after one that is in it twice"],
    )
    def test_one_leaf_does_not_match(self, way, error):
        """The group leaves at once."""
        flaky = Flaky([error, "value"])
        with pytest.raises(ExceptionGroup) as caught:
            way.run(flaky, on=Lost)
        assert caught.value is error
        assert flaky.calls == 1

    @pytest.mark.parametrize("on", [OwnGroup, ExceptionGroup, Exception])
    def test_the_group_itself_matches(self, way, on):
        """Whatever its leaves are."""
        assert way.run(Flaky([OwnGroup("own", [Wrong()]), "value"]), on=on) == "value"

    def test_a_predicate_is_asked_about_the_group_as_a_whole(self, way):
        """Only classes look at the leaves."""
        # reading: "a predicate on the error"; the rule of the leaves names classes alone.
        error = group(Lost(), Wrong())
        asked = []
        way.run(Flaky([error, "value"]), on=lambda error: [asked.append(error)])
        assert asked == [error]


class TestGroupsAndUnless:
    """A group matches `unless` when the group itself or any leaf does."""

    @pytest.mark.parametrize(
        "error",
        [group(Wrong()), group(Lost(), Wrong()), group(Lost(), group(Lost(), Wrong()))],
        ids=["one leaf", "among others", "nested"],
    )
    def test_any_leaf_is_enough(self, way, error):
        """The group leaves at once, though `on` matches."""
        flaky = Flaky([error, "value"])
        with pytest.raises(ExceptionGroup):
            way.run(flaky, unless=Wrong)
        assert flaky.calls == 1

    def test_the_group_itself_is_enough(self, way):
        """Though no leaf matches."""
        flaky = Flaky([OwnGroup("own", [Lost()]), "value"])
        with pytest.raises(OwnGroup):
            way.run(flaky, unless=OwnGroup)
        assert flaky.calls == 1

    def test_a_group_without_such_a_leaf_is_retried(self, way):
        """As `on` says."""
        assert way.run(Flaky([group(Lost(), Lost()), "value"]), unless=Wrong) == "value"


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


class TestGroupsAndTuples:
    """In a tuple, what follows the classes is evaluated where they do not match."""

    def test_a_predicate_after_a_class(self, way):
        """One leaf is not an OSError, and the predicate has the whole group."""
        group = ExceptionGroup("several", [OSError("down"), ValueError("no")])
        seen = []
        flaky = Flaky([group, "value"])
        assert way.run(flaky, on=(OSError, lambda error: seen.append(error) or True)) == "value"
        assert seen == [group]
