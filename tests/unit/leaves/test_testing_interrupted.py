"""Contract 10 and 11: handlers, finalizers and threads may turn any switch at any moment."""

from __future__ import annotations

from functools import partial
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interruption_parts import before_call, codes_of, in_turns, interrupted
from testing_parts import calls_of
from ways import Flaky

from retrying_elegant import _clock, _decision, retry, testing
from retrying_elegant._atomic import Cell

CODES = codes_of(
    Cell.newest,
    Cell.replace,
    testing._change,
    testing._JumpingClock.sleep,
    testing._JumpingClock.advance,
)


def in_force():
    """Whether the library has a virtual clock, and its limit of attempts."""
    return _clock.time is not _clock.real, _decision.ceiling


class Entered:
    """Switches that were turned on, and are off again afterwards."""

    def __init__(self):
        self.switches = []

    def turn_on(self, switch):
        switch.__enter__()
        self.switches.append(switch)

    def turn_off(self):
        self.switches.pop().__exit__(None, None, None)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        while self.switches:
            self.turn_off()


SWITCHES = {"instant": testing.instant, "off": testing.off, "limit": lambda: testing.limit(3)}


class TestInterrupted:
    """A switch that is turned in the middle of turning another."""

    @pytest.mark.parametrize("inner", SWITCHES)
    @pytest.mark.parametrize("outer", SWITCHES)
    @pytest.mark.parametrize("leave", [False, True], ids=["entered", "left"])
    def test_at_every_instruction(self, own_waits, outer, inner, leave):
        """Both hold afterwards, and neither once they are off."""
        before = in_force()
        with SWITCHES[outer](), SWITCHES[inner]():
            both = in_force()
        with SWITCHES[inner]():
            inner_alone = in_force()
        for place in range(1000):
            with Entered() as entered:
                if leave:
                    entered.turn_on(SWITCHES[outer]())
                outer_one, inner_one = SWITCHES[outer](), SWITCHES[inner]()
                interrupted(
                    CODES,
                    entered.turn_off if leave else lambda: entered.turn_on(outer_one),  # noqa: B023 - in this iteration
                    lambda: entered.turn_on(inner_one),  # noqa: B023 - in this iteration
                    [place],
                )
                done = inner_one in entered.switches
                if done:
                    assert in_force() == (inner_alone if leave else both)
            assert in_force() == before
            if not done:
                break
        assert 20 < place < 1000

    @pytest.mark.parametrize("inner", SWITCHES)
    @pytest.mark.parametrize("outer", SWITCHES)
    def test_before_every_step(self, own_waits, outer, inner):
        """The same, without the help of a tracer."""
        before = in_force()
        with SWITCHES[outer](), SWITCHES[inner]():
            both = in_force()
        steps = {"newest": Cell.newest, "replace": Cell.replace}
        for number in range(20):
            with Entered() as entered:
                turn_on = partial(entered.turn_on, SWITCHES[inner]())
                with before_call(steps, Cell, number, turn_on):
                    entered.turn_on(SWITCHES[outer]())
                if len(entered.switches) == 1:
                    break
                assert in_force() == both
            assert in_force() == before
        assert 3 < number < 20

    def test_a_wait_before_every_step_of_a_wait(self, instant):
        """Both count."""
        steps = {"newest": Cell.newest, "replace": Cell.replace}
        for number in range(9):
            before = _clock.time.monotonic()
            instant.waits.clear()
            with before_call(steps, Cell, number, lambda: _clock.time.sleep(500)):
                _clock.time.sleep(1000)
            if len(instant.waits) == 1:
                break
            assert round(_clock.time.monotonic() - before, -2) == 1500
        assert 2 < number < 9

    def test_a_wait_in_the_middle_of_a_wait(self, instant):
        """The clock jumps by both, and both are listed."""
        for place in range(1000):
            before = _clock.time.monotonic()
            instant.waits.clear()
            interrupted(
                CODES,
                lambda: _clock.time.sleep(1000),
                lambda: _clock.time.sleep(500),
                [place],
            )
            jump = _clock.time.monotonic() - before
            if len(instant.waits) == 1:
                break
            assert sorted(instant.waits) == [500, 1000]
            assert round(jump, -2) == 1500
        assert 10 < place < 1000

    def test_a_retry_in_the_middle_of_anything(self, own_waits):
        """A handler that waits while another switch is being turned."""

        def handler():
            with testing.instant():
                retry(wait=9)(Flaky([OSError, "value"]))()

        for place in range(1000):
            called = []
            with Entered() as entered:
                interrupted(
                    CODES,
                    lambda: entered.turn_on(testing.instant()),
                    lambda: called.append(handler()),  # noqa: B023 - in this iteration
                    [place],
                )
                assert in_force() == (True, None)
            assert in_force() == (False, None)
            if not called:
                break
        assert 20 < place < 1000


class TestSideBySide:
    """Threads that turn switches, one instruction at a time."""

    @pytest.mark.slow
    @given(
        names=st.lists(st.sampled_from(sorted(SWITCHES)), min_size=2, max_size=3),
        turns=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 150)), max_size=8),
    )
    def test_in_any_order(self, names, turns):
        """What is in force in the end is what holds inside all of them."""
        switches = [SWITCHES[name]() for name in names]
        before = in_force()
        numbers = {"off": 1, "limit": 3}
        limits = [numbers[name] for name in names if name in numbers]
        expected = ("instant" in names or before[0], min(limits, default=None))
        order = list(chain.from_iterable(repeat(*turn) for turn in turns))
        try:
            in_turns(CODES, [switch.__enter__ for switch in switches], iter(order))
            assert in_force() == expected
        finally:
            leave = [lambda each=each: each.__exit__(None, None, None) for each in switches]
            in_turns(CODES, leave, iter(order))
        assert in_force() == before


class TestTheSwitchesWork:
    """So that the tests above do not pass for want of an effect."""

    def test_off_after_an_interruption(self, sync_way):
        """One attempt."""
        with Entered() as entered:
            interrupted(
                CODES,
                lambda: entered.turn_on(testing.limit(4)),
                lambda: entered.turn_on(testing.off()),
                [30],
            )
            assert len(entered.switches) == 2
            assert calls_of(sync_way) == 1
        assert calls_of(sync_way) == 5
