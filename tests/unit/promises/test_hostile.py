"""Contract 7, 14 and 15: user code that does its worst, in every place where it is called."""

from __future__ import annotations

import asyncio
import threading
import traceback

import pytest
from ways import Flaky, run_async

from retrying_elegant import Policy, TryAgain, given_up, retry

HOOKS = ("before_attempt", "on_retry", "on_success", "on_give_up")
# What each callable of a policy has to answer for a retry to follow a failure, and a success to
# be one.
ANSWERS = {"on": True, "unless": False, "until": True, "wait": 1, **dict.fromkeys(HOOKS)}
every_place = pytest.mark.parametrize("place", [name for name in ANSWERS if name != "on_give_up"])


class Lost(Exception):
    """Retried in these tests."""


@every_place
class TestRecursion:
    """Recursion, re-entrance and any number of concurrent callers do not disturb each other."""

    def test_into_the_same_policy(self, way, place):
        """From the place itself, one level down each time, each with attempts of its own."""
        inner = []

        def recurse(about):
            if len(inner) < 3:
                flaky = Flaky([Lost, len(inner)])
                inner.append(flaky)
                assert retry(policy)(flaky)() == flaky.script[1]
            return ANSWERS[place]

        policy = Policy(2, **{place: recurse})
        outer = Flaky([Lost, "value"])
        assert way.run(outer, policy) == "value"
        assert outer.calls == 2
        assert [flaky.calls for flaky in inner] == [2, 2, 2]


class TestCancellation:
    """Cancellation: never swallowed, also during a wait, and no attempt starts after it."""

    @every_place
    def test_by_user_code(self, async_way, place):
        """The task is cancelled from within."""
        flaky = Flaky([Lost, "value"])
        made = []  # the attempts that had been made when it was cancelled

        def cancel(about):
            asyncio.current_task().cancel()
            made.append(flaky.calls)
            return ANSWERS[place]

        async def main():
            task = asyncio.create_task(async_way.start(flaky, **{place: cancel}))
            with pytest.raises(asyncio.CancelledError):
                await task
            assert task.cancelled()

        run_async(main())
        assert flaky.calls == made[0]

    @pytest.mark.parametrize("kind", [KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
    @pytest.mark.parametrize("place", ANSWERS)
    def test_by_what_user_code_raises(self, way, place, kind):
        """Control flow passes through hooks and predicates as it does through attempts."""
        error = kind()
        asked = []

        def interrupt(about):
            asked.append(about)
            raise error

        flaky = Flaky([Lost] if place == "on_give_up" else [Lost, "value"])
        with pytest.raises(kind) as caught:
            way.run(flaky, 2, **{place: interrupt})
        assert caught.value is error
        assert len(asked) == 1


READ_ONLY = ("number", "name", "args", "kwargs", "error", "succeeded", "waited", "next_wait")
READ_ONLY += ("hint", "elapsed", "remaining", "timeout")


class TestMutation:
    """An attempt is read-only; a hook that tries its hand at it does not change what happens."""

    @pytest.mark.parametrize("hook", HOOKS)
    def test_nothing_can_be_set(self, way, hook):
        """Each refused, and the call goes on."""
        refused = set()

        def meddle(attempt):
            for name in READ_ONLY:
                try:
                    setattr(attempt, name, None)
                except AttributeError:
                    refused.add(name)

        error = Lost()
        flaky = Flaky([error, error if hook == "on_give_up" else "value"])
        try:
            assert way.run(flaky, 2, **{hook: meddle}) == "value"
        except Lost as left:
            assert left is error
        assert flaky.calls == 2
        assert refused == {*READ_ONLY}

    def test_arguments_stay_those_of_the_call(self):
        """Whatever a hook does to the mapping of them."""
        seen = []

        def meddle(attempt):
            attempt.kwargs["limit"] = "meddled"

        @retry(2, before_attempt=meddle)
        def fetch(**kwargs):
            seen.append(kwargs)
            raise Lost

        with pytest.raises(Lost):
            fetch(limit=3)
        assert seen == [{"limit": 3}] * 2

    def test_the_empty_arguments_of_loops_stay_empty(self, loop_way):
        """Those of every other loop above all."""
        mappings = []

        def meddle(attempt):
            mappings.append(attempt.kwargs)
            attempt.kwargs["limit"] = "meddled"

        try:
            loop_way.run(Flaky(["value"]), on_success=meddle)
            loop_way.run(
                Flaky(["value"]), on_success=lambda attempt: mappings.append(attempt.kwargs)
            )
            assert mappings == [{}, {}]
        finally:
            getattr(mappings[0], "clear", dict)()

    def test_an_error_that_is_stripped(self, way):
        """Of its traceback, its arguments and its notes: it leaves all the same."""

        def strip(attempt):
            attempt.error.__traceback__ = None
            attempt.error.args = ()
            attempt.error.__notes__ = None

        error = Lost("text")
        flaky = Flaky([error])
        with pytest.raises(Lost) as caught:
            way.run(flaky, 3, on_retry=strip, on_give_up=strip)
        assert caught.value is error
        assert flaky.calls == 3

    @pytest.mark.parametrize("place", ["on", "unless", "wait"])
    def test_a_predicate_that_raises_what_it_was_asked_about(self, way, place):
        """The error leaves, with nothing chained to it."""
        error = Lost()

        def throw(about):
            raise error

        flaky = Flaky([error, "value"])
        with pytest.raises(Lost) as caught:
            way.run(flaky, **{place: throw})
        assert caught.value is error
        assert (error.__context__, error.__cause__) == (None, None)
        assert flaky.calls == 1


class Undecided(Exception):
    """Raised by what has no truth value."""


class Hostile:
    """An object that can be passed on, and nothing else."""

    def refuse(self, *args):
        raise Undecided

    __bool__ = __eq__ = __len__ = __repr__ = __str__ = __iter__ = __reduce_ex__ = refuse
    __hash__ = refuse


class TestValues:
    """Results and arguments are the user's: they are passed on, never logged, never looked into."""

    def test_a_hostile_result(self, way):
        """It is given back as it is."""
        value = Hostile()
        assert way.run(Flaky([Lost, value])) is value

    def test_a_hostile_result_with_a_predicate_on_it(self, way):
        """Which answers; the result of a refused attempt is no more looked into."""
        value = Hostile()
        answers = iter([False, True])
        assert way.run(Flaky([value]), until=lambda result: next(answers)) is value

    def test_a_hostile_answer_of_until(self, way):
        """A predicate that returns what it may not: that raises from there."""
        flaky = Flaky([Hostile()])
        with pytest.raises(Undecided):
            way.run(flaky, until=lambda result: result)
        assert flaky.calls == 1

    @pytest.mark.parametrize("place", ["on", "unless"])
    def test_a_hostile_answer_of_a_filter(self, way, place):
        """With the attempt's error as `__context__`."""
        error = Lost()
        flaky = Flaky([error])
        with pytest.raises(Undecided) as caught:
            way.run(flaky, **{place: lambda error: Hostile()})
        assert caught.value.__context__ is error
        assert flaky.calls == 1

    @pytest.mark.parametrize("make", [Hostile, threading.Lock, lambda: (n for n in "ab")])
    def test_arguments_of_any_kind(self, make, caplog):
        """Also such as cannot be pickled, compared or shown: each attempt gets the same ones."""
        argument = make()
        seen = []

        @retry(3)
        def keep(*args, **kwargs):
            seen.append((*args, *kwargs.values()))
            raise Lost

        with pytest.raises(Lost) as caught:
            keep(argument, key=argument)
        assert len(seen) == 3
        assert all(each is argument for call in seen for each in call)
        assert given_up(caught.value).attempts == 3


class TestTheSameErrorEachTime:
    """The original exception leaves: same object, its cause and context as the user left them."""

    def frames(self, error):
        return len(traceback.extract_tb(error.__traceback__))

    def test_its_traceback_does_not_grow(self, way):
        """It is that of the last attempt."""
        lengths = []
        for attempts in (2, 50):
            error = Lost()
            with pytest.raises(Lost) as caught:
                way.run(Flaky([error]), attempts)
            assert caught.value is error
            lengths.append(self.frames(error))
        assert lengths[0] == lengths[1]

    def test_nothing_is_chained_to_it(self, way):
        """Least of all itself."""
        error = Lost()
        for _ in range(3):
            with pytest.raises(Lost):
                way.run(Flaky([error]), 4, name="same")
        assert (error.__context__, error.__cause__) == (None, None)
        assert len(error.__notes__) == 1

    def test_errors_that_are_chained_in_a_circle(self, way):
        """Are let go of, and do not make it run in one."""
        first, second = Lost(), Lost()
        first.__cause__, second.__context__ = second, first
        flaky = Flaky([first, second, "value"])
        assert way.run(flaky) == "value"
        assert flaky.calls == 3

    def test_try_again(self, way, waits):
        """The same request, with its hint each time."""
        again = TryAgain(after=2)
        flaky = Flaky([again])
        with pytest.raises(TryAgain) as caught:
            way.run(flaky, 4, on=(), wait=0)
        assert caught.value is again
        assert waits == [2, 2, 2]
