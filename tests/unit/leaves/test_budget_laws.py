"""Section 10 of the contract: what holds for a RetryBudget under any history or interleaving."""

import asyncio
import sys
import threading
import time

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from ways import WAYS, Flaky, run_async

from retrying_elegant import RetryBudget, given_up, retry

SYNC_WAYS = [way for way in WAYS if way.colour == "sync"]


class Target(RuleBasedStateMachine):
    """One target, called in every sync form; the model counts in whole thousandths."""

    @initialize(capacity=st.integers(1, 5), refill=st.integers(1, 1000))
    def start_full(self, capacity, refill):
        self.budget = RetryBudget(capacity, refill / 1000)
        self.capacity, self.refill = capacity * 1000, refill
        self.tokens = self.capacity
        self.retries = self.successes = 0

    def outcome(self, failures, attempts):
        """What a call that would fail *failures* times gives by the contract, and its calls."""
        for call in range(1, failures + 1):
            if call == attempts:
                return "attempts", call
            if self.tokens < 1000:
                return "budget", call
            self.tokens -= 1000
        self.tokens = min(self.capacity, self.tokens + self.refill)
        return "value", failures + 1

    @rule(
        way=st.sampled_from(SYNC_WAYS),
        failures=st.integers(0, 7),
        attempts=st.none() | st.integers(1, 6),
    )
    def call(self, way, failures, attempts):
        expected = self.outcome(failures, attempts)
        script = Flaky([OSError] * failures + ["value"])
        try:
            got = way.run(script, attempts, wait=0, budget=self.budget)
            self.successes += 1
        except OSError as error:
            got = given_up(error).reason
        assert (got, script.calls) == expected
        self.retries += script.calls - 1

    @rule(way=st.sampled_from(SYNC_WAYS))
    def call_in_vain(self, way):
        """An error that is not retryable neither costs nor earns anything."""
        with pytest.raises(KeyError):
            way.run(Flaky([KeyError]), on=OSError, wait=0, budget=self.budget)

    @invariant()
    def tokens_are_exact(self):
        assert self.budget.tokens == self.tokens / 1000
        assert 0 <= self.budget.tokens <= self.capacity / 1000

    @invariant()
    def retries_are_paid_for(self):
        assert self.retries * 1000 <= self.capacity + self.refill * self.successes


class TestAnyHistory:
    """Invariant: retries <= capacity + refill * successes, under any interleaving."""

    def test_of_calls(self):
        """Successes, failures and errors that are not retryable, in any order and form."""
        run_state_machine_as_test(Target)


class TestNoDrift:
    """Held in whole thousandths of a token (no float drift)."""

    @pytest.mark.parametrize("thousandths", [1, 7, 57, 100])
    def test_over_a_thousand_successes(self, thousandths):
        """Each step is exact, where adding up floats would have drifted."""
        budget = RetryBudget(200, thousandths / 1000)
        with pytest.raises(OSError, match="down"):
            retry(191, wait=0, budget=budget)(Flaky([OSError("down")]))()
        succeed = retry(budget=budget)(Flaky(["value"]))
        off = []
        for step in range(1, 1_001):
            succeed()
            exact = min(200_000, 10_000 + step * thousandths) / 1000
            off += [(step, budget.tokens)] * (budget.tokens != exact)
        assert off == []

    def test_in_both_directions(self):
        """A thousand calls, of which each tenth spends one and each earns a tenth."""
        budget = RetryBudget(100)
        for _ in range(100):
            retry(wait=0, budget=budget)(Flaky([OSError, "value"]))()
            for _ in range(9):
                retry(wait=0, budget=budget)(Flaky(["value"]))()
        assert budget.tokens == 100


def in_threads(work, count=8):
    """Run *work* in *count* threads that start together; its results, or the first error."""
    barrier = threading.Barrier(count)
    results, errors = [], []

    def run():
        barrier.wait(timeout=60)
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [thread for thread in threads if thread.is_alive()] == []
    assert errors == []
    return results


def calls_until_given_up(budget):
    """How often a call that always fails is called."""
    script = Flaky([OSError("down")])
    with pytest.raises(OSError, match="down") as raised:
        retry(None, wait=0, budget=budget)(script)()
    assert given_up(raised.value).reason == "budget"
    return script.calls


class TestShared:
    """A token bucket for one target, shared by threads and tasks."""

    def test_threads_that_only_fail_spend_each_token_once(self):
        """Eight threads, a thousand tokens: a thousand retries in all, and none twice."""
        budget = RetryBudget(1_000)
        calls = in_threads(lambda: calls_until_given_up(budget))
        assert sum(calls) - len(calls) == 1_000
        assert budget.tokens == 0

    def test_threads_that_fail_and_succeed_lose_nothing(self):
        """Far from both ends, every token taken and every tenth added is found again."""
        budget = RetryBudget(1_000)

        def work():
            for _ in range(100):
                retry(2, wait=0, budget=budget)(Flaky([OSError, "value"]))()
                retry(2, wait=0, budget=budget)(Flaky(["value"]))()

        # Below full from the start, so that no refill is cut off by the capacity.
        with pytest.raises(OSError, match="down"):
            retry(101, wait=0, budget=budget)(Flaky([OSError("down")]))()
        in_threads(work)
        assert budget.tokens == 900 - 8 * 100 + 8 * 200 / 10

    def test_threads_at_the_end_of_their_tokens_keep_the_invariant(self):
        """With the bucket empty most of the time, no retry is made that was not paid for."""
        budget = RetryBudget(2, 0.5)

        def work():
            retries = successes = 0
            for _ in range(100):
                script = Flaky([OSError, OSError, "value"])
                try:
                    retry(wait=0, budget=budget)(script)()
                    successes += 1
                except OSError:
                    retry(budget=budget)(Flaky(["value"]))()
                    successes += 1
                retries += script.calls - 1
            return retries, successes

        results = in_threads(work)
        retries = sum(retries for retries, _ in results)
        successes = sum(successes for _, successes in results)
        assert successes == 800
        assert retries <= 2 + 0.5 * successes
        assert 0 <= budget.tokens <= 2

    def test_tasks_that_only_fail_spend_each_token_once(self, async_way):
        """Fifty tasks, ten tokens: ten retries in all."""
        budget = RetryBudget(10)
        scripts = [Flaky([OSError]) for _ in range(50)]

        async def main():
            calls = [async_way.start(s, None, wait=1, budget=budget) for s in scripts]
            return await asyncio.gather(*calls, return_exceptions=True)

        assert {given_up(error).reason for error in run_async(main())} == {"budget"}
        assert sum(script.calls for script in scripts) == 50 + 10
        assert budget.tokens == 0

    @pytest.mark.slow
    def test_threads_for_two_seconds(self):
        """As many switches between threads as can be had, and the tokens looked at meanwhile."""
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        budget = RetryBudget(5, 0.5)
        until = time.perf_counter() + 2

        def work():
            retries = successes = 0
            seen = set()
            while time.perf_counter() < until:
                script = Flaky([OSError, "value"])
                try:
                    retry(2, wait=0, budget=budget)(script)()
                except OSError:
                    pass
                else:
                    successes += 1
                retries += script.calls - 1
                retry(budget=budget)(Flaky(["value"]))()
                successes += 1
                seen.add(budget.tokens)
            return retries, successes, seen

        try:
            results = in_threads(work)
        finally:
            sys.setswitchinterval(interval)
        retries, successes = (sum(result[i] for result in results) for i in (0, 1))
        seen = set().union(*(result[2] for result in results))
        assert successes > 8
        assert retries <= 5 + 0.5 * successes
        assert min(seen) >= 0
        assert max(seen) <= 5
