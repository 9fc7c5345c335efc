"""Section 11 of the contract: testing.instant, testing.off and testing.limit."""

import asyncio
import contextlib
from contextlib import ExitStack
from datetime import timedelta

import pytest
from testing_parts import calls_of, every_exit, run_inside
from ways import Flaky, run_async

from retrying_elegant import given_up, retry, testing, web


class TestInstant:
    """Inside, waits return at once, and the object it gives lists them (`.waits`)."""

    def test_it_lists_the_waits(self, way):
        """In seconds, in order."""
        with testing.instant() as instant:
            way.run(Flaky([OSError, OSError, "value"]), wait=[1, 3600])
        assert instant.waits == [1, 3600]

    def test_it_starts_with_an_empty_list(self):
        """Before the first wait."""
        with testing.instant() as instant:
            assert instant.waits == []

    def test_no_sleep_is_called(self, sync_way, own_waits):
        """Nothing sleeps inside."""
        slept = []
        own_waits.setattr("time.sleep", slept.append)
        with testing.instant():
            sync_way.run(Flaky([OSError, "value"]), wait=5)
        assert slept == []

    @every_exit
    def test_it_is_over_after_any_exit(self, sync_way, own_waits, leave):
        """Afterwards the library sleeps again, and the list stays as it was."""
        slept = []
        own_waits.setattr("time.sleep", slept.append)
        with contextlib.suppress(LookupError, KeyboardInterrupt), testing.instant() as instant:
            sync_way.run(Flaky([OSError, "value"]), wait=5)
            leave()
        sync_way.run(Flaky([OSError, "value"]), wait=7)
        assert slept == [7]
        assert instant.waits == [5]

    def test_it_is_over_in_async_forms_too(self, async_way, own_waits):
        """Outside, the event loop's clock goes on by the wait; inside, it does not."""
        passed = []

        async def main():
            loop = asyncio.get_running_loop()
            with testing.instant():
                start = loop.time()
                await async_way.start(Flaky([OSError, "value"]), wait=3600)
                passed.append(loop.time() - start)
            start = loop.time()
            await async_way.start(Flaky([OSError, "value"]), wait=3600)
            passed.append(loop.time() - start)

        run_async(main())
        assert passed[0] < 3600 <= passed[1]

    def test_it_nests(self, way):
        """The inner one lists what is waited inside it; the outer one goes on afterwards."""
        with testing.instant() as outer:
            with testing.instant() as inner:
                way.run(Flaky([OSError, "value"]), wait=1)
            way.run(Flaky([OSError, "value"]), wait=2)
        assert inner.waits == [1]
        assert outer.waits[-1] == 2

    def test_entered_twice(self, way):
        """One object lists each wait once, until it is left as often as it was entered."""
        instant = testing.instant()
        with instant:
            with instant:
                way.run(Flaky([OSError, "value"]), wait=1)
            way.run(Flaky([OSError, "value"]), wait=2)
        way.run(Flaky([OSError, "value"]), wait=3)
        assert instant.waits == [1, 2]

    def test_left_without_being_entered(self):
        """It is an error, and nobody else's switch is turned."""
        with pytest.raises(ValueError, match="empty"):
            testing.instant().__exit__(None, None, None)


class TestTheClock:
    """The library's clock jumps forward by each wait."""

    def test_elapsed_counts_the_skipped_waits(self, way):
        """As if they had been waited."""
        elapsed = []
        way.run(
            Flaky([OSError, OSError, "value"]),
            wait=[1000, 2000],
            before_attempt=lambda attempt: elapsed.append(attempt.elapsed),
        )
        assert [round(seconds, -3) for seconds in elapsed] == [0, 1000, 3000]

    def test_it_jumps_by_exactly_the_wait(self, way, clock):
        """With the real clock standing still, nothing else moves it."""
        elapsed = []
        way.run(
            Flaky([OSError, OSError, "value"]),
            wait=[1, 2],
            before_attempt=lambda attempt: elapsed.append(attempt.elapsed),
        )
        assert elapsed == pytest.approx([0, 1, 3])

    def test_the_timeout_is_held_against_it(self, way, waits):
        """Waits of four seconds in ten: two fit, the third would end past it."""
        script = Flaky([OSError("down")])
        with pytest.raises(OSError, match="down") as raised:
            way.run(script, None, wait=4, timeout=10)
        assert given_up(raised.value).reason == "timeout"
        assert script.calls == 3
        assert waits == [4, 4]

    def test_remaining_shrinks_with_it(self, way, clock):
        """What is left of the timeout, attempt by attempt."""
        remaining = []
        way.run(
            Flaky([OSError, OSError, "value"]),
            wait=4,
            timeout=10,
            before_attempt=lambda attempt: remaining.append(attempt.remaining),
        )
        assert remaining == pytest.approx([10, 6, 2])


class TestAdvance:
    """`advance(seconds)`: the clock moves forward as if the attempt had taken that long."""

    def test_elapsed_counts_it(self, way, clock, instant):
        """Attempts of ten seconds, waits of one."""
        elapsed = []

        def slow():
            instant.advance(10)
            if len(elapsed) < 3:
                raise OSError("slow")

        way.run(slow, wait=1, before_attempt=lambda attempt: elapsed.append(attempt.elapsed))
        assert elapsed == pytest.approx([0, 11, 22])

    def test_it_is_not_a_wait(self, way, instant):
        """The list holds the waits of the policy, and those alone."""

        def slow():
            instant.advance(10)
            raise OSError("slow")

        with pytest.raises(OSError, match="slow"):
            way.run(slow, 3, wait=1)
        assert instant.waits == [1, 1]

    def test_the_timeout_is_held_against_it(self, way, instant):
        """Two attempts of twenty seconds fit into thirty, for the second begins in time."""
        calls = []

        def slow():
            calls.append(None)
            instant.advance(20)
            raise OSError("slow")

        with pytest.raises(OSError, match="slow") as raised:
            way.run(slow, None, wait=0, timeout=30)
        assert given_up(raised.value).reason == "timeout"
        assert given_up(raised.value).elapsed == pytest.approx(40, abs=5)
        assert len(calls) == 2

    def test_any_of_nested_ones(self, way, clock):
        """They share one clock."""
        elapsed = []
        with testing.instant() as outer, testing.instant() as inner:

            def slow():
                outer.advance(1)
                inner.advance(timedelta(seconds=2))
                if len(elapsed) < 2:
                    raise OSError("slow")

            way.run(slow, wait=0, before_attempt=lambda attempt: elapsed.append(attempt.elapsed))
        assert elapsed == pytest.approx([0, 3])

    @pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
    def test_what_is_not_a_time(self, instant, seconds):
        """Time does not run backward, nor to its end."""
        with pytest.raises(
            ValueError, match=r"seconds=.*: expected a number of seconds, 0 or more"
        ):
            instant.advance(seconds)

    def test_what_is_not_a_number(self, instant):
        """As anywhere else."""
        with pytest.raises(TypeError, match="seconds='10': expected a number of seconds"):
            instant.advance("10")

    def test_outside(self):
        """There is no clock to be moved, whoever else is inside."""
        instant = testing.instant()
        with pytest.raises(RuntimeError, match=r"inside `with testing\.instant"):
            instant.advance(1)
        with instant:
            instant.advance(1)
        with pytest.raises(RuntimeError, match=r"inside `with testing\.instant"):
            instant.advance(1)

    def test_where_nobody_is_inside(self, own_waits):
        """Nor then."""
        with pytest.raises(RuntimeError, match=r"inside `with testing\.instant"):
            testing.instant().advance(1)


class TestFreezegun:
    """freezegun works: monotonic and wall clock are looked up when used."""

    def test_ticks_and_skipped_waits_add_up(self, way, frozen):
        """Attempts of five seconds, waits of one."""
        elapsed = []

        def slow():
            frozen.tick(5)
            if len(elapsed) < 3:
                raise OSError("slow")

        way.run(slow, wait=1, before_attempt=lambda attempt: elapsed.append(attempt.elapsed))
        assert elapsed == pytest.approx([0, 6, 12])

    def test_the_order_of_entering_does_not_matter(self, way, frozen):
        """Here `instant` is entered inside the frozen time, elsewhere outside of it."""
        elapsed = []
        with testing.instant() as instant:
            way.run(
                Flaky([OSError, OSError, "value"]),
                wait=[1, 2],
                before_attempt=lambda attempt: elapsed.append(attempt.elapsed),
            )
        assert elapsed == pytest.approx([0, 1, 3])
        assert instant.waits == [1, 2]

    def test_an_attempt_that_takes_the_whole_timeout_is_the_last(self, way, frozen, waits):
        """The frozen clock is the one the timeout is held against."""

        def slow():
            frozen.tick(10)
            raise OSError("slow")

        with pytest.raises(OSError, match="slow") as raised:
            way.run(slow, wait=1, timeout=10)
        assert given_up(raised.value).reason == "timeout"
        assert waits == []

    def test_without_instant(self, sync_way, own_waits, frozen):
        """The library's own waits, on a clock that the sleep itself moves."""
        own_waits.setattr("time.sleep", frozen.tick)
        elapsed = []
        sync_way.run(
            Flaky([OSError, OSError, "value"]),
            wait=[1, 2],
            before_attempt=lambda attempt: elapsed.append(attempt.elapsed),
        )
        assert elapsed == pytest.approx([0, 1, 3])

    def test_the_wall_clock(self, frozen):
        """A date in Retry-After is held against the frozen date."""
        assert web.retry_after({"Retry-After": "Tue, 01 Jan 2030 00:00:30 GMT"}) == 30


class TestOff:
    """`testing.off()`: every call is a single attempt."""

    def test_one_attempt_and_no_wait(self, way, waits):
        """The error leaves from the first attempt, the same object."""
        error = OSError("down")
        script = Flaky([error, "value"])
        with testing.off(), pytest.raises(OSError, match="down") as raised:
            way.run(script, wait=1)
        assert raised.value is error
        assert script.calls == 1
        assert waits == []

    def test_a_good_call_is_as_good(self, way):
        """A success is untouched."""
        with testing.off():
            assert way.run(Flaky(["value"])) == "value"

    def test_no_limit_is_a_single_attempt_too(self, way):
        """`attempts=None` as well."""
        with testing.off():
            assert calls_of(way, None) == 1

    @every_exit
    def test_it_is_over_after_any_exit(self, way, leave):
        """Afterwards policies are what they say."""
        run_inside(testing.off(), leave)
        assert calls_of(way, 3) == 3


class TestLimit:
    """`testing.limit(n)`: at most n attempts."""

    @pytest.mark.parametrize(("attempts", "calls"), [(1, 1), (2, 2), (3, 3), (5, 3), (None, 3)])
    def test_at_most(self, way, attempts, calls):
        """A policy that allows less keeps its own limit."""
        with testing.limit(3):
            assert calls_of(way, attempts) == calls

    def test_the_call_gives_up_for_want_of_attempts(self, way):
        """Reason "attempts"."""
        with testing.limit(2), pytest.raises(OSError, match="down") as raised:
            way.run(Flaky([OSError("down")]), wait=0)
        assert (given_up(raised.value).reason, given_up(raised.value).attempts) == ("attempts", 2)

    @every_exit
    def test_it_is_over_after_any_exit(self, way, leave):
        """Afterwards policies are what they say."""
        run_inside(testing.limit(2), leave)
        assert calls_of(way, 3) == 3

    @pytest.mark.parametrize("n", [None, "2", 2.0, True, 0, -1])
    def test_what_is_not_a_number_of_attempts(self, n):
        """None, which would be no limit, included, so the message does not offer it."""
        kind = ValueError if type(n) is int else TypeError
        with pytest.raises(kind, match=rf"^n={n!r}: expected an int of 1 or more$"):
            testing.limit(n)

    def test_the_policy_itself_is_not_changed(self):
        """What a function says of its policy stays true."""
        decorated = retry(5)(Flaky(["value"]))
        with testing.limit(2):
            assert decorated.policy.attempts == 5


class TestALimitThatComesLate:
    """`testing.limit` may begin when more attempts have been made than it allows."""

    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_the_next_failure_is_the_last(self, way, limit):
        """There is no way back below it."""
        flaky = Flaky([ConnectionError])

        def risky():
            if flaky.calls == 2:
                limits.enter_context(testing.limit(limit))
            return flaky()

        with ExitStack() as limits, pytest.raises(ConnectionError) as caught:
            way.run(risky, 9, wait=0)
        assert flaky.calls == 3
        assert given_up(caught.value).reason == "attempts"
