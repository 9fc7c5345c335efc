"""A Dask cluster of processes: decorated functions and policies in its workers."""

from __future__ import annotations

import os

import pool_tasks
import pytest
from pool_tasks import NET, SHARED, Answered, Lost

from retrying_elegant import Policy, RetryBudget, RetryError, TryAgain, given_up, retry, retrying

distributed = pytest.importorskip(
    "distributed", reason="the package distributed (of Dask) is not installed"
)

PATIENCE = 60  # seconds, and only where a cluster would hang


@pytest.fixture(scope="module")
def client():
    """A client of two workers, each a process with one thread."""
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def failure(future):
    """The error that *future* ends with."""
    error = future.exception(PATIENCE)
    assert error is not None
    return error


class TestErrors:
    """An error that a policy gave up on in a worker arrives with type, note and record."""

    def test_of_a_decorated_function(self, client):
        """The function's own exception."""
        error = failure(client.submit(pool_tasks.give_up, "far away", pure=False))
        assert type(error) is Lost
        assert error.args == ("far away",)
        record = given_up(error)
        assert (record.name, record.attempts, record.reason) == ("give_up", 3, "attempts")
        assert len(record.history) == 3
        assert error.__notes__ == [str(record)]

    def test_raised_by_result(self, client):
        """Where it is raised in the parent, as most people meet it."""
        future = client.submit(pool_tasks.give_up_answered, 503, pure=False)
        with pytest.raises(Answered) as caught:
            future.result(PATIENCE)
        assert caught.value.code == 503
        assert given_up(caught.value).attempts == 2

    def test_retry_error(self, client):
        """With the result that was not accepted."""
        error = failure(client.submit(pool_tasks.never_accepted, [], pure=False))
        assert type(error) is RetryError
        assert error.result == []
        assert given_up(error).attempts == 2

    def test_try_again(self, client):
        """With its hint."""
        error = failure(client.submit(pool_tasks.always_again, 0.001, pure=False))
        assert type(error) is TryAgain
        assert error.after == 0.001
        assert given_up(error).attempts == 2

    def test_what_was_not_retryable_arrives_as_it_was(self, client):
        """No note, no record."""
        error = failure(client.submit(pool_tasks.not_retryable, pure=False))
        assert type(error) is Answered
        assert given_up(error) is None

    def test_given_up_as_a_filter_of_the_parent(self, client):
        """`unless=given_up`: what a worker has retried is not sent again."""
        futures = []

        @retry(5, wait=0, unless=given_up)
        def ask():
            futures.append(client.submit(pool_tasks.give_up, "far away", pure=False))
            return futures[-1].result(PATIENCE)

        with pytest.raises(Lost):
            ask()
        assert len(futures) == 1


class TestFunctions:
    """Decorated functions run in the workers."""

    def test_by_name(self, client):
        """Each worker retries for itself; all results are there."""
        futures = client.map(pool_tasks.succeed_at_third, list("abcdef"), pure=False)
        results = client.gather(futures)
        assert [value for value, _ in results] == list("abcdef")
        assert os.getpid() not in {pid for _, pid in results}

    def test_by_value(self, client):
        """A function decorated in a test, or in a notebook, is sent as a whole."""
        errors = [OSError("flaky"), OSError("flaky")]

        @retry(3, on=OSError, wait=0)
        def fetch(page):
            if errors:
                raise errors.pop()
            return f"page {page}"

        assert client.submit(fetch, 7, pure=False).result(PATIENCE) == "page 7"
        assert len(errors) == 2  # the worker had a copy

    def test_async_by_value(self, client):
        """Coroutine functions run in the workers' own event loop."""
        errors = [OSError("flaky")]

        @retry(3, on=OSError, wait=0.001, attempt_timeout=30)
        async def fetch(page):
            if errors:
                raise errors.pop()
            return f"page {page}"

        assert client.submit(fetch, 7, pure=False).result(PATIENCE) == "page 7"


class TestFutures:
    """Dask's futures can be awaited, and in synchronous code they are values."""

    def test_submit(self, client):
        """`retry(client.submit)` and a block return the future."""
        assert retry(3)(client.submit)(pow, 2, 5).result(PATIENCE) == 32
        with retrying(3) as call:
            assert call(client.submit, pow, 2, 6).result(PATIENCE) == 64


class TestPolicies:
    """One policy is sent to every worker."""

    def test_it_is_obeyed_there(self, client):
        """By a loop in the task."""
        futures = [client.submit(pool_tasks.run_under, SHARED, pure=False) for _ in range(4)]
        for error in map(failure, futures):
            assert type(error) is Lost
            assert (given_up(error).name, given_up(error).attempts) == ("shared", 3)

    def test_it_comes_back_equal(self, client):
        """Filters, waits and all."""
        assert client.submit(Policy.replace, NET, pure=False).result(PATIENCE) == NET

    def test_each_task_has_a_full_bucket(self, client):
        """A budget belongs to one process: what is spent there is not spent here."""
        policy = SHARED.replace(budget=RetryBudget(4, refill=0))
        futures = [client.submit(pool_tasks.use_up_budget, policy, pure=False) for _ in range(3)]
        assert client.gather(futures) == [(4, 5, 0)] * 3
        assert policy.budget.tokens == 4

    def test_around_the_client(self, client):
        """In the parent: a task that fails in the cluster is sent again."""
        for attempt in retrying(3, on=Lost, wait=0):
            with attempt:
                task = pool_tasks.fail_plainly if attempt.number < 3 else os.getpid
                pid = client.submit(task, pure=False).result(PATIENCE)
        assert attempt.number == 3
        assert pid != os.getpid()
