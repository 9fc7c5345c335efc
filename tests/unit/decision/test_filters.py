"""Contract 2: what is retried, and what never is."""

from __future__ import annotations

import pickle
from unittest.mock import Mock

import pytest
from ways import Flaky

from retrying_elegant import Policy, RetryError, TryAgain, given_up, retry


class Lost(OSError):
    """Retried in these tests."""


class Gone(Lost):
    """A special case of Lost."""


class Wrong(Exception):
    """Not retried in these tests."""


class Busy(Exception):
    """Retried in these tests, too."""


def busy_for(seconds):
    """A predicate that knows Busy, with a hint."""
    return lambda error: isinstance(error, Busy) and TryAgain(after=seconds)


def never(error):
    return False


def is_lost(error):
    return isinstance(error, Lost)


class TestOn:
    """`on`: what to retry: an exception class, a tuple of classes, or a predicate on the error."""

    @pytest.mark.parametrize(
        "on", [Lost, (KeyError, Lost), is_lost], ids=["class", "tuple", "predicate"]
    )
    class TestInEachForm:
        """A class, a tuple and a predicate mean the same."""

        @pytest.mark.parametrize("error", [Lost, Gone])
        def test_an_error_that_matches_is_retried(self, way, on, error):
            """The class itself and its subclasses."""
            flaky = Flaky([error, error, "value"])
            assert way.run(flaky, on=on) == "value"
            assert flaky.calls == 3

        def test_an_error_that_does_not_match_leaves_at_once(self, way, on):
            """One call, no wait."""
            error = Wrong()
            flaky = Flaky([error])
            with pytest.raises(Wrong) as caught:
                way.run(flaky, on=on)
            assert caught.value is error
            assert flaky.calls == 1

    @pytest.mark.parametrize("among", [False, True])
    def test_a_class_is_asked_each_time(self, way, among):
        """One with a metaclass may answer differently for the next error of the same class."""

        class Moody(type):
            def __subclasscheck__(cls, kind):
                return flaky.calls < 2

        class Retryable(Exception, metaclass=Moody):
            pass

        flaky = Flaky([Lost])
        with pytest.raises(Lost):
            way.run(flaky, on=(KeyError, Retryable) if among else Retryable)
        assert flaky.calls == 2

    def test_errors_of_changing_classes(self, way):
        """Each counts by its own."""
        flaky = Flaky([Lost, Gone, KeyError, Lost, Wrong, "value"])
        with pytest.raises(Wrong):
            way.run(flaky, None, on=(KeyError, Lost))
        assert flaky.calls == 5

    def test_by_default_any_exception_is_retried(self, way):
        """`on=Exception`."""
        assert way.run(Flaky([Wrong, ZeroDivisionError, "value"])) == "value"

    def test_a_predicate_is_asked_about_the_error_itself(self, way):
        """Once for each failed attempt, with the object that was raised."""
        first, second = Lost(), Lost()
        asked = []
        way.run(Flaky([first, second, "value"]), on=lambda error: [asked.append(error)])
        assert [id(error) for error in asked] == [id(first), id(second)]

    def test_a_predicate_may_have_any_attribute(self, way):
        """As a mock has, or an object that passes on to another."""
        error = Lost("down")
        with pytest.raises(Lost) as caught:
            way.run(Flaky([Lost, error]), on=Mock(side_effect=[True, False]))
        assert caught.value is error
        assert given_up(error).reason == "not retryable"


class TestUnless:
    """`unless`: what never to retry, though `on` matches; it wins over `on`."""

    @pytest.mark.parametrize(
        "unless",
        [Gone, (KeyError, Gone), lambda error: isinstance(error, Gone)],
        ids=["class", "tuple", "predicate"],
    )
    def test_it_wins_over_on(self, way, unless):
        """Lost is retried, its subclass Gone is not."""
        flaky = Flaky([Lost, Gone, "value"])
        with pytest.raises(Gone):
            way.run(flaky, on=Lost, unless=unless)
        assert flaky.calls == 2


class TestHints:
    """A hint h is added to the wait of the backoff: never earlier than asked."""

    def test_a_hint_holds_for_one_wait(self, way, waits):
        """The next failure without a hint waits by the backoff alone."""
        way.run(Flaky([TryAgain(after=9), Lost, "value"]), wait=1)
        assert waits == [10, 1]

    def test_a_hint_survives_pickling(self, way, waits):
        """TryAgain pickles, its hint included."""
        copy = pickle.loads(pickle.dumps(TryAgain(after=2.5)))
        way.run(Flaky([copy, "value"]), wait=0)
        assert waits == [2.5]


class TestTryAgain:
    """`raise TryAgain()` inside an attempt asks for another whatever `on` and `unless` say."""

    @pytest.mark.parametrize(
        "filters",
        [{"on": ()}, {"on": Lost}, {"unless": Exception}, {"unless": lambda error: True}],
        ids=["on nothing", "on another", "unless any", "unless predicate"],
    )
    def test_it_is_retried_whatever_the_filters_say(self, way, filters):
        """on and unless have no say."""
        flaky = Flaky([TryAgain, TryAgain(), "value"])
        assert way.run(flaky, **filters) == "value"
        assert flaky.calls == 3

    def test_it_obeys_attempts(self, way):
        """The last one leaves, as the object that was raised."""
        last = TryAgain()
        flaky = Flaky([TryAgain, last])
        with pytest.raises(TryAgain) as caught:
            way.run(flaky, 2, on=())
        assert caught.value is last
        assert flaky.calls == 2

    def test_it_carries_note_and_record(self, way):
        """As any error that a policy gave up on."""
        with pytest.raises(TryAgain) as caught:
            way.run(Flaky([TryAgain]), 2, name="fetch")
        assert "gave up on fetch after 2 attempts" in "\n".join(caught.value.__notes__)
        assert given_up(caught.value).reason == "attempts"

    def test_it_obeys_timeout(self, way, clock, waits):
        """A hint that reaches the timeout ends the call at once, without sleeping."""
        flaky = Flaky([TryAgain(after=30), "value"])
        with pytest.raises(TryAgain):
            way.run(flaky, wait=0, timeout=30)
        assert flaky.calls == 1
        assert waits == []


class TestTryAgainItself:
    """It has the arguments and the result that it is made with, as a RetryError has."""

    def test_what_it_is_made_with(self):
        """All at once."""
        request = TryAgain("busy", after=2, result=404)
        assert (request.args, request.after, request.result) == (("busy",), 2, 404)

    @pytest.mark.parametrize("base", [RetryError, TryAgain])
    def test_a_class_of_ones_own(self, base):
        """Which makes a text of its arguments."""

        class Busy(base):
            def __init__(self, status):
                super().__init__(f"the server answers {status}")

        assert str(Busy(503)) == "the server answers 503"


class TestTryAgainThroughLayers:
    """Once a policy has given up on it, TryAgain is an ordinary error to every outer one."""

    def test_an_outer_policy_that_does_not_name_it_lets_it_pass(self, way):
        """The inner policy has called twice and given up; the outer does not repeat that."""
        flaky = Flaky([TryAgain])
        with pytest.raises(TryAgain):
            way.run(retry(2)(flaky), 3, on=Lost)
        assert flaky.calls == 2

    def test_an_outer_policy_that_excludes_it_lets_it_pass(self, way):
        """`unless` has its say again."""
        flaky = Flaky([TryAgain])
        with pytest.raises(TryAgain):
            way.run(retry(2)(flaky), 3, unless=TryAgain)
        assert flaky.calls == 2

    def test_an_outer_policy_that_names_it_retries_it(self, way):
        """As it would any other error that its `on` names."""
        flaky = Flaky([TryAgain])
        with pytest.raises(TryAgain):
            way.run(retry(2)(flaky), 3, on=TryAgain)
        assert flaky.calls == 6

    def test_its_hint_is_spent(self, way, waits):
        """The outer wait is that of the outer backoff alone."""
        # reading: an ordinary error carries no hint.
        inner = retry(2, wait=1)(Flaky([TryAgain(after=5), TryAgain(after=5), "value"]))
        assert way.run(inner, 2, wait=2) == "value"
        assert waits == [6, 2]

    def test_the_same_object_raised_again_is_an_ordinary_error(self, way):
        """A policy that meets an object already given up on judges it by `on`."""
        given_up = TryAgain()
        with pytest.raises(TryAgain):
            way.run(Flaky([given_up]), 2)
        flaky = Flaky([given_up])
        with pytest.raises(TryAgain):
            way.run(flaky, 2, on=Lost)
        assert flaky.calls == 1


class TestTuples:
    """`on` and `unless`: evaluated in order, the first match decides."""

    def test_the_first_match_decides(self, way, waits):
        """Its hint is carried, and what comes after it is not evaluated."""
        asked = []

        def later(error):
            asked.append(error)
            return TryAgain(after=100)

        assert way.run(Flaky([Busy, "value"]), 3, on=(never, busy_for(7), later), wait=0) == "value"
        assert waits == [7]
        assert asked == []

    @pytest.mark.parametrize("field", ["on", "unless"])
    def test_a_nested_tuple(self, field):
        """TypeError, with a suggestion to flatten it."""
        with pytest.raises(TypeError, match=rf"^{field}") as caught:
            Policy(**{field: (OSError, (KeyError, ValueError))})
        assert "*" in str(caught.value)

    @pytest.mark.parametrize("item", [7, "OSError", None, KeyboardInterrupt, object])
    @pytest.mark.parametrize("field", ["on", "unless"])
    def test_what_is_neither(self, field, item):
        """TypeError."""
        with pytest.raises(TypeError, match=rf"^{field}"):
            Policy(**{field: (OSError, item)})

    @pytest.mark.parametrize("field", ["on", "unless"])
    def test_a_coroutine_function(self, field):
        """Cannot be evaluated at once."""

        async def predicate(error): ...

        with pytest.raises(TypeError, match=rf"^{field}"):
            Policy(**{field: (OSError, predicate)})

    def test_a_hint_from_unless(self, way):
        """TypeError: "never, but after 5 s" is nonsense."""
        error = Busy("busy")
        with pytest.raises(TypeError, match="unless") as caught:
            way.run(Flaky([error]), 3, unless=busy_for(5))
        assert caught.value.__context__ is error
