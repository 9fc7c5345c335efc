"""Contract 6: errors whose chain or class lies, and groups nested beyond any recursion limit."""

from __future__ import annotations

import pickle
import sys

import pytest
from ways import WAYS, Flaky, first_two, run_async

from retrying_elegant import TryAgain, given_up, retry


def raising(*args):
    raise RuntimeError("this attribute is not to be read")


@pytest.fixture(params=first_two(WAYS), ids=repr)
def way(request):
    return request.param


class Raised:
    """An error that came out of a call, kept where nothing formats it: that could fail as well."""

    def __init__(self, error):
        self.error = error

    def __repr__(self):
        return f"<a {type(self.error).__mro__[0].__name__} was raised>"

    def is_(self, error):
        return self.error is error


def outcome(way, flaky, *args, **fields):
    """What *way* returns, or what it raises, as ``Raised``."""

    async def caught():  # here, for asyncio's own tasks cannot be trusted with such errors
        try:
            return await way.start(flaky, *args, **fields)
        except BaseException as error:
            return Raised(error)

    if way.colour == "async":
        return run_async(caught())
    try:
        return way.run(flaky, *args, **fields)
    except BaseException as error:
        return Raised(error)


NONSENSE = {
    "raises": property(raising),
    "a number": property(lambda self: 7),
    "a text": property(lambda self: "nonsense"),
    "itself": property(lambda self: self),
    "a fresh error each time": property(lambda self: type(self)("fresh")),
    "a class": property(lambda self: KeyError),
}
ATTRIBUTES = [
    "__context__",
    "__cause__",
    "__suppress_context__",
    "__traceback__",
    "__class__",
    "__notes__",
    "args",
]


def hostile(attribute, answer, base=OSError):
    """A class of errors whose *attribute* answers so."""
    return type("Hostile", (base,), {attribute: answer})


every_attribute = pytest.mark.parametrize("attribute", ATTRIBUTES)
every_answer = pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)


class TestAttributesThatLie:
    """The user's error is retried and raised all the same, and nothing replaces it."""

    @every_attribute
    @every_answer
    def test_retried_and_raised(self, way, attribute, answer):
        """By its real class; and as the same object, after all attempts."""
        error = hostile(attribute, answer)("down")
        flaky = Flaky([error, error, "value"])
        assert outcome(way, flaky, 5, on=OSError) == "value"
        assert flaky.calls == 3
        flaky = Flaky([error])
        assert outcome(way, flaky, 3, on=OSError).is_(error)
        assert flaky.calls == 3

    @every_answer
    def test_not_retried(self, way, answer):
        """What `unless` or `on` decides by the real class, too."""
        error = hostile("__class__", answer)("down")
        for fields in ({"unless": OSError}, {"on": KeyError}, {"on": ()}):
            flaky = Flaky([error])
            assert outcome(way, flaky, 3, **fields).is_(error)
            assert flaky.calls == 1

    @pytest.mark.parametrize("lie", [TryAgain, ExceptionGroup, KeyboardInterrupt, TimeoutError])
    def test_a_class_that_it_is_not(self, way, lie):
        """`__class__` decides nothing: neither TryAgain nor a group nor control flow."""
        error = hostile("__class__", property(lambda self: lie))("down")
        flaky = Flaky([error])
        assert outcome(way, flaky, 3, on=()).is_(error)
        assert flaky.calls == 1
        flaky = Flaky([error, "value"])
        assert outcome(way, flaky, 3, on=OSError) == "value"

    @every_attribute
    @pytest.mark.parametrize(
        "answer", [NONSENSE["raises"], property(lambda self: OSError)], ids=["raises", "OSError"]
    )
    def test_of_control_flow(self, way, attribute, answer):
        """A BaseException passes through, whatever it says of itself."""
        error = hostile(attribute, answer, BaseException)("stop")
        flaky = Flaky([error])
        assert outcome(way, flaky, 3).is_(error)
        assert flaky.calls == 1

    @every_attribute
    def test_of_a_group(self, way, attribute):
        """A group and its leaves."""
        leaf = hostile(attribute, NONSENSE["raises"])("down")
        kind = hostile(attribute, NONSENSE["raises"], ExceptionGroup)
        if attribute == "args":
            kind = ExceptionGroup  # which cannot be made without
        flaky = Flaky([kind("all", [leaf]), "value"])
        assert outcome(way, flaky, 3, on=OSError) == "value"

    @pytest.mark.parametrize("answer", [(), None, 7, [KeyError()]], ids=repr)
    def test_a_group_that_lies_about_its_members(self, way, answer):
        """The members are those that it was made of."""
        kind = hostile("exceptions", property(lambda self: answer), ExceptionGroup)
        flaky = Flaky([kind("all", [OSError("down")]), "value"])
        assert outcome(way, flaky, 3, on=OSError) == "value"
        assert flaky.calls == 2

    def test_a_cycle(self, way):
        """Chained to itself, by way of another."""
        first, second = OSError("first"), OSError("second")
        first.__context__, second.__context__ = second, first
        first.__cause__, second.__cause__ = second, first
        assert outcome(way, Flaky([first, second, "value"]), 3, on=OSError) == "value"


DEPTH = 1500


def nested(leaf, depth=DEPTH):
    """*leaf* in a group in a group, *depth* times."""
    assert depth > sys.getrecursionlimit()
    error = leaf
    for _ in range(depth):
        error = ExceptionGroup("g", [error])
    return error


class TestDeepGroups:
    """A group nested 1 500 deep is an error like others."""

    @pytest.mark.parametrize("fields", [{}, {"on": OSError}, {"unless": KeyError}], ids=str)
    def test_retried(self, way, fields):
        """Classes match by its leaf."""
        flaky = Flaky([nested(OSError("down")), "value"])
        assert outcome(way, flaky, 3, **fields) == "value"
        assert flaky.calls == 2

    @pytest.mark.parametrize("fields", [{"on": KeyError}, {"unless": OSError}], ids=str)
    def test_not_retried(self, way, fields):
        """Likewise."""
        error = nested(OSError("down"))
        flaky = Flaky([error])
        assert outcome(way, flaky, 3, **fields).is_(error)
        assert flaky.calls == 1

    def test_given_up_on(self, way):
        """Raised as the same object, with its record."""
        error = nested(OSError("down"))
        assert outcome(way, Flaky([error]), 3).is_(error)
        assert given_up(error).attempts == 3

    def test_a_long_chain(self, way):
        """Of causes and contexts, just as deep."""
        error = None
        for number in range(DEPTH):
            link = OSError(f"link {number}")
            link.__context__ = link.__cause__ = error
            error = link
        assert outcome(way, Flaky([error, "value"]), 3, on=OSError) == "value"


class TestTryAgain:
    """`raise TryAgain(...)` carries its hint however it was made."""

    def test_repr(self):
        """Shows the hint."""
        assert repr(TryAgain(after=12)) in ("TryAgain(after=12)", "TryAgain(after=12.0)")
        assert repr(TryAgain()) == "TryAgain()"

    def test_a_subclass_without_init(self, way, waits):
        """Has no hint."""

        class NotYet(TryAgain):
            def __init__(self):
                pass

        assert NotYet().after is None
        assert outcome(way, Flaky([NotYet(), "value"]), 3, wait=2) == "value"
        assert waits == [2]

    @pytest.mark.parametrize("after", ["soon", -1, float("nan"), True], ids=str)
    def test_a_wrong_value(self, way, after):
        """Is checked where it is read, and raises with the attempt's error as its context."""

        class NotYet(TryAgain):
            pass

        error = NotYet()
        try:
            error.after = after
        except (AttributeError, TypeError, ValueError):
            pytest.skip("cannot be set to that at all")
        with pytest.raises((TypeError, ValueError), match="after") as caught:
            way.run(Flaky([error]), 3)
        assert caught.value.__context__ is error

    def test_pickle(self):
        """Copies keep the hint."""
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(TryAgain(after=2.5), protocol)).after == 2.5

    def test_a_pickle_without_the_field(self):
        """As an older version might have written it: no hint."""
        error = TryAgain.__new__(TryAgain)
        error.__setstate__({})
        assert error.after is None
        assert retry(1)(lambda: repr(error))()
