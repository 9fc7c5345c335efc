"""Contract 2 and 8 as laws: how often, when and for how long, whatever the clock does."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from laws_parts import Lost

from retrying_elegant import RetryBudget, TryAgain, backoff, given_up

shares = st.sampled_from([0.0, 0.5, 1.0])
seconds = st.floats(0.01, 20)
backoffs = st.one_of(
    st.builds(backoff.constant, seconds, jitter=shares),
    st.builds(backoff.linear, seconds, seconds, cap=seconds, jitter=shares),
    st.builds(backoff.exponential, seconds, st.floats(0.5, 4), cap=seconds, jitter=shares),
    st.builds(backoff.fibonacci, seconds, cap=seconds, jitter=shares),
    st.lists(seconds, min_size=1, max_size=3).map(lambda waits: backoff.sequence(*waits)),
    st.builds(backoff.decorrelated, seconds, seconds),
)


class Told:
    """What hooks were told of one call that failed for ever."""

    def __init__(self, way, attempts, takes=(), advance=None, **options):
        """Let each attempt take its time, by *advance*, and then fail."""
        self.starts, self.waits, self.slept = [], [], []
        durations = itertools.chain(takes, itertools.repeat(0))

        def risky():
            if advance is not None:
                advance(next(durations))
            raise Lost

        def begin(attempt):
            self.starts.append(attempt.elapsed)
            self.slept.append(attempt.waited)

        with pytest.raises((Lost, TimeoutError)) as caught:  # a block may be too late to call
            way.run(
                risky,
                attempts,
                before_attempt=begin,
                on_retry=lambda attempt: self.waits.append(attempt.next_wait),
                **options,
            )
        self.record = given_up(caught.value)
        self.attempts = len(self.starts)


class TestBounds:
    """`.bounds(n) -> (low, high)` gives the least and greatest wait before retry n."""

    @given(backoffs, st.integers(1, 9), st.none() | st.integers(0, 5))
    def test_every_wait_is_within_them(self, some_way, waits, rule, attempts, hint):
        """A hint is added to the wait of the backoff; what was decided is what is slept."""
        del waits[:]

        def on(error):
            return True if hint is None else TryAgain(after=hint)

        # The previous wait of `decorrelated` is what was waited, hint included.
        assume(hint is None or not isinstance(rule, backoff.decorrelated))
        told = Told(some_way, attempts, wait=rule, on=on)
        assert told.attempts == attempts
        assert told.waits == told.slept[1:] == waits
        for number, wait in enumerate(told.waits, 1):
            low, high = rule.bounds(number)
            assert low <= wait - (hint or 0) + 1e-9
            assert wait - (hint or 0) <= high + 1e-9


class TestLimits:
    """`attempts`: most calls in total. `timeout`: the next attempt must start within it."""

    @given(backoffs, st.none() | st.integers(1, 9), st.floats(1, 60), st.lists(st.floats(0, 9)))
    def test_no_attempt_is_too_many_or_too_late(
        self, some_way, clock, rule, attempts, timeout, takes
    ):
        """However long attempts and waits are; and the record says which it was."""
        if attempts is None:
            rule = backoff.constant(max(rule.bounds(1)[1], 0.5))  # some wait, so that it ends
        told = Told(some_way, attempts, takes, clock.tick, wait=rule, timeout=timeout)
        assert all(start < timeout for start in told.starts)
        assert told.attempts <= (attempts or math.inf)
        assert told.record.attempts == told.attempts
        assert told.record.reason == ("attempts" if told.attempts == attempts else "timeout")
        assert len(told.waits) == told.attempts - 1


def frozen(patch, data):
    """Says the same for ever."""
    patch.setattr("time.monotonic", lambda: 1000.0)
    return lambda seconds: None


def jumping(patch, data):
    """Is set forward and back, time and again."""
    jumps = iter(data.draw(st.lists(st.integers(-90, 9), max_size=30)))
    now = [1000.0]

    def monotonic():
        now[0] += next(jumps, 0)
        return now[0]

    patch.setattr("time.monotonic", monotonic)
    return lambda seconds: None


def still_while_sleeping(patch, data):
    """Moves while attempts run, and in no wait."""
    now = [1000.0]
    patch.setattr("time.monotonic", lambda: now[0])

    def advance(seconds):
        now[0] += seconds

    return advance


class TestTermination:
    """A frozen or broken clock cannot make a loop with positive waits endless."""

    def tell(self, way, own_waits, data, attempts, **options):
        clock = data.draw(st.sampled_from([frozen, jumping, still_while_sleeping]))
        takes = data.draw(st.lists(st.integers(0, 9), max_size=5))
        with own_waits.context() as patch:
            advance = clock(patch, data)
            return Told(way, attempts, takes, advance, **options)

    @given(st.data(), st.integers(1, 30), st.integers(1, 9))
    def test_by_the_timeout(self, some_way, own_waits, data, timeout, wait):
        """As many attempts as waits fit into it, and one more, at the most."""
        told = self.tell(some_way, own_waits, data, None, wait=wait, timeout=timeout)
        assert told.attempts <= math.ceil(timeout / wait)
        assert told.record.reason == "timeout"

    @given(st.data(), st.integers(1, 9), st.integers(0, 9))
    def test_by_the_attempts(self, some_way, own_waits, data, attempts, wait):
        """Exactly as many, also with no wait between them."""
        told = self.tell(some_way, own_waits, data, attempts, wait=wait)
        assert told.attempts == attempts

    @given(st.data(), st.integers(1, 9), st.integers(0, 9))
    def test_by_the_budget(self, some_way, own_waits, data, tokens, wait):
        """One retry for each token."""
        told = self.tell(some_way, own_waits, data, None, wait=wait, budget=RetryBudget(tokens, 0))
        assert told.attempts == tokens + 1
        assert told.record.reason == "budget"
