"""The field `wait` of section 2, and what the backoffs of section 8 are told, through every way."""

import math
import random
from datetime import timedelta

import pytest
from ways import Flaky

from retrying_elegant import (
    Policy,
    RetryError,
    TryAgain,
    backoff,
    given_up,
    retry,
    retrying,
)


class Lost(Exception):
    """Retried in these tests."""


class Busy(Exception):
    """Retried in these tests, too."""


def asked(answers):
    """A wait callable that gives *answers* in turn, and the list of what it was asked about."""
    questions = []

    def rule(attempt):
        questions.append((attempt.number, str(attempt.error), attempt.waited, attempt.next_wait))
        return answers[len(questions) - 1]

    return rule, questions


def hinted(seconds):
    """Two attempts that are told to come again after *seconds*, then a good one."""
    return Flaky([TryAgain(after=seconds), TryAgain(after=seconds), "value"])


class TestForms:
    """Seconds; a non-empty sequence of seconds (the last repeats); or a callable."""

    def test_the_default_is_the_exponential_rule(self, way, waits):
        """`wait=backoff.exponential()`: full jitter of 0.5, 1, 2 and 4 seconds."""
        with pytest.raises(OSError, match="down"):
            way.run(Flaky([OSError("down")]))
        assert len(waits) == 4
        assert all(0 < w <= high for w, high in zip(waits, (0.5, 1, 2, 4), strict=True))

    def test_random_seed_replays_a_whole_call(self, way, waits):
        """Randomness is the `random` module's."""
        for _ in range(2):
            random.seed(20)
            way.run(Flaky([OSError, OSError, OSError, "value"]))
        assert waits[:3] == waits[3:]
        assert len(waits) == 6


class TestCallables:
    """A callable `(Attempt) -> seconds`. Asked only when another attempt is to follow."""

    def test_it_is_asked_about_the_failed_attempt(self, way):
        """The attempt has its number, its error, what was waited; nothing is decided yet."""
        rule, questions = asked([2, 3])
        way.run(Flaky([OSError("a"), OSError("b"), "value"]), wait=rule)
        assert questions == [(1, "a", 0, None), (2, "b", 2, None)]

    def test_each_attempt_is_an_object_of_its_own(self, way):
        """One that is kept stays as it was."""
        seen = []

        def rule(attempt):
            seen.append(attempt)
            return attempt.number

        way.run(Flaky([Lost, Lost, "value"]), wait=rule)
        assert [(attempt.number, attempt.next_wait) for attempt in seen] == [(1, 1), (2, 2)]

    def test_it_is_not_asked_after_a_success(self, way):
        """Nothing follows."""
        rule, questions = asked([])
        assert way.run(Flaky(["value"]), wait=rule) == "value"
        assert questions == []

    def test_it_is_asked_when_a_result_is_not_accepted(self, way, waits):
        """Polling waits by the same rule."""
        script = Flaky(["pending", "pending", "done"])
        value = way.run(script, until=lambda result: result == "done", wait=backoff.sequence(1, 2))
        assert value == "done"
        assert waits == [1, 2]


class TestHints:
    """A hint h is added to the wait of the backoff: never earlier than asked, and still spread."""

    @pytest.mark.parametrize("hint", [2.5, timedelta(seconds=2.5)], ids=repr)
    def test_it_is_added_to_the_wait(self, way, waits, hint):
        """2.5 seconds asked for, and the backoff's own on top."""
        assert way.run(hinted(hint), wait=[1, 2]) == "value"
        assert waits == [3.5, 4.5]

    def test_no_wait_means_exactly_the_hint(self, way, waits):
        """`wait=0` means exactly h."""
        way.run(hinted(2.5), wait=0)
        assert waits == [2.5, 2.5]

    def test_a_predicate_may_give_it(self, way, waits):
        """`on` returning `TryAgain(after=2.5)` also gives a hint."""
        way.run(Flaky([OSError, "value"]), on=lambda error: TryAgain(after=2.5), wait=1)
        assert waits == [3.5]

    def test_it_is_spread_by_jitter(self, way, waits):
        """Two clients that were told the same second do not come in the same second."""
        for _ in range(20):
            way.run(Flaky([TryAgain(after=10), "value"]), wait=backoff.constant(4, jitter=1))
        assert all(10 < w <= 14 for w in waits)
        assert len(set(waits)) == 20

    def test_it_may_exceed_the_cap(self, way, waits):
        """Never earlier than asked: `cap` bounds the backoff, not the other side."""
        way.run(hinted(60), wait=backoff.exponential(1, cap=5, jitter=0))
        assert waits == [61, 62]

    def test_no_hint_adds_nothing(self, way, waits):
        """`raise TryAgain()` waits the backoff's own wait."""
        way.run(Flaky([TryAgain(), "value"]), wait=3)
        assert waits == [3]


class TestDecorrelated:
    """`min(cap, U(initial, 3 * previous wait))`, previous = initial at first."""

    def test_each_wait_starts_from_the_one_before(self, way, waits):
        """The previous wait is what was really waited."""
        with pytest.raises(OSError, match="down"):
            way.run(Flaky([OSError("down")]), 50, wait=backoff.decorrelated(1, cap=1_000))
        before = [1, *waits]
        assert len(waits) == 49
        assert all(1 <= w <= min(1_000, 3 * b) for w, b in zip(waits, before, strict=False))
        assert any(w > 3 for w in waits)

    def test_the_waited_hint_counts_as_waited(self, way, waits):
        """# reading: the previous wait is `attempt.waited`, hint included."""
        random.seed(20)
        for _ in range(30):
            way.run(
                Flaky([TryAgain(after=100), OSError, "value"]),
                wait=backoff.decorrelated(1, cap=1_000),
            )
        assert all(1 <= w <= 3 * 103 for w in waits[1::2])
        assert max(waits[1::2]) > 9


class OwnCall(backoff.exponential):
    """A backoff that is called in its own way."""

    def __call__(self, attempt):
        return 0.25


class OwnRule(backoff.constant):
    """A backoff whose rule is *answer*."""

    answer = 0.0

    def rule(self, n):
        return self.answer


class NotANumber(OwnRule):
    """One that breaks."""

    answer = math.nan


class Negative(OwnRule):
    """Another."""

    answer = -1.0


class TestOwnBackoffs:
    """``wait`` is a callable ``(Attempt) -> seconds``, and a subclass of a backoff is one, too."""

    def test_its_call_is_asked(self, way, waits):
        """Not only the rule that it has inherited."""
        assert way.run(Flaky([ConnectionError, "value"]), wait=OwnCall()) == "value"
        assert waits == [0.25]

    @pytest.mark.parametrize("base", [backoff.constant, backoff.linear, backoff.exponential])
    def test_its_rule_is_asked(self, way, waits, base):
        """Whichever rule it replaces; jitter and cap are those of the base."""

        class Squares(base):
            def rule(self, n):
                return (n + 1.0) ** 2

        class Named(Squares):
            pass

        for kind in (Squares, Named):
            way.run(Flaky([ConnectionError, ConnectionError, "value"]), wait=kind(1, jitter=0))
        assert waits == [4, 9] * 2

    @pytest.mark.parametrize("base", [backoff.constant, backoff.exponential])
    def test_its_class_may_have_other_bases(self, base):
        """And one of these may look at subclasses, and take keywords for them."""
        seen = []

        class Registered:
            def __init_subclass__(cls, **options):
                seen.append(options)

        class Own(base, Registered, tag="own"):
            """Nothing but its bases."""

        assert seen == [{"tag": "own"}]
        assert Own(1, jitter=0).bounds(1) == (1, 1)

    @pytest.mark.parametrize("kind", [NotANumber, Negative])
    def test_its_answer_is_checked(self, way, kind):
        """At run time, as that of any callable, with the attempt's error as the context."""
        with pytest.raises(ValueError, match=r"wait\(\.\.\.\)=") as caught:
            way.run(Flaky([ConnectionError, "value"]), wait=kind(1))
        assert type(caught.value.__context__) is ConnectionError


class TestAWaitThatSaysStop:
    """A wait callable may return `math.inf`: no further attempt, reason "wait"."""

    def test_it_gives_up(self, way, waits):
        """Without waiting, with the attempt's error."""
        ends, error = [], Lost("down")
        with pytest.raises(Lost) as caught:
            way.run(
                Flaky([error]),
                None,
                wait=lambda attempt: 1 if attempt.number < 3 else math.inf,
                on_give_up=lambda attempt: ends.append((attempt.number, attempt.reason)),
            )
        assert caught.value is error
        assert waits == [1, 1]
        assert ends == [(3, "wait")]
        assert given_up(error).reason == "wait"
        assert given_up(error).attempts == 3

    def test_by_kind_of_error(self, way):
        """What stop rules are for: a limit of its own for one kind."""

        def wait(attempt):
            return math.inf if isinstance(attempt.error, Busy) and attempt.number >= 2 else 0

        flaky = Flaky([Lost, Lost, Busy])
        with pytest.raises(Busy):
            way.run(flaky, 10, wait=wait)
        assert flaky.calls == 3

    def test_by_result_and_elapsed(self, way):
        """It sees them all."""
        seen = []

        def wait(attempt):
            seen.append((attempt.number, attempt.error, attempt.result, attempt.hint))
            assert attempt.elapsed >= 0
            return math.inf

        with pytest.raises(RetryError):
            way.run(Flaky(["pending"]), 5, until=lambda r: TryAgain(after=5), wait=wait)
        assert seen == [(1, None, "pending", 5)]

    def test_raises_false(self):
        """Applies."""
        for attempt in retrying(5, wait=lambda attempt: math.inf, raises=False):
            with attempt:
                raise Lost
        assert not attempt.succeeded
        assert (attempt.number, attempt.reason) == (1, "wait")

    def test_fallback(self):
        """Applies."""
        decorated = retry(5, wait=lambda attempt: math.inf, fallback=lambda a: a.reason)
        assert decorated(Flaky([Lost]))() == "wait"

    @pytest.mark.parametrize("wait", [math.inf, (1, math.inf)], ids=str)
    def test_as_a_setting(self, wait):
        """Is a mistake: ValueError."""
        with pytest.raises(ValueError, match=r"^wait"):
            Policy(wait=wait)


class TestLongerThanTheSystemSleeps:
    """`time.sleep` raises OverflowError past some 292 years, which does not end the call."""

    def test_a_sync_wait(self, own_waits):
        """It is cut to 30 years."""
        slept = []

        def sleep(seconds):
            if seconds > 9.2e9:
                raise OverflowError("timestamp too large to convert to C _PyTime_t")
            slept.append(seconds)

        own_waits.setattr("time.sleep", sleep)
        assert retry(3, wait=1e300)(Flaky([OSError, "value"]))() == "value"
        assert slept == [1e9]

    def test_an_overflow_of_something_else(self, own_waits):
        """A signal handler may raise OverflowError too: the wait ends, as by any other error."""
        slept = []

        def sleep(seconds):
            slept.append(seconds)
            raise OverflowError("of a signal handler")

        own_waits.setattr("time.sleep", sleep)
        with pytest.raises(OverflowError, match="of a signal handler") as caught:
            retry(3, wait=60)(Flaky([OSError]))()
        assert given_up(caught.value).reason == "interrupted"
        assert slept == [60]
