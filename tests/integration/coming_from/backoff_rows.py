"""Rows for those who come from backoff."""

from __future__ import annotations

import inspect

from .rows import (
    LATE,
    LOST,
    PENDING,
    RECOVERS,
    WRONG,
    Library,
    Names,
    Row,
    Table,
    parameters,
)

DECORATORS = Table(
    "Decorators",
    (
        Row(
            "@backoff.on_exception(backoff.expo, OSError)",
            "@retry(None, on=OSError, wait=backoff.exponential(1, cap=3600))",
            "There, waits have no cap and attempts no limit. Better with both.",
            (LOST,) * 8 + ("page",),
        ),
        Row(
            "@backoff.on_exception(backoff.expo, (OSError, ValueError), max_tries=4)",
            "@retry(4, on=(OSError, ValueError), wait=backoff.exponential(1))",
            script=(LOST, WRONG),
        ),
        Row(
            "@backoff.on_predicate(backoff.fibo, lambda page: page is None, max_tries=4)",
            "@retry(4, on=(), until=lambda page: page is not None, wait=backoff.fibonacci(1), "
            "fallback=lambda a: a.result)",
            "Without `fallback`, a result that is not accepted raises `RetryError`.",
            PENDING,
        ),
        Row(
            "@backoff.on_predicate(backoff.constant, max_tries=4)",
            "@retry(4, on=(), until=bool, wait=backoff.constant(1, jitter=1), fallback=lambda a: "
            "a.result)",
            "`predicate` defaults to `operator.not_`: a falsy result is retried.",
            PENDING,
        ),
        Row(
            "@backoff.on_predicate(wait_gen=backoff.constant, predicate=lambda page: page == 1)",
            "@retry(None, on=(), until=lambda page: page != 1, wait=backoff.constant(1, jitter=1))",
            "An error is raised immediately. To retry it too, leave out `on=()`.",
            (1, LOST),
        ),
        Row(
            "page = backoff.on_exception(backoff.constant, OSError, max_tries=3, "
            "jitter=None)(fetch)()",
            "page = retry(3, on=OSError, wait=1)(fetch)()",
        ),
        Row(
            "@backoff.on_predicate(backoff.constant, jitter=None, max_tries=3)\n"
            "@backoff.on_exception(backoff.constant, OSError, jitter=None, max_tries=4)\n"
            "def load():\n"
            "    return fetch()\n"
            "page = load()",
            "@retry(3, on=(), until=bool, wait=1)\n"
            "@retry(4, on=OSError, wait=1)\n"
            "def load():\n"
            "    return fetch()\n"
            "page = load()",
            "One is often enough: `@retry(on=OSError, until=bool)`.",
            (None, LOST, LOST, "page"),
        ),
        Row(
            "@backoff.on_exception(backoff.expo, OSError, max_tries=3)\n"
            "async def load():\n"
            "    return await fetch_async()\n"
            "page = await load()",
            "@retry(3, on=OSError, wait=backoff.exponential(1))\n"
            "async def load():\n"
            "    return await fetch_async()\n"
            "page = await load()",
        ),
    ),
)

WAITS = Table(
    "Wait generators and jitter",
    (
        Row(
            "@backoff.on_exception(backoff.expo, OSError, base=3, factor=0.5, max_value=4, "
            "max_tries=5)",
            "@retry(on=OSError, wait=backoff.exponential(0.5, 3, cap=4))",
        ),
        Row(
            "@backoff.on_exception(backoff.fibo, OSError, max_value=4, max_tries=8)",
            "@retry(8, on=OSError, wait=backoff.fibonacci(1, cap=4))",
        ),
        Row(
            "@backoff.on_exception(backoff.constant, OSError, interval=2, max_tries=5)",
            "@retry(on=OSError, wait=backoff.constant(2, jitter=1))",
            "There, `constant` has full jitter too, unless `jitter=None`.",
        ),
        Row(
            "@backoff.on_exception(backoff.constant, OSError, interval=[1, 5, 30], jitter=None)",
            "@retry(4, on=OSError, wait=(1, 5, 30))",
            "There, the attempts end with the list; here, its last wait repeats.",
        ),
        Row(
            "@backoff.on_exception(backoff.runtime, OSError, max_tries=5, jitter=None, "
            "value=lambda error: 60 if isinstance(error, TimeoutError) else 1)",
            "@retry(on=OSError, wait=lambda a: 60 if isinstance(a.error, TimeoutError) else 1)",
            "For `Retry-After`: `on=web.transient`. Note that their default jitter shortens"
            " these waits too.",
            (LOST, LATE),
        ),
        Row(
            "@backoff.on_predicate(backoff.runtime, lambda page: page < 9, jitter=None, "
            "value=lambda page: page * 2)",
            "@retry(None, on=(), until=lambda page: page >= 9, wait=lambda a: a.result * 2)",
            script=(1, 3, 9),
        ),
        Row(
            "def steps(by):\n"
            "    yield  # the first is never used\n"
            "    for n in (1, 2, 3):\n"
            "        yield by * n\n"
            "page = backoff.on_exception(steps, OSError, by=2, jitter=None)(fetch)()",
            "page = retry(4, on=OSError, wait=(2, 4, 6))(fetch)()",
            "Or a function of the failed attempt: `wait=lambda a: 2 * a.number`.",
        ),
        Row(
            "@backoff.on_exception(backoff.expo, OSError, max_tries=5, jitter=None)",
            "@retry(on=OSError, wait=backoff.exponential(1, jitter=0))",
        ),
        Row(
            "@backoff.on_exception(backoff.expo, OSError, max_tries=5, jitter=backoff.full_jitter)",
            "@retry(on=OSError, wait=backoff.exponential(1))",
        ),
        Row(
            "@backoff.on_exception(backoff.expo, OSError, max_tries=5, "
            "jitter=backoff.random_jitter)",
            "@retry(on=OSError, wait=lambda a: backoff.exponential(1, jitter=0)(a) + "
            "random.random())",
        ),
        Row(
            "@backoff.on_exception(backoff.expo, OSError, max_tries=5, jitter=lambda s: s + 0.1)",
            "@retry(on=OSError, wait=lambda a: backoff.exponential(1, jitter=0)(a) + 0.1)",
        ),
    ),
)

KEYWORDS = Table(
    "The other keywords",
    (
        Row("max_tries=3", "attempts=3"),
        Row("max_tries=None", "attempts=None", script=(LOST,) * 20 + ("page",)),
        Row(
            "page = backoff.on_exception(backoff.constant, OSError, jitter=None, "
            "max_tries=tries, interval=seconds)(fetch)()",
            "for attempt in retrying(tries(), on=OSError, wait=seconds()):\n"
            "    with attempt:\n"
            "        page = fetch()",
            "For settings that are functions: a loop calls them each time it starts. The "
            "same for `max_time`.",
            setup=("tries = lambda: 3\nseconds = lambda: 2",) * 2,
        ),
        Row(
            "max_time=10, max_tries=None, interval=3",
            "timeout=10, attempts=None, wait=3",
            "Not the same: there, the last wait is cut short so that an attempt starts at the "
            "limit. Here, "
            "a wait that would end too late is not begun.",
            differ={"calls": (5, 4), "pauses": ([3, 3, 3, 1], [3, 3, 3])},
        ),
        Row(
            "giveup=lambda error: isinstance(error, TimeoutError)",
            "unless=TimeoutError",
            script=(LOST, LATE),
        ),
        Row(
            "giveup=lambda error: str(error) == 'late'",
            "unless=lambda error: str(error) == 'late'",
            script=(LOST, LATE),
        ),
        Row(
            "@backoff.on_exception(backoff.constant, OSError, jitter=None, giveup=is_final)\n"
            "async def load():\n"
            "    return await fetch_async()\n"
            "page = await load()",
            "final = False\n"
            "async for attempt in retrying(None, on=OSError, unless=lambda error: final, wait=1):\n"
            "    async with attempt:\n"
            "        try:\n"
            "            page = await fetch_async()\n"
            "        except OSError as error:\n"
            "            final = await is_final(error)\n"
            "            raise",
            "Predicates are synchronous; await what has to be awaited in the attempt.",
            (LOST, LATE),
            setup=("async def is_final(error): return isinstance(error, TimeoutError)",) * 2,
        ),
        Row("raise_on_giveup=False", "fallback=lambda a: None"),
        Row(
            "raise_on_giveup=False, giveup=lambda error: True",
            "fallback=lambda a: None, unless=lambda error: True",
            "Not the same: here an error that is not retryable is always raised.",
            differ={"outcome": (None, ("raised", ("OSError", "down")))},
        ),
        Row("on_success=hook", "on_success=hook", script=RECOVERS),
        Row("on_backoff=hook", "on_retry=hook"),
        Row("on_giveup=hook", "on_give_up=hook", "Here also for an error that is not in `on`."),
        Row(
            "@backoff.on_predicate(backoff.constant, jitter=None, "
            'on_backoff=lambda d: seen.append(d["value"]))',
            "@retry(None, on=(), until=bool, wait=1, on_retry=lambda a: seen.append(a.result))",
            script=(0, "", "page"),
        ),
        Row("on_backoff=[hook, hook]", "on_retry=[hook, hook]"),
        Row(
            "@backoff.on_exception(backoff.constant, OSError, jitter=None, max_tries=3, "
            "on_backoff=hook_async)\n"
            "async def load():\n"
            "    return await fetch_async()\n"
            "page = await load()",
            "@retry(3, on=OSError, wait=1, on_retry=hook_async)\n"
            "async def load():\n"
            "    return await fetch_async()\n"
            "page = await load()",
            "A handler that raises ends the call there; here it is logged, and the call continues.",
        ),
        Row(
            "logger=log, backoff_log_level=logging.DEBUG, giveup_log_level=logging.CRITICAL",
            'on_retry=lambda a: log.debug("%r", a), on_give_up=lambda a: log.critical("%r", a)',
            "In addition, the logger `retrying_elegant` has a WARNING for each; `log_level` sets "
            "its level.",
        ),
        Row(
            "page = backoff.on_exception(backoff.constant, OSError, max_tries=3, logger=None, "
            "jitter=None)(fetch)()",
            "page = retry(3, on=OSError, wait=1, log_level=None)(fetch)()",
            loggers=("backoff", "retrying_elegant"),
        ),
        Row(
            "from unittest import mock\n"
            'with mock.patch("time.sleep", seen.append):\n'
            "    page = load()",
            "with testing.instant() as time:\n    page = load()\nseen.extend(time.waits)",
            "This includes async waits. They have no switch for tests.",
            RECOVERS,
            ignored=frozenset({"pauses"}),
        ),
    ),
)

DETAILS = Table(
    "What a handler is given",
    (
        Row('d["tries"]', "a.number"),
        Row('d["target"].__qualname__', "a.name"),
        Row('d["args"]', "a.args"),
        Row('d["kwargs"]', "dict(a.kwargs)"),
        Row('d["elapsed"]', "a.elapsed", "There, as of the start of the attempt; here, as of now."),
        Row('d["wait"]', "a.next_wait"),
        Row('d["exception"]', "a.error"),
    ),
    details=("on_backoff=lambda d: seen.append({})", "on_retry=lambda a: seen.append({})"),
)


def _public() -> Names:
    import backoff
    import backoff._typing

    names: Names = set(backoff.__all__)
    for fn in (backoff.on_exception, backoff.on_predicate):
        names |= set(inspect.signature(fn).parameters) - {"wait_gen_kwargs", "exception"}
    for name in backoff.__all__:
        if not name.startswith("on_"):
            names |= parameters(name, getattr(backoff, name))
    names |= {("interval", "constant"), ("max_value", "fibo"), ("value", "runtime")}
    names |= {*backoff._typing.Details.__annotations__, "exception"}
    return names


LIBRARY = Library(
    name="backoff",
    modules=("backoff",),
    imports="import backoff",
    decorator="backoff.on_exception",
    base=(
        "wait_gen=backoff.constant, exception=OSError, max_tries=5, jitter=None",
        "on=OSError, wait=1",
    ),
    load=(
        "backoff.on_exception(backoff.constant, OSError, max_tries=5, jitter=None, interval=2)(fn)",
        "retry(on=OSError, wait=2)(fn)",
    ),
    hook=lambda details: details["tries"],
    tables=(DECORATORS, WAITS, KEYWORDS, DETAILS),
    public=_public,
)
