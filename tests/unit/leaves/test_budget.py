"""Section 10 of the contract: RetryBudget, a token bucket for one target."""

import asyncio
import pickle

import pytest
from ways import PROTOCOLS, Flaky, run_async

from retrying_elegant import RetryBudget, RetryError, TryAgain, given_up, retry, retrying


def drained(capacity=3, refill=0.1):
    """A budget whose tokens one failing call has spent."""
    budget = RetryBudget(capacity, refill)
    with pytest.raises(OSError, match="draining"):
        retry(None, wait=0, budget=budget)(Flaky([OSError("draining")]))()
    return budget


def interrupt(argument):
    """A sleep, or a hook, during which Ctrl-C is pressed."""
    raise KeyboardInterrupt


class TestSpending:
    """A retry takes one token when it is decided, before the wait."""

    def test_it_starts_full(self):
        """By default with a hundred tokens."""
        assert RetryBudget().tokens == 100
        assert RetryBudget(7).tokens == 7

    def test_first_attempts_are_free(self, way):
        """Whether they succeed or not."""
        budget = RetryBudget(3)
        way.run(Flaky(["value"]), budget=budget)
        with pytest.raises(OSError, match="down"):
            way.run(Flaky([OSError("down")]), 1, budget=budget)
        assert budget.tokens == 3

    def test_each_retry_takes_one(self, way):
        """Three attempts, two retries, two tokens."""
        budget = RetryBudget(10)
        with pytest.raises(OSError, match="down"):
            way.run(Flaky([OSError("down")]), 3, budget=budget)
        assert budget.tokens == 8

    def test_it_is_gone_before_the_wait(self, way):
        """When the retry is announced, its token has been taken."""
        budget = RetryBudget(10)
        seen = []
        way.run(
            Flaky([OSError, OSError, "value"]),
            budget=budget,
            on_retry=lambda attempt: seen.append(budget.tokens),
        )
        assert seen == [9, 8]

    def test_polling_and_try_again_take_tokens_too(self, way):
        """A retry is a retry, whatever asked for it."""
        budget = RetryBudget(10)
        way.run(
            Flaky([TryAgain(), "pending", "done"]),
            until=lambda result: result == "done",
            budget=budget,
        )
        assert budget.tokens == 8.1

    def test_one_budget_serves_many_policies(self, way):
        """Shared by all policies that call one target."""
        budget = RetryBudget(3)
        for attempts, left in ((2, 2), (3, 0)):
            with pytest.raises(OSError, match="down"):
                way.run(Flaky([OSError("down")]), attempts, name=str(attempts), budget=budget)
            assert budget.tokens == left


class TestDecidedLast:
    """Filters, attempts, timeout passed, wait asked, would it end past timeout: then budget."""

    @pytest.mark.parametrize(
        "options",
        [
            {"attempts": 1},
            {"on": ValueError},
            {"unless": OSError},
            {"timeout": 10, "wait": 10},
            {"wait": lambda attempt: 1 / 0},
        ],
        ids=["attempts", "on", "unless", "timeout", "wait raises"],
    )
    def test_what_is_not_retried_costs_nothing(self, way, options):
        """Any earlier reason to stop leaves the bucket as it was."""
        budget = RetryBudget(3)
        with pytest.raises((OSError, ZeroDivisionError)):
            way.run(Flaky([OSError]), budget=budget, **options)
        assert budget.tokens == 3

    def test_the_earlier_reason_is_the_one_given(self, way):
        """An empty bucket is not what ended a call that had no attempts left."""
        with pytest.raises(OSError, match="down") as raised:
            way.run(Flaky([OSError("down")]), 1, budget=drained())
        assert given_up(raised.value).reason == "attempts"


class TestEmpty:
    """With none left the policy gives up at once, reason "budget", and never waits for tokens."""

    def test_the_original_error_leaves_at_once(self, way, waits):
        """One attempt, no wait, the same object, and the reason on record."""
        error, budget = OSError("down"), drained()
        script = Flaky([error, "value"])
        with pytest.raises(OSError, match="down") as raised:
            way.run(script, wait=5, budget=budget)
        assert raised.value is error
        assert (given_up(error).reason, given_up(error).attempts) == ("budget", 1)
        assert script.calls == 1
        assert 5 not in waits

    def test_in_the_middle_of_a_call(self, way, waits):
        """A call that spends the last token gives up after that retry."""
        script = Flaky([OSError("down")])
        with pytest.raises(OSError, match="down") as raised:
            way.run(script, 10, wait=5, budget=RetryBudget(3))
        assert (given_up(raised.value).reason, given_up(raised.value).attempts) == ("budget", 4)
        assert script.calls == 4
        assert waits == [5, 5, 5]

    def test_part_of_a_token_is_not_a_token(self, way):
        """Nine successes of a tenth are not enough for a retry, ten are."""
        budget = drained()
        for _ in range(9):
            way.run(Flaky(["value"]), budget=budget)
        with pytest.raises(OSError, match="down"):
            way.run(Flaky([OSError("down"), "value"]), budget=budget)
        way.run(Flaky(["value"]), budget=budget)
        assert budget.tokens == 1
        assert way.run(Flaky([OSError("down"), "value"]), budget=budget) == "value"

    def test_try_again_obeys_it(self, way):
        """It obeys `attempts`, `timeout` and `budget`: what leaves is the TryAgain itself."""
        asked = TryAgain(after=1)
        with pytest.raises(TryAgain) as raised:
            way.run(Flaky([asked, "value"]), budget=drained())
        assert raised.value is asked
        assert given_up(asked).reason == "budget"

    def test_polling_obeys_it(self, way):
        """There is no error to raise again, so it is a RetryError with the last result."""
        with pytest.raises(RetryError) as raised:
            way.run(Flaky(["pending", "done"]), until="done".__eq__, budget=drained())
        assert raised.value.result == "pending"
        assert given_up(raised.value).reason == "budget"


class TestRefill:
    """Every successful call adds `refill`, up to `capacity`; nothing else adds."""

    @pytest.mark.parametrize("script", [["value"], [OSError, OSError, "value"]], ids=len)
    def test_a_success_adds_refill_once(self, way, script):
        """However many attempts it took."""
        budget = RetryBudget(10, 0.5)
        with pytest.raises(OSError, match="down"):
            way.run(Flaky([OSError("down")]), budget=budget)
        way.run(Flaky(script), budget=budget)
        assert budget.tokens == 6 - (len(script) - 1) + 0.5

    def test_it_is_counted_in_thousandths(self, decorator_way):
        """A retry takes 1; a success that adds 0.999 leaves one of them missing."""
        budget = RetryBudget(5, refill=0.999)
        decorator_way.run(Flaky([OSError, "value"]), budget=budget)
        assert budget.tokens == 4.999

    def test_never_above_capacity(self, way):
        """A full bucket stays full, and a nearly full one only fills up."""
        budget = RetryBudget(2, 0.7)
        way.run(Flaky([OSError, "value"]), budget=budget)
        assert budget.tokens == 1.7
        for _ in range(3):
            way.run(Flaky(["value"]), budget=budget)
            assert budget.tokens == 2

    def test_errors_add_nothing(self, way):
        """Neither the retryable nor the other ones, nor those that are no errors."""
        budget = drained()
        for error in (OSError, KeyError, KeyboardInterrupt):
            with pytest.raises(error):
                way.run(Flaky([error]), on=OSError, budget=budget)
        assert budget.tokens == 0

    def test_a_fallback_adds_nothing(self, decorator_way):
        """The call itself gave up."""
        budget = drained()
        value = decorator_way.run(Flaky([OSError]), budget=budget, fallback=lambda attempt: "stale")
        assert value == "stale"
        assert budget.tokens == 0

    def test_time_adds_nothing(self, way, clock):
        """Tokens come from successes, not from the clock."""
        budget = drained()
        clock.tick(1_000_000)
        with pytest.raises(OSError, match="down"):
            way.run(Flaky([OSError("down"), "value"]), budget=budget)
        assert budget.tokens == 0


class TestInterruptedWaits:
    """A retry whose wait was interrupted (cancelled, Ctrl-C) puts its token back."""

    def test_ctrl_c_during_a_wait(self, sync_way, own_waits):
        """The retry did not happen, so it cost nothing."""
        own_waits.setattr("time.sleep", interrupt)
        budget, script = RetryBudget(3), Flaky([OSError, "value"])
        with pytest.raises(KeyboardInterrupt):
            sync_way.run(script, wait=5, budget=budget)
        assert script.calls == 1
        assert budget.tokens == 3

    def test_only_the_retry_that_was_interrupted_is_free(self, sync_way, own_waits):
        """The one before it did happen."""
        sleeps = iter([lambda seconds: None, interrupt])
        own_waits.setattr("time.sleep", lambda seconds: next(sleeps)(seconds))
        budget, script = RetryBudget(3), Flaky([OSError])
        with pytest.raises(KeyboardInterrupt):
            sync_way.run(script, wait=5, budget=budget)
        assert script.calls == 2
        assert budget.tokens == 2

    def test_cancellation_during_a_wait(self, async_way, own_waits):
        """The token is out while the task waits, and back when the wait is cancelled."""
        budget, script = RetryBudget(3), Flaky([OSError, "value"])
        seen = []

        async def main():
            task = asyncio.ensure_future(async_way.start(script, wait=10, budget=budget))
            loop = asyncio.get_running_loop()
            loop.call_later(4, lambda: seen.append(budget.tokens))
            loop.call_later(5, task.cancel)
            await task

        with pytest.raises(asyncio.CancelledError):
            run_async(main())
        assert seen == [2]
        assert script.calls == 1
        assert budget.tokens == 3

    # reading: from the decision to the next attempt all is wait, the hooks that announce it too.
    def test_ctrl_c_while_the_retry_is_announced(self, sync_way):
        """The wait was never begun, the retry never made."""
        budget, script = RetryBudget(3), Flaky([OSError, "value"])
        with pytest.raises(KeyboardInterrupt):
            sync_way.run(script, budget=budget, on_retry=interrupt)
        assert script.calls == 1
        assert budget.tokens == 3

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    def test_an_interrupted_attempt_is_a_retry_that_happened(self, sync_way, error):
        """Its wait was over, so its token stays spent."""
        budget = RetryBudget(3)
        with pytest.raises(error):
            sync_way.run(Flaky([OSError, error]), budget=budget)
        assert budget.tokens == 2


class TestLeftLoops:
    """A retry that was decided and then not made, because the loop was left, returns its token."""

    @pytest.mark.parametrize("failures", [1, 2])
    def test_left_after_a_failed_attempt(self, failures):
        """By `break`, behind the `with`."""
        budget = RetryBudget(9, 0)
        for attempt in retrying(wait=0, budget=budget):
            with attempt:
                raise OSError
            if attempt.number == failures:
                break
        assert budget.tokens == 9 - (failures - 1)
        assert attempt.next_wait is None

    @pytest.mark.parametrize("failures", [1, 2])
    def test_left_after_a_failed_attempt_of_an_async_loop(self, failures):
        """The same."""
        budget = RetryBudget(9, 0)

        async def main():
            async for attempt in retrying(wait=0, budget=budget):
                async with attempt:
                    raise OSError
                if attempt.number == failures:
                    break

        run_async(main())
        assert budget.tokens == 9 - (failures - 1)

    def test_left_by_an_exception(self):
        """Behind the `with` as well."""
        budget = RetryBudget(9, 0)

        def call():
            for attempt in retrying(wait=0, budget=budget):
                with attempt:
                    raise OSError
                raise KeyError

        with pytest.raises(KeyError):
            call()
        assert budget.tokens == 9

    @pytest.mark.parametrize("failures", [1, 2])
    def test_left_before_the_attempt_is_entered(self, failures):
        """The retry was about to be made, and was not."""
        budget = RetryBudget(9, 0)
        for attempt in retrying(wait=0, budget=budget):
            if attempt.number > failures:
                break
            with attempt:
                raise OSError
        assert budget.tokens == 9 - (failures - 1)

    def test_left_before_the_first_attempt_is_entered(self):
        """It took no token, and returns none that another call took."""
        budget = RetryBudget(9, 0)
        for attempt in retrying(2, wait=0, budget=budget, raises=False):
            with attempt:
                raise OSError
        for _ in retrying(wait=0, budget=budget):
            break
        assert budget.tokens == 8

    def test_left_after_a_healthy_attempt(self, clock):
        """Of a new series (`reset_after`), the second attempt is a retry as well."""
        budget = RetryBudget(9, 0)
        for calls, attempt in enumerate(retrying(wait=0, budget=budget, reset_after=60)):
            if calls == 2:
                break
            with attempt:
                clock.tick(60 * calls)
                raise OSError
        assert budget.tokens == 8

    def test_left_before_the_attempt_of_an_async_loop_is_entered(self):
        """The same."""
        budget = RetryBudget(9, 0)

        async def main():
            async for attempt in retrying(wait=0, budget=budget):
                if attempt.number == 3:
                    break
                async with attempt:
                    raise OSError

        run_async(main())
        assert budget.tokens == 8

    def test_left_with_a_success(self, loop_way):
        """The retries were made, and their tokens stay spent."""
        budget = RetryBudget(9, 0)
        loop_way.run(Flaky([OSError, OSError, "value"]), budget=budget)
        assert budget.tokens == 7

    def test_left_inside_an_attempt(self):
        """So does that of an attempt that has begun."""
        budget = RetryBudget(9, 0)
        for attempt in retrying(wait=0, budget=budget):
            with attempt:
                if attempt.number == 3:
                    break
                raise OSError
        assert budget.tokens == 7

    def test_never_begun(self):
        """Without a retry there is nothing to return."""
        budget = RetryBudget(9, 0)
        for _ in retrying(wait=0, budget=budget):
            break
        assert budget.tokens == 9


class TestIdentity:
    """Equal only to themselves. Pickling one gives a new full bucket of the same size."""

    def test_equal_only_to_itself(self):
        """Two of one size are two; each is one key."""
        one, other = RetryBudget(3, 0.5), RetryBudget(3, 0.5)
        assert one == one
        assert one != other
        assert len({one, other, one}) == 2

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_pickle_gives_a_new_full_one(self, protocol):
        """An empty bucket goes in, a full one with the same capacity and refill comes out."""
        budget = drained(2, 0.25)
        back = pickle.loads(pickle.dumps(budget, protocol))
        assert back != budget
        assert (budget.tokens, back.tokens) == (0, 2)
        retry(wait=0, budget=back)(Flaky([OSError, "value"]))()
        assert (budget.tokens, back.tokens) == (0, 1.25)
        for _ in range(4):
            retry(budget=back)(Flaky(["value"]))()
        assert back.tokens == 2


class TestSizes:
    """A capacity from 1, a refill of 0 or from 0.001 to the capacity, both with three decimals."""

    @pytest.mark.parametrize("capacity", [1, 1.5, 2.125, 100, 1_000_000_000_000])
    def test_capacity(self, capacity):
        """It is what was asked for, and what the bucket starts with."""
        budget = RetryBudget(capacity)
        assert budget.capacity == budget.tokens == capacity

    @pytest.mark.parametrize("refill", [0, 0.001, 0.25, 1, 1.5, 10])
    def test_refill(self, refill):
        """It is what was asked for, and what one success gives back."""
        budget = RetryBudget(10, refill)
        assert budget.refill == refill
        for _ in range(10):
            budget._take()
        budget._earn()
        assert budget.tokens == refill

    def test_rounded_to_thousandths(self):
        """What is left of the third decimal is dropped or made one more."""
        budget = RetryBudget(2.0004, 0.0016)
        assert (budget.capacity, budget.refill) == (2, 0.002)

    def test_the_defaults(self):
        """A hundred retries with no success between them, and one for ten successes."""
        assert (RetryBudget().capacity, RetryBudget().refill) == (100, 0.1)


class TestTheLastToken:
    """`take` says True or False, and no more."""

    def test_the_last_token(self):
        """It is taken; the next is not there, and nothing is owed for having asked."""
        budget = RetryBudget(1, 1)
        assert [budget._take() for _ in range(3)] == [True, False, False]
        assert budget.tokens == 0
        budget._put_back()
        assert budget._take() is True


class TestAFullBudget:
    """A success leaves a full bucket alone."""

    def test_it_earns_nothing(self):
        """Once it is full again, the next success changes nothing."""
        budget = RetryBudget(10, 1)
        budget._take()
        budget._earn()
        before = budget._missing.link
        budget._earn()
        assert budget.tokens == 10
        assert budget._missing.link is before
        assert len(before) == 1
