"""Scripts of calls, a clock that they move, and the contract once more, as twenty lines of model.

Durations are whole seconds in these scripts, so that no sum of them is ever rounded.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import strategies as st

from retrying_elegant import Policy, RetryBudget, RetryError, TryAgain, given_up, testing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ways import Way


class Lost(Exception):
    """One kind of failure."""


class Wrong(Exception):
    """Another kind."""


class Halt(BaseException):
    """Control flow."""


class World:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    @contextlib.contextmanager
    def clock(self) -> Iterator[None]:
        """Inside, this is the clock of the process; waits pass at once, and count."""
        with pytest.MonkeyPatch.context() as patch, testing.instant():
            patch.setattr("time.monotonic", self.monotonic)
            yield


class Step(NamedTuple):
    """One attempt: how long it takes (the clock may be set back), what comes of it, and how much
    longer than asked the wait after it will take."""

    takes: int
    outcome: Any
    late: int


class Again(NamedTuple):
    """``raise TryAgain(after=...)``."""

    after: int | None


class Answer(NamedTuple):
    """A result that an ``until`` accepts, or does not."""

    accepted: bool


class Rules(NamedTuple):
    """The settings, in words that the model reads and ``policy`` makes a Policy of.

    Filters are sets of classes.  A *hint* makes of ``on`` a predicate that gives it; ``calls``
    makes of the waits a callable.
    """

    attempts: int | None
    on: frozenset[type[Exception]]
    unless: frozenset[type[Exception]]
    polls: bool
    waits: tuple[int, ...]
    calls: bool
    timeout: int | None
    capacity: int | None
    refill: int
    hint: int | None

    @property
    def full(self) -> int:
        """The thousandths of a token that a full budget holds."""
        return 1000 * (self.capacity or 0)

    def policy(self) -> Policy:
        """The policy that follows these rules; its budget is new."""
        on: Any = tuple(self.on)
        if self.hint is not None:
            on = self._hinting
        return Policy(
            self.attempts,
            on=on,
            unless=tuple(self.unless) or None,
            until=(lambda answer: answer.accepted) if self.polls else None,
            wait=self._wait if self.calls else self.waits,
            timeout=self.timeout,
            budget=self.capacity and RetryBudget(self.capacity, self.refill / 1000),
            name="scripted",
        )

    def _wait(self, attempt: Any) -> int:
        return self.waits[min(attempt.number, len(self.waits)) - 1]

    def _hinting(self, error: Exception) -> Any:
        matches = all(isinstance(leaf, tuple(self.on)) for leaf in leaves(error))
        return TryAgain(after=self.hint) if matches else None


def leaves(error: Any) -> list[Exception]:
    return list(error.exceptions) if isinstance(error, ExceptionGroup) else [error]


def made(outcome: Any) -> Any:
    """What an attempt raises or returns: errors are new ones each time."""
    if isinstance(outcome, Again):
        return TryAgain(after=outcome.after)
    if isinstance(outcome, tuple) and not isinstance(outcome, Answer):
        return ExceptionGroup("several", [kind() for kind in outcome])
    return outcome() if isinstance(outcome, type) else outcome


durations = st.integers(0, 6)
kinds = st.frozensets(st.sampled_from([Lost, Wrong]))
outcomes = st.one_of(
    st.sampled_from([Lost, Wrong, (Lost,), (Lost, Wrong)]),
    st.builds(Again, st.none() | durations),
    st.builds(Answer, st.booleans()),
    st.just(Halt),
)
failures = st.one_of(st.just(Lost), outcomes)  # or most scripts would be over at once
steps = st.builds(Step, st.sampled_from([0, 0, 1, 3, -7, 40]), failures, st.sampled_from([0, 0, 5]))
scripts = st.lists(steps, max_size=6)
calls = st.lists(scripts, min_size=1, max_size=3)
rules = st.builds(
    Rules,
    attempts=st.none() | st.integers(1, 6),
    on=st.just(frozenset([Exception])) | kinds,
    unless=st.just(frozenset()) | kinds,
    polls=st.booleans(),
    waits=st.lists(durations, min_size=1, max_size=4).map(tuple),
    calls=st.booleans(),
    timeout=st.none() | st.integers(1, 30),
    capacity=st.none() | st.integers(1, 3),
    refill=st.integers(1, 1000),
    hint=st.none() | durations,
)


def played(script: list[Step]) -> Iterator[Step]:
    """The steps of *script*, and then a success for ever."""
    return itertools.chain(script, itertools.repeat(Step(0, Answer(accepted=True), 0)))


def model(rules: Rules, script: list[Step], tokens: int) -> tuple[list[Any], int]:
    """What the contract says of one call: its events, its outcome, and the tokens left."""
    events: list[Any] = []
    now = slept = 0
    for number, (takes, outcome, late) in enumerate(played(script), 1):
        events.append(("before", number))
        now += takes
        retryable, hint = True, None
        if outcome is Halt:
            return [*events, Halt], tokens
        if isinstance(outcome, Again):
            hint = outcome.after
        elif not isinstance(outcome, Answer):
            error = made(outcome)
            every = [isinstance(leaf, tuple(rules.on)) for leaf in leaves(error)]
            never = [isinstance(each, tuple(rules.unless)) for each in (error, *leaves(error))]
            whole = isinstance(error, tuple(rules.on)) and rules.hint is None
            retryable, hint = (whole or all(every)) and not any(never), rules.hint
        elif outcome.accepted or not rules.polls:
            tokens = min(tokens + rules.refill, rules.full)
            return [*events, ("success", number), outcome], tokens
        wait = rules.waits[min(number, len(rules.waits)) - 1] + (hint or 0)
        elapsed = max(now, slept)
        in_time = elapsed < (rules.timeout or math.inf)
        if rules.calls and retryable and number != rules.attempts and in_time:
            events.append(("wait", number))
        reason = (
            "not retryable" if not retryable
            else "attempts" if number == rules.attempts
            else "timeout" if rules.timeout and elapsed + wait >= rules.timeout
            else "budget" if rules.capacity and tokens < 1000
            else None
        )  # fmt: skip
        if reason is None:
            events.append(("retry", number, wait))
            tokens -= 1000
            now += wait + late
            slept += wait
            if rules.timeout and max(now, slept) >= rules.timeout:
                reason = "timeout"
                tokens += 1000  # decided, and then not made
        if reason is not None:
            kind = RetryError if isinstance(outcome, Answer) else type(made(outcome))
            recorded = None if (number, reason) == (1, "not retryable") else (reason, number)
            return [*events, ("give up", number), (kind, recorded)], tokens
    raise AssertionError


def observed(
    way: Way, policy: Policy, script: list[Step], world: World, **options: Any
) -> list[Any]:
    """The events and the outcome of one call that plays *script*."""
    events: list[Any] = []
    play = played(script)
    late = 0

    def risky() -> Any:
        nonlocal late
        takes, outcome, late = next(play)
        world.now += takes
        outcome = made(outcome)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def on_retry(attempt: Any) -> None:
        events.append(("retry", attempt.number, attempt.next_wait))
        world.now += late

    def hook(name: str) -> Any:
        return lambda attempt: events.append((name, attempt.number))

    rule = policy.wait

    def asked(attempt: Any) -> Any:
        events.append(("wait", attempt.number))
        return rule(attempt)  # type: ignore[operator]

    hooks = {"before_attempt": "before", "on_success": "success", "on_give_up": "give up"}
    watched = policy.replace(
        wait=asked if callable(rule) else rule,
        on_retry=on_retry,
        **{field: hook(name) for field, name in hooks.items()},
    )
    try:
        outcome = way.run(risky, watched, **options)
        if events[-1][0] == "give up":
            outcome = "swallowed"
    except Halt:
        outcome = Halt
    except Exception as error:
        record = given_up(error)
        outcome = type(error), record and (record.reason, record.attempts)
    return [*events, outcome]
