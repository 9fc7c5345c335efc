"""Rows for those who come from retrying."""

from __future__ import annotations

import inspect

from .rows import (
    BECOMES_READY,
    LATE,
    LOST,
    PENDING,
    RECOVERS,
    SLOW,
    WRONG,
    Absent,
    Library,
    Names,
    Row,
    Table,
    attributes,
)

FORMS = Table(
    "Forms",
    (
        Row("@retry", "@retry(None, wait=0)", "A bare `@retry`.", (LOST,) * 20 + ("page",)),
        Row(
            'page = Retrying(stop_max_attempt_number=3).call(fetch, "url")',
            'page = retry(3, wait=0)(fetch)("url")',
        ),
    ),
)

STOP = Table(
    "Stop",
    (
        Row("stop_max_attempt_number=3", "attempts=3"),
        Row("stop_max_delay=10000", "timeout=10", script=SLOW),
        Row(
            "stop_max_delay=10000, wait_fixed=4000",
            "timeout=10, wait=4",
            "Not the same: there, the last wait runs past the limit and an attempt follows "
            "it. Here, a wait that would end too late is not begun.",
            differ={"calls": (4, 3), "pauses": ([4, 4, 4], [4, 4])},
        ),
        Row('stop="stop_after_attempt"', "attempts=5", default=True),
        Row(
            'stop="stop_after_delay", stop_max_delay=5000',
            "attempts=None, timeout=5",
            script=SLOW,
        ),
        Row(
            "stop_func=lambda attempts, delay_ms: attempts >= 2 and delay_ms >= 10000",
            "attempts=None, wait=lambda a: math.inf if a.number >= 2 and a.elapsed >= 10 else 0",
            "Any rule of your own: a wait callable that returns `math.inf` ends the call.",
            SLOW,
        ),
    ),
)

WAIT = Table(
    "Wait",
    (
        Row("wait_fixed=2000", "wait=2"),
        Row(
            "wait_random_min=1000, wait_random_max=3000",
            "wait=lambda a: random.uniform(1, 3)",
            "There, in whole milliseconds.",
        ),
        Row(
            "wait_incrementing_start=1000, wait_incrementing_increment=2000, "
            "wait_incrementing_max=6000",
            "wait=backoff.linear(1, 2, cap=6, jitter=0)",
        ),
        Row(
            "wait_exponential_multiplier=1000, wait_exponential_max=10000",
            "wait=backoff.exponential(2, cap=10, jitter=0)",
            "There, waits start at twice the multiplier.",
        ),
        Row(
            "wait_fixed=3000, wait_exponential_multiplier=1000",
            "wait=lambda a: max(3, backoff.exponential(2, jitter=0)(a))",
            "Of several, the longest counts.",
        ),
        Row("wait_fixed=2000, wait_jitter_max=1000", "wait=lambda a: 2 + random.uniform(0, 1)"),
        Row("wait_func=lambda attempts, delay_ms: attempts * 1000", "wait=lambda a: a.number"),
        Row('wait="no_sleep"', "wait=0", default=True),
        Row('wait="fixed_sleep"', "wait=1"),
        Row('wait="random_sleep"', "wait=lambda a: random.uniform(0, 1)"),
        Row('wait="incrementing_sleep"', "wait=backoff.linear(0, 0.1, jitter=0)"),
        Row('wait="exponential_sleep"', "wait=backoff.exponential(0.002, jitter=0)"),
    ),
)

RETRY = Table(
    "Retry, and how it ends",
    (
        Row(
            "retry_on_exception=(OSError, KeyError)",
            "on=(OSError, KeyError)",
            "There, a class without a tuple is called as a predicate, and retries everything.",
            (LOST, WRONG),
        ),
        Row(
            "retry_on_exception=lambda error: str(error) == 'down'",
            "on=lambda error: str(error) == 'down'",
            script=(LOST, LATE),
        ),
        Row(
            "retry_on_result=lambda page: page is None",
            "until=lambda page: page is not None",
            script=(*BECOMES_READY[:2], LOST, "page"),
        ),
        Row(
            "retry_on_exception=(), retry_on_result=lambda page: page is None",
            "on=(), until=lambda page: page is not None",
            script=PENDING,
        ),
        Row(
            "wrap_exception=True",
            "fallback=wrapped",
            "There, errors that are not retryable are wrapped too.",
        ),
    ),
)

HOOKS = Table(
    "Callbacks and log",
    (
        Row("before_attempts=hook", "before_attempt=lambda a: hook(a.number)", script=RECOVERS),
        Row(
            "after_attempts=hook",
            "on_retry=lambda a: hook(a.number), on_give_up=lambda a: hook(a.number)",
            "There, it runs after each failed attempt that will be repeated. Here, "
            "`on_give_up` also runs for an error that is not retryable.",
        ),
        Row(
            "logger=log, wait_fixed=2000",
            'wait=2, on_retry=lambda a: (log.warning("%r", a), log.info("in %.2f s", a.next_wait))',
            "In addition, the logger `retrying_elegant` has a WARNING for each. "
            "`logger=True` uses their own logger.",
            RECOVERS,
        ),
        Row(
            "from unittest import mock\n"
            'with mock.patch("time.sleep", seen.append):\n'
            "    page = load()",
            "with testing.instant() as time:\n    page = load()\nseen.extend(time.waits)",
            "They have no switch for tests.",
            RECOVERS,
            ignored=frozenset({"pauses"}),
        ),
        Absent(
            "overriding `stop_after_attempt`, `stop_after_delay`, `no_sleep`, `fixed_sleep`, "
            "`random_sleep`, `incrementing_sleep`, `exponential_sleep`, `never_reject`, "
            "`always_reject`, `should_reject`, `stop` or `wait` in a subclass of `Retrying`",
            "A policy takes callables: pass them instead.",
        ),
        Absent(
            "`RetryError.last_attempt`, `Attempt` (`attempt_number`, `value`, `has_exception`, "
            "`get`)",
            "Your own error is raised, and `given_up(error)` is the record. A `RetryError` "
            "has `.result`.",
        ),
    ),
)


def _public() -> Names:
    import retrying

    names: Names = set(inspect.signature(retrying.Retrying).parameters)
    names |= attributes(retrying.Retrying())
    names |= attributes(retrying.Attempt("page", 1, False)) | {"last_attempt"}
    names |= {"RetryError", "Retrying", "Attempt", "retry"}
    return names


LIBRARY = Library(
    name="retrying",
    modules=("retrying",),
    imports="from retrying import Retrying, RetryError, retry",
    decorator="retry",
    base=("stop_max_attempt_number=5", "wait=0"),
    load=("retry(stop_max_attempt_number=5, wait_fixed=2000)(fn)", "retry(wait=2)(fn)"),
    hook=lambda number: number,
    tables=(FORMS, STOP, WAIT, RETRY, HOOKS),
    has_async=False,
    public=_public,
)
