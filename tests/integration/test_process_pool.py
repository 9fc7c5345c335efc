"""Contracts 6 and 15: what gives up in a worker process arrives in the parent as it left.

Under every way of starting a process.  Worker processes are started once for all tests here.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pool_tasks
import pytest
from pool_tasks import NET, SHARED, Answered, Lost

from retrying_elegant import Policy, RetryBudget, RetryError, TryAgain, given_up, retry

PATIENCE = 60  # seconds, and only where a pool would hang

# A process with threads, as pytest's may be by now, is not to be forked: fork is tested below,
# in a process of its own.
METHODS = [name for name in multiprocessing.get_all_start_methods() if name != "fork"]


class Executor:
    """``concurrent.futures.ProcessPoolExecutor``."""

    def __init__(self, method):
        context = multiprocessing.get_context(method)
        self.pool = ProcessPoolExecutor(1, mp_context=context)

    def run(self, fn, *args):
        return self.pool.submit(fn, *args).result(PATIENCE)

    def map(self, fn, values):
        return list(self.pool.map(fn, values, timeout=PATIENCE))

    def close(self):
        self.pool.shutdown()


class Pool:
    """``multiprocessing.Pool``."""

    def __init__(self, method):
        self.pool = multiprocessing.get_context(method).Pool(1)

    def run(self, fn, *args):
        return self.pool.apply_async(fn, args).get(PATIENCE)

    def map(self, fn, values):
        return self.pool.map_async(fn, values, chunksize=1).get(PATIENCE)

    def close(self):
        self.pool.close()
        self.pool.join()


@pytest.fixture(
    scope="module",
    params=[(kind, method) for kind in (Executor, Pool) for method in METHODS],
    ids=lambda param: f"{param[0].__name__}-{param[1]}",
)
def pool(request):
    """Each kind of pool, with each way of starting its process."""
    kind, method = request.param
    pool = kind(method)
    yield pool
    pool.close()


def failure(pool, fn, *args):
    """The error that *fn* ends with in the pool, as it arrives here."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one it is, the test asserts
        pool.run(fn, *args)
    return caught.value


class TestErrors:
    """An error that a policy gave up on arrives with type, note and record."""

    def test_of_a_decorated_function(self, pool):
        """The function's own exception."""
        error = failure(pool, pool_tasks.give_up, "far away")
        assert type(error) is Lost
        assert error.args == ("far away",)
        record = given_up(error)
        assert (record.name, record.attempts, record.reason) == ("give_up", 3, "attempts")
        assert len(record.history) == 3
        assert all(line.endswith("Lost: far away") for line in record.history)
        assert error.__notes__ == [str(record)]
        assert error.__notes__[0].startswith("retrying_elegant: gave up on give_up after 3 ")

    def test_with_attributes_of_its_own(self, pool):
        """Kept beside the record."""
        error = failure(pool, pool_tasks.give_up_answered, 503)
        assert type(error) is Answered
        assert error.code == 503
        assert given_up(error).attempts == 2

    def test_with_a_cause(self, pool):
        """Causes do not travel (the pools show them as text); the error does."""
        error = failure(pool, pool_tasks.give_up_with_cause, "far away")
        assert type(error) is Lost
        assert given_up(error).attempts == 3
        assert "ConnectionResetError: far away" in str(error.__cause__)

    def test_retry_error(self, pool):
        """With the result that was not accepted."""
        error = failure(pool, pool_tasks.never_accepted, [])
        assert type(error) is RetryError
        assert error.result == []
        assert given_up(error).attempts == 2
        assert given_up(error).history[0].endswith("result not accepted")

    def test_try_again(self, pool):
        """With the hint that it carried."""
        error = failure(pool, pool_tasks.always_again, 0.001)
        assert type(error) is TryAgain
        assert (error.args, error.after) == (("not yet",), 0.001)
        assert given_up(error).attempts == 2
        assert error.__notes__ == [str(given_up(error))]

    def test_what_was_not_retryable_arrives_as_it_was(self, pool):
        """No note, no record."""
        error = failure(pool, pool_tasks.not_retryable)
        assert type(error) is Answered
        assert given_up(error) is None
        assert not hasattr(error, "__notes__")

    def test_it_can_be_sent_on(self, pool):
        """What has arrived pickles again."""
        error = pickle.loads(pickle.dumps(failure(pool, pool_tasks.give_up, "far away")))
        assert given_up(error).attempts == 3

    def test_given_up_as_a_filter_of_the_parent(self, pool):
        """`unless=given_up`: what a worker has retried is not retried again here."""
        calls = []

        def ask():
            calls.append(True)
            pool.run(pool_tasks.give_up, "far away")

        with pytest.raises(Lost):
            retry(5, wait=0, unless=given_up)(ask)()
        assert len(calls) == 1

    def test_of_a_map(self, pool):
        """The pool goes on working after it."""
        with pytest.raises(Lost) as caught:
            pool.map(pool_tasks.give_up, ["a", "b", "c"])
        assert given_up(caught.value).attempts == 3
        assert pool.run(os.getpid) != os.getpid()


class TestDecoratedFunctions:
    """Decorated module-level functions pickle."""

    def test_they_run_in_the_worker(self, pool):
        """And retry there."""
        results = pool.map(pool_tasks.succeed_at_third, ["a", "b", "c"])
        assert [value for value, _ in results] == ["a", "b", "c"]
        assert os.getpid() not in {pid for _, pid in results}

    def test_they_can_be_arguments(self, pool):
        """By name, as any function."""
        value, pid = pool.run(pool_tasks.call, pool_tasks.succeed_at_third)
        assert value == "sent"
        assert pid != os.getpid()

    def test_their_policy_is_there(self, pool):
        """Equal to the one here."""
        assert pool.run(pool_tasks.policy_of_give_up) == pool_tasks.give_up.policy


class TestPolicies:
    """Policies pickle; a pickled budget is a new full bucket of the same size."""

    def test_one_is_obeyed_where_it_is_sent(self, pool):
        """Its name, its attempts, its filters."""
        error = failure(pool, pool_tasks.run_under, SHARED)
        assert type(error) is Lost
        assert (given_up(error).name, given_up(error).attempts) == ("shared", 3)

    def test_it_comes_back_equal(self, pool):
        """Filters, waits and all; where it has no budget, which is equal to itself alone."""
        assert pool.run(Policy.replace, NET) == NET

    def test_the_bucket_is_new_and_full(self, pool):
        """Whatever is left of it here; and what is spent there is not spent here."""
        policy = SHARED.replace(budget=RetryBudget(4, refill=0))
        assert policy.budget._take()
        for _ in range(2):
            assert pool.run(pool_tasks.use_up_budget, policy) == (4, 5, 0)
        assert policy.budget.tokens == 3

    def test_the_reason_is_the_budget(self, pool):
        """When it is empty."""
        policy = Policy(None, on=Lost, wait=0, budget=RetryBudget(2))
        error = failure(pool, pool_tasks.run_under, policy)
        assert (given_up(error).attempts, given_up(error).reason) == (3, "budget")


FORKING = """
import multiprocessing, os
import pool_tasks
from concurrent.futures import ProcessPoolExecutor
from pool_tasks import SHARED, Lost
from retrying_elegant import given_up

context = multiprocessing.get_context("fork")
with ProcessPoolExecutor(1, mp_context=context) as executor:
    for _ in range(2):
        error = executor.submit(pool_tasks.give_up, "far away").exception(30)
        assert type(error) is Lost and given_up(error).attempts == 3, error
        assert error.__notes__ == [str(given_up(error))]
    assert executor.submit(pool_tasks.use_up_budget, SHARED).result(30) == (10, 11, 0)
    value, pid = executor.submit(pool_tasks.succeed_at_third, "a").result(30)
    assert value == "a" and pid != os.getpid()
assert SHARED.budget.tokens == 10

with context.Pool(1) as pool:
    try:
        pool.apply_async(pool_tasks.run_under, (SHARED,)).get(30)
    except Lost as error:
        assert given_up(error).attempts == 3
assert SHARED.budget.tokens == 10
print("as expected")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
class TestFork:
    """A forked process has the policies of its parent as they were; what it spends is its own."""

    def test_both_pools(self):
        """Errors, policies, functions: in a process that has no threads when it forks."""
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", FORKING],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == "as expected\n"
