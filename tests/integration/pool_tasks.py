"""What worker processes run: they import it by name, under any way of starting a process."""

from __future__ import annotations

import os

from retrying_elegant import Policy, RetryBudget, TryAgain, retry, retrying, web


class Lost(Exception):
    """Retried by the policies here."""


class Answered(Exception):
    """An error with a constructor and attributes of its own."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


SHARED = Policy(3, on=Lost, wait=0, budget=RetryBudget(10), name="shared")


@retry(3, on=Lost, wait=0)
def give_up(text: str) -> None:
    raise Lost(text)


@retry(2, on=Answered, wait=0)
def give_up_answered(code: int) -> None:
    raise Answered(code)


@retry(3, on=Lost, wait=0)
def give_up_with_cause(text: str) -> None:
    try:
        raise ConnectionResetError(text)
    except ConnectionResetError as error:
        raise Lost("behind it") from error


@retry(2, until=bool, wait=0)
def never_accepted(result: object) -> object:
    return result


@retry(2, wait=0)
def always_again(after: float) -> None:
    raise TryAgain("not yet", after=after)


@retry(3, on=Lost, wait=0)
def not_retryable() -> None:
    raise Answered(404)


_failures = 0


@retry(3, on=Lost, wait=0)
def succeed_at_third(value: str) -> tuple[str, int]:
    """Fail twice, whatever else has run in this process; the value, and the process's id."""
    global _failures
    if _failures < 2:
        _failures += 1
        raise Lost
    _failures = 0
    return value, os.getpid()


def fail_plainly() -> None:
    raise Lost("under a policy that was sent")


def run_under(policy: Policy) -> None:
    """Give up under *policy*, which has been sent here, as a loop."""
    for attempt in retrying(policy):
        with attempt:
            fail_plainly()


def use_up_budget(policy: Policy) -> tuple[float, int, float]:
    """Retry under *policy* until its budget is empty: tokens before, calls, tokens after."""
    assert policy.budget is not None
    before, calls = policy.budget.tokens, 0
    for attempt in retrying(policy, attempts=None, raises=False):
        with attempt:
            calls += 1
            raise Lost
    return before, calls, policy.budget.tokens


def policy_of_give_up() -> Policy:
    """What the decorated function here has."""
    return give_up.policy  # type: ignore[attr-defined, no-any-return]


def call(fn: object) -> object:
    """Call a decorated function that has been sent here."""
    assert callable(fn)
    return fn("sent")


NET = Policy(4, on=web.transient, wait=(0.1, 0.2), timeout=20, name="net")
