"""Scripts of calls, a clock that they move, and the contract once more, as a model of few lines.

Durations are whole seconds in these scripts, so that no sum of them is ever rounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import math
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import strategies as st

from retrying_elegant import (
    Policy,
    RetryBudget,
    RetryError,
    TryAgain,
    _clock,
    backoff,
    deadline,
    given_up,
    testing,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from random import Random

    from ways import Way


class Lost(Exception):
    """One kind of failure."""


class Wrong(Exception):
    """Another kind."""


class Intruder(Exception):
    """What something else raises into a wait."""


class Halt(BaseException):
    """Control flow."""


class Step(NamedTuple):
    """One attempt, and what happens until the next.

    It *takes* its time (the clock may be set back), and then comes the *outcome*.  The hook of
    the retry has *held* it up, and the wait ends so much later than it should.  *At* some point
    something happens from outside: the event `stop` is set in the attempt, in the hook or halfway
    through the wait, or the wait is interrupted.
    """

    takes: int
    outcome: Any
    held: int = 0
    late: int = 0
    at: str | None = None


class Again(NamedTuple):
    """``raise TryAgain(after=...)``, or ``return`` in a predicate."""

    after: int | None


class Answer(NamedTuple):
    """A result that an ``until`` accepts, or does not: then it returns *otherwise*."""

    accepted: bool
    otherwise: Again | None = None


class Bound(NamedTuple):
    """A deadline around the call, entered *before* it by so many seconds.

    It is *left* in the attempt of this number, before the call (0), or not at all.
    """

    seconds: int
    before: int
    left: int | None


class Rules(NamedTuple):
    """The settings, in words that the model reads and ``policy`` makes a Policy of.

    Filters are sets of classes.  A *hint* makes of ``on`` a predicate that gives it; ``calls``
    makes of the waits a callable, which is infinite from retry *last* on; a *step* makes of the
    first one a ready backoff.  *most* is the limit of ``testing``.
    """

    attempts: int | None
    on: frozenset[type[Exception]]
    unless: frozenset[type[Exception]]
    polls: bool
    waits: tuple[int, ...]
    calls: bool
    last: int | None
    step: int | None
    timeout: int | None
    reset_after: int | None
    stops: bool
    capacity: int | None
    refill: int
    hint: int | None
    most: int | None

    @property
    def full(self) -> int:
        """The thousandths of a token that a full budget holds."""
        return 1000 * (self.capacity or 0)

    def policy(self, way: Way) -> Policy:
        """The policy that follows these rules; its budget and its event are new."""
        on: Any = tuple(self.on)
        if self.hint is not None:
            on = self._hinting
        wait: Any = self.waits
        if self.step is not None:
            wait = backoff.linear(self.waits[0], self.step, jitter=0)
        elif self.calls:
            wait = lambda attempt: self.wait_before(attempt.number)  # noqa: E731 - one of three
        event = threading.Event if way.colour == "sync" else asyncio.Event
        return Policy(
            self.attempts,
            on=on,
            unless=tuple(self.unless) or None,
            until=(lambda answer: answer.accepted or made(answer.otherwise))
            if self.polls
            else None,
            wait=wait,
            timeout=self.timeout,
            reset_after=self.reset_after,
            stop=event() if self.stops else None,
            budget=self.capacity and RetryBudget(self.capacity, self.refill / 1000),
            name="scripted",
        )

    def is_called(self) -> bool:
        """Whether a callable gives the waits."""
        return self.calls and self.step is None

    def wait_before(self, retry: int) -> float:
        """The seconds before *retry*, hints aside."""
        if self.step is not None:
            return min(self.waits[0] + (retry - 1) * self.step, 30)
        if self.calls and self.last is not None and retry >= self.last:
            return math.inf
        return self.waits[min(retry, len(self.waits)) - 1]

    def _hinting(self, error: Exception) -> Any:
        matches = all(isinstance(leaf, tuple(self.on)) for leaf in leaves(error))
        return TryAgain(after=self.hint) if matches else None


def leaves(error: Any) -> list[Exception]:
    return list(error.exceptions) if isinstance(error, ExceptionGroup) else [error]


def made(outcome: Any) -> Any:
    """What an attempt raises or returns, or a predicate returns: errors are new ones each time."""
    if isinstance(outcome, Again):
        return TryAgain(after=outcome.after)
    if isinstance(outcome, tuple) and not isinstance(outcome, Answer):
        return ExceptionGroup("several", [kind() for kind in outcome])
    return outcome() if isinstance(outcome, type) else outcome


def recorded(error: Exception) -> Any:
    """The record of *error*, without the name of the call and the texts of errors."""
    record = given_up(error)
    if record is None:
        return None
    history = [": ".join(line.split(": ")[:2]) for line in record.history]
    return record.reason, record.attempts, record.elapsed, history


def seldom(rare: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """None, mostly: or else something would end nearly every call at once."""
    return st.one_of(st.none(), st.none(), st.none(), rare)


durations = st.integers(0, 6)
kinds = st.frozensets(st.sampled_from([Lost, Wrong]))
agains = st.builds(Again, st.none() | durations)
outcomes = st.one_of(
    st.sampled_from([Lost, Wrong, (Lost,), (Lost, Wrong)]),
    agains,
    st.builds(Answer, st.booleans(), st.none() | agains),
    st.just(Halt),
)
failures = st.one_of(st.just(Lost), st.just(Lost), outcomes)
events = ["stop in attempt", "stop in hook", "stop in wait", "halt", "intrude"]
steps = st.builds(
    Step,
    st.sampled_from([0, 0, 1, 3, -7, 40]),
    failures,
    st.sampled_from([0, 0, 0, 5]),
    st.sampled_from([0, 0, 0, 5]),
    seldom(st.sampled_from(events)),
)
scripts = st.lists(steps, min_size=4, max_size=8)  # a success among them ends the call
calls = st.lists(scripts, min_size=1, max_size=3)
bounds = st.lists(
    st.builds(Bound, st.integers(1, 40), st.integers(0, 3), st.none() | st.integers(0, 4)),
    max_size=3,
)
rules = st.builds(
    Rules,
    attempts=st.none() | st.integers(1, 6),
    on=st.just(frozenset([Exception])) | kinds,
    unless=st.just(frozenset()) | kinds,
    polls=st.booleans(),
    waits=st.lists(durations, min_size=1, max_size=4).map(tuple),
    calls=st.booleans(),
    last=seldom(st.integers(1, 4)),
    step=st.none() | durations,
    timeout=st.none() | st.integers(1, 30),
    reset_after=st.none() | st.integers(1, 10),
    stops=st.booleans(),
    capacity=st.none() | st.integers(1, 3),
    refill=st.integers(1, 1000),
    hint=seldom(durations),
    most=seldom(st.integers(1, 5)),
)
EXCEPTIONS: list[dict[str, Any]] = [{}] * 8 + [
    {"most": 2}, {"most": 4}, {"unless": frozenset([Wrong])}, {"polls": True}, {"step": None},
    {"timeout": 4}, {"timeout": 9}, {"timeout": 15}, {"reset_after": 1}, {"reset_after": 3},
    {"stops": True}, {"stops": True}, {"capacity": 1}, {"capacity": 3},
]  # fmt: skip
OUTCOMES = [*[Lost] * 7, Wrong, (Lost,), Again(3), Answer(accepted=True), Halt]
AT = [None] * 9 + ["stop in attempt", "stop in wait", "halt", "intrude"]
LEFT = [None, None, 0, 1, 2, 3]
MORE: list[dict[str, Any]] = [
    {"attempts": 3}, {"most": 6}, {"unless": frozenset([Wrong])}, {"polls": True}, {"hint": 2},
    {"waits": (2, 0, 4), "step": None}, {"waits": (1, 3), "calls": True, "step": None, "last": 6},
    {"timeout": 40}, {"reset_after": 2}, {"reset_after": 3}, {"stops": True}, {"capacity": 3},
]  # fmt: skip
FAILURES = [*[Lost] * 12, Wrong, (Lost,), (Lost, Wrong), Again(2), Again(None)]
FAILURES += [Answer(accepted=False), Answer(accepted=False, otherwise=Again(2))]
OTHERS = [*FAILURES, Answer(accepted=True), Halt]
EVENTFUL = [None] * 30 + events
HELD = [0] * 10 + [5, 20]


def simple_case(chance: Random) -> tuple[Rules, list[list[Step]], list[Bound]]:
    """Rules, calls and deadlines where classes, attempts and a ready backoff alone decide.

    Such calls take short cuts; with one exception to that, they must not.  Chance itself draws
    them, for the first examples of Hypothesis are too small: their calls end at once.
    """
    one = chance.choice
    rules = Rules(
        attempts=one([None, 2, 4, 12]),
        on=one([frozenset([Exception]), frozenset([Lost])]),
        unless=frozenset(),
        polls=False,
        waits=(one([0, 1, 2, 5]),),
        calls=False,
        last=None,
        step=one([0, 1, 6]),
        timeout=None,
        reset_after=None,
        stops=False,
        capacity=None,
        refill=one([0, 100, 1000]),
        hint=None,
        most=None,
    )

    def step() -> Step:
        return Step(one([0, 0, 1, 3, -7]), one(OUTCOMES), late=one([0, 0, 5]), at=one(AT))

    calls = [[step() for _ in range(12)] for _ in range(3)]
    bounds = [
        Bound(chance.randint(1, 20), chance.randint(0, 3), one(LEFT))
        for _ in range(one([0, 0, 1, 2]))
    ]
    return rules._replace(**one(EXCEPTIONS)), calls, bounds


def long_case(chance: Random) -> tuple[Rules, list[list[Step]], list[Bound]]:
    """Rules of several kinds at once, and calls of many attempts: chance draws these too."""
    one = chance.choice
    rules, calls, _ = simple_case(chance)
    rules = rules._replace(attempts=None, timeout=None, capacity=None, most=None)
    for change in chance.sample(MORE, 5):
        rules = rules._replace(**change)

    def step() -> Step:
        takes = one([0, 0, 1, 3, 6, -7])
        return Step(takes, one(OTHERS), one(HELD), one(HELD), one(EVENTFUL))

    calls = [[step() for _ in script] for script in calls]
    bounds = [Bound(chance.randint(5, 60), chance.randint(0, 3), one(LEFT))]
    return rules, calls, one([[], bounds])


def played(script: list[Step]) -> Iterator[Step]:
    """The steps of *script*, and then a success for ever."""
    return itertools.chain(script, itertools.repeat(Step(0, Answer(accepted=True))))


class State:
    """What a series of calls under the same rules leaves behind."""

    def __init__(self, rules: Rules) -> None:
        self.tokens = rules.full  # in thousandths
        self.is_set = False  # the event `stop`


class Model:
    """What the contract says of one call."""

    def __init__(
        self,
        rules: Rules,
        state: State,
        bounds: Iterable[Bound] = (),
        *,
        block: bool = False,
        watched: bool = True,
    ) -> None:
        """Let *block* say whether the timeout is that of a block, *watched* whether hooks run."""
        self.rules, self.state = rules, state
        self.block, self.watched = block, watched
        self.now = self.start = self.slept = 0.0  # since the start of the call
        self.waited = 0.0  # before this attempt
        self.number, self.made = 1, 0
        self.history: list[str] = []
        self.events: list[Any] = []
        ages = [sum(later.before for later in list(bounds)[n:]) for n in range(len(list(bounds)))]
        self.open = {
            number: (bound.seconds - age, bound.left)
            for number, (bound, age) in enumerate(zip(bounds, ages, strict=True))
        }
        self.leave(0)

    def leave(self, attempt: int) -> None:
        """Leave the deadlines that are left in this attempt."""
        self.open = {n: each for n, each in self.open.items() if each[1] != attempt}

    @property
    def elapsed(self) -> float:
        return max(self.now - self.start, self.slept)

    @property
    def limit(self) -> float:
        """Seconds since the start of the series after which no attempt starts."""
        moments = [moment for moment, _ in self.open.values()]
        if self.rules.timeout is not None:
            moments.append(self.rules.timeout + (0 if self.block else self.start))
        return min(moments, default=math.inf) - self.start

    @property
    def times(self) -> tuple[float, float, float | None]:
        """What ``attempt.waited``, ``attempt.elapsed`` and ``attempt.remaining`` show."""
        left = None if self.limit == math.inf else max(self.limit - self.elapsed, 0)
        return self.waited, self.elapsed, left

    def credit(self) -> None:
        self.state.tokens = min(self.state.tokens + self.rules.refill, self.rules.full)

    def happens(self, step: Step, event: str) -> bool:
        """Whether this *event* is one of *step*; if so, it may set the event `stop`."""
        if step.at == event and event.startswith("stop") and self.rules.stops:
            self.state.is_set = True
        return step.at == event

    def told(self, script: list[Step]) -> list[Any]:
        """The events of a call that plays *script*, and its outcome."""
        for step in played(script):
            outcome = self.attempt(step)
            if outcome is None:
                outcome = self.retry(step)
            if outcome is not None:
                return [*self.events, outcome]
        raise AssertionError

    def attempt(self, step: Step) -> Any:
        """Make an attempt; return the outcome of the call, or None for a failed one."""
        self.made += 1
        self.events += [("before", self.number, *self.times), ("call", self.now)]
        self.leave(self.made)
        self.now += step.takes
        self.happens(step, "stop in attempt")
        outcome = step.outcome
        if outcome is Halt:
            return Halt
        if isinstance(outcome, Answer) and (outcome.accepted or not self.rules.polls):
            self.credit()
            self.events.append(("success", self.number))
            return outcome
        return None

    def is_retryable(self, outcome: Any) -> tuple[bool, int | None]:
        """What the filters say, and the hint."""
        if isinstance(outcome, Answer):
            return True, outcome.otherwise and outcome.otherwise.after
        if isinstance(outcome, Again):
            return True, outcome.after
        error, rules = made(outcome), self.rules
        every = [isinstance(leaf, tuple(rules.on)) for leaf in leaves(error)]
        never = [isinstance(each, tuple(rules.unless)) for each in (error, *leaves(error))]
        whole = isinstance(error, tuple(rules.on)) and rules.hint is None
        return (whole or all(every)) and not any(never), rules.hint

    def retry(self, step: Step) -> Any:
        """Decide on a retry, and wait; return the outcome of the call if no attempt follows."""
        rules, state, began = self.rules, self.state, self.now - step.takes
        earlier = self.made - self.number
        if rules.reset_after is not None and self.now - began >= rules.reset_after:
            earlier, self.number, self.start = self.made - 1, 1, self.now
            self.waited, self.slept, self.history = 0, 0, []
            self.credit()
        what = "result not accepted"
        if not isinstance(step.outcome, Answer):
            what = type(made(step.outcome)).__name__
        self.history.append(f"attempt {self.number} at {self.elapsed:.2f} s: {what}")
        retryable, hint = self.is_retryable(step.outcome)
        if not retryable:
            return self.give_up(step, "not retryable")
        if state.is_set:
            return self.give_up(step, "stopped")
        if self.number == rules.attempts or earlier + self.number >= (rules.most or math.inf):
            return self.give_up(step, "attempts")
        if self.elapsed >= self.limit:
            return self.give_up(step, "timeout")
        if rules.is_called():
            self.events.append(("wait", self.number))
        wait = rules.wait_before(self.number) + (hint or 0)
        if wait == math.inf:
            return self.give_up(step, "wait")
        if self.elapsed + wait >= self.limit:
            return self.give_up(step, "timeout")
        if rules.capacity and state.tokens < 1000:
            return self.give_up(step, "budget")
        state.tokens -= 1000
        outcome = self.wait(step, wait)
        if outcome is not None:
            state.tokens += 1000  # the retry was decided, and then not made
            return outcome
        self.number += 1
        self.waited = wait
        self.slept += wait
        return None

    def wait(self, step: Step, wait: float) -> Any:
        """Announce a retry and wait; return the outcome of the call if it is not made."""
        self.events.append(("retry", self.number, wait, *self.times))
        if self.watched:
            self.now += step.held
            self.happens(step, "stop in hook")
        if self.state.is_set:
            return self.give_up(step, "stopped")
        if self.elapsed + wait >= self.limit:
            return self.give_up(step, "timeout")
        self.events.append(("sleep", wait))
        if self.happens(step, "halt"):
            return Halt
        if self.happens(step, "intrude"):
            return self.give_up(step, "interrupted")
        self.now += wait // 2 if self.happens(step, "stop in wait") else wait + step.late
        if self.state.is_set:
            return self.give_up(step, "stopped")
        return self.give_up(step, "timeout") if self.elapsed >= self.limit else None

    def give_up(self, step: Step, reason: str) -> Any:
        kind = RetryError if isinstance(step.outcome, Answer) else type(made(step.outcome))
        if reason == "interrupted":
            kind = Intruder
        self.events.append(("give up", self.number, reason))
        if (self.number, reason) == (1, "not retryable"):
            return kind, None  # an ordinary error
        return kind, (reason, self.number, self.elapsed, self.history[-10:])


QUIET = {"attempts", "timeout", "budget", "stopped", "wait"}


def without_raising(told: list[Any]) -> list[Any]:
    """The same with `raises=False`, or with a fallback: some outcomes are not raised."""
    match told[-1]:
        case (type(), (reason, *_)) if reason in QUIET:
            return [*told[:-1], reason]
    return told


def unwatched(told: list[Any]) -> list[Any]:
    """What is left of *told* where no hook sees it: when calls and waits began, and the outcome."""
    return [event for event in told[:-1] if event[0] in ("call", "sleep")] + told[-1:]


class World:
    """A clock that moves when it is told to, and what is seen of calls under it."""

    def __init__(self, policy: Policy, most: int | None = None) -> None:
        self.policy = policy
        self.most = most
        self.now = self.began = 1000.0
        self.events: list[Any] = []
        self.step = Step(0, None)

    @contextlib.contextmanager
    def clock(self) -> Iterator[None]:
        """Inside, this is the clock of the library, and the limit of ``testing`` holds."""
        limit = contextlib.nullcontext() if self.most is None else testing.limit(self.most)
        with limit, pytest.MonkeyPatch.context() as patch:
            patch.setattr(_clock, "time", self)
            yield

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.events.append(("sleep", seconds))
        if self.happens("halt"):
            raise Halt
        if self.happens("intrude"):
            raise Intruder
        self.now += seconds // 2 if self.happens("stop in wait") else seconds + self.step.late

    def happens(self, event: str) -> bool:
        if self.step.at == event and event.startswith("stop") and self.policy.stop is not None:
            self.policy.stop.set()  # type: ignore[attr-defined]  # a real event
        return self.step.at == event

    def watched(self) -> Policy:
        """The policy with hooks that write down what they see."""

        def times(attempt: Any) -> tuple[float, float, float | None]:
            return attempt.waited, attempt.elapsed, attempt.remaining

        def before_attempt(attempt: Any) -> None:
            self.events.append(("before", attempt.number, *times(attempt)))

        def on_retry(attempt: Any) -> None:
            self.events.append(("retry", attempt.number, attempt.next_wait, *times(attempt)))
            self.now += self.step.held
            self.happens("stop in hook")

        def evaluated(attempt: Any) -> Any:
            self.events.append(("wait", attempt.number))
            return wait(attempt)

        wait: Any = self.policy.wait
        return self.policy.replace(
            wait=wait if isinstance(wait, backoff.Backoff) or not callable(wait) else evaluated,
            before_attempt=before_attempt,
            on_retry=on_retry,
            on_success=lambda attempt: self.events.append(("success", attempt.number)),
            on_give_up=lambda attempt: self.events.append(
                ("give up", attempt.number, attempt.reason)
            ),
        )

    def observed(
        self,
        way: Way,
        script: list[Step],
        bounds: Iterable[Bound] = (),
        *,
        watched: bool = True,
        raises: bool = True,
    ) -> list[Any]:
        """The events and the outcome of one call that plays *script*."""
        with self.clock():
            context = contextvars.copy_context()  # deadlines that are not left end with it
            return context.run(self._observed, way, script, bounds, watched, raises)

    def _observed(
        self, way: Way, script: list[Step], bounds: Iterable[Bound], watched: bool, raises: bool
    ) -> list[Any]:
        self.events = []
        deadlines = []
        for bound in bounds:
            deadlines.append((deadline(bound.seconds).__enter__(), bound.left))
            self.now += bound.before
        self.began = self.now
        play, made_so_far = played(script), 0

        def leave(attempt: int) -> None:
            for each, left in deadlines:
                if left == attempt:
                    each.__exit__(None, None, None)

        def risky() -> Any:
            nonlocal made_so_far
            made_so_far += 1
            self.events.append(("call", self.now - self.began))
            self.step = next(play)
            leave(made_so_far)
            self.now += self.step.takes
            self.happens("stop in attempt")
            outcome = made(self.step.outcome)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        options: Any = {}
        reasons: list[str] = []
        policy = self.watched() if watched else self.policy
        if not raises and way.form == "decorator":
            options["fallback"] = lambda attempt: reasons.append(attempt.reason)
        elif not raises:
            options["raises"] = False
            policy = policy.replace(
                on_give_up=(*policy.on_give_up, lambda attempt: reasons.append(attempt.reason))
            )
        leave(0)
        try:
            outcome = way.run(risky, policy, **options)
            if reasons:
                outcome = reasons[0]
        except Halt:
            outcome = Halt
        except Exception as error:
            outcome = (type(error), recorded(error))
        return [*self.events, outcome]
