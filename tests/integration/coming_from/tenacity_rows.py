"""Rows for those who come from tenacity."""

from __future__ import annotations

import inspect
import re

from .rows import (
    BECOMES_READY,
    BUSY,
    LATE,
    LOST,
    PENDING,
    RECOVERS,
    SLOW,
    WRONG,
    Absent,
    Library,
    Names,
    Raises,
    Row,
    Table,
    attributes,
    parameters,
)

UNAVAILABLE = """
class Unavailable(Exception):
    __str__ = lambda self: ""
def unavailable(a):
    raise Unavailable(a.name) from a.error
"""

FORMS = Table(
    "Forms",
    (
        Row(
            "@retry",
            "@retry(None, wait=0)",
            "A bare `@retry` in tenacity.",
            (LOST,) * 20 + ("page",),
        ),
        Row(
            "@retry(stop=stop_after_attempt(5), wait=wait_random_exponential(0.5, 30), "
            "reraise=True)",
            "@retry",
            "A bare `@retry` in retrying_elegant.",
        ),
        Row(
            'page = Retrying(stop=stop_after_attempt(3), reraise=True)(fetch, "url")',
            'page = retry(3, wait=0)(fetch)("url")',
        ),
        Row(
            "load = Retrying(stop=stop_after_attempt(3), reraise=True).wraps(fetch)\n"
            'page = load("url")',
            'load = retry(3, wait=0)(fetch)\npage = load("url")',
        ),
        Row(
            "for attempt in Retrying(stop=stop_after_attempt(3), reraise=True):\n"
            "    with attempt:\n"
            "        page = fetch()",
            "for attempt in retrying(3, wait=0):\n    with attempt:\n        page = fetch()",
        ),
        Row(
            "for attempt in Retrying(retry=retry_if_result(lambda page: page is None)):\n"
            "    with attempt:\n"
            "        page = fetch()\n"
            "    if not attempt.retry_state.outcome.failed:\n"
            "        attempt.retry_state.set_result(page)",
            "for attempt in retrying(None, wait=0, on=(), until=lambda page: page is not None):\n"
            "    with attempt:\n"
            "        page = attempt.result = fetch()",
            script=BECOMES_READY,
        ),
        Row(
            "async for attempt in AsyncRetrying(stop=stop_after_attempt(3), reraise=True):\n"
            "    with attempt:\n"
            "        page = await fetch_async()",
            "async for attempt in retrying(3, wait=0):\n"
            "    async with attempt:\n"
            "        page = await fetch_async()",
        ),
        Row(
            "for attempt in Retrying(stop=stop_after_attempt(3), reraise=True):\n"
            "    with attempt:\n"
            "        page = fetch()\n"
            "    seen.append('after it')",
            "for attempt in retrying(3, wait=0):\n"
            "    try:\n"
            "        with attempt:\n"
            "            page = fetch()\n"
            "    finally:\n"
            "        seen.append('after it')",
            "The final error is raised from the `with` here, so code after it does not run then.",
        ),
        Row(
            "@retry(stop=stop_after_attempt(5))\n"
            "def load():\n"
            "    seen.append(load.statistics['attempt_number'])\n"
            "    return fetch()\n"
            "page = load()",
            "def load():\n"
            "    for attempt in retrying(5, wait=0):\n"
            "        with attempt:\n"
            "            seen.append(attempt.number)\n"
            "            return fetch()\n"
            "page = load()",
            "To know which attempt it is, write the loop inside the function.",
            script=RECOVERS,
        ),
        Row(
            "page = await AsyncRetrying(stop=stop_after_attempt(3), reraise=True)(fetch_async, "
            '"url")',
            'page = await retry(3, wait=0)(fetch_async)("url")',
        ),
        Row(
            "@retry(stop=stop_after_attempt(3), reraise=True)\n"
            "def lines():\n"
            "    yield fetch()\n"
            "page = list(lines())",
            "@retry(3, wait=0)\ndef lines():\n    yield fetch()\npage = list(lines())",
            "Not the same: tenacity does not retry generators; here they are retried until "
            "their first item.",
            RECOVERS,
            differ={
                "calls": (1, 3),
                "pauses": ([], [0, 0]),
                "outcome": (("raised", ("OSError", "down")), ["page"]),
            },
        ),
        Row(
            "NET = Retrying(stop=stop_after_attempt(3), reraise=True)\n"
            "page = NET.copy(wait=wait_fixed(2))(fetch)",
            "NET = Policy(3, wait=0)\npage = retry(NET, wait=2)(fetch)()",
            "`NET.replace(wait=2)` returns the changed policy itself.",
        ),
        Row(
            'page = load.retry_with(stop=stop_after_attempt(2))("url")',
            'page = retry(load.policy, attempts=2)(load.__wrapped__)("url")',
        ),
        Row(
            "seen.append(load.retry.stop.max_attempt_number)",
            "seen.append(load.policy.attempts)",
            "A policy is frozen: create another instead of changing it.",
        ),
    ),
)

STOP = Table(
    "Stop",
    (
        Row("stop=stop_never", "attempts=None", script=(LOST,) * 20 + ("page",)),
        Row("stop=stop_after_attempt(3)", "attempts=3"),
        Row(
            "stop=stop_before_delay(10), wait=wait_fixed(5)",
            "attempts=None, timeout=10, wait=5",
        ),
        Row("stop=stop_after_delay(10)", "attempts=None, timeout=10", script=SLOW),
        Row(
            "stop=stop_after_delay(10), wait=wait_fixed(4)",
            "attempts=None, timeout=10, wait=4",
            "Not the same: there, the last wait runs past the limit and an attempt follows "
            "it. Here, a wait that would end too late is not begun.",
            differ={"calls": (4, 3), "pauses": ([4, 4, 4], [4, 4])},
        ),
        Row(
            "stop=stop_after_attempt(4) | stop_after_delay(10)",
            "attempts=4, timeout=10",
            script=SLOW,
        ),
        Row(
            "stop=stop_any(stop_after_attempt(4), stop_after_delay(10))",
            "attempts=4, timeout=10",
        ),
        Row(
            "stop=stop_when_event_set(event)",
            "attempts=None, stop=event",
            "A wait in progress ends immediately, too. In async code: an `asyncio.Event`.",
            sync_only=True,
        ),
        Row(
            "stop=stop_when_event_set(event), retry=retry_if_result(lambda page: page is None), "
            "retry_error_callback=lambda s: s.outcome.result()",
            "attempts=None, on=(), until=lambda page: page is not None, stop=event, "
            "fallback=lambda a: a.result",
            "The same for polling.",
            PENDING,
            sync_only=True,
        ),
        Row(
            "stop=lambda s: s.attempt_number >= 3",
            "wait=lambda a: math.inf if a.number >= 3 else 0",
            "Any rule of your own: a wait callable that returns `math.inf` ends the call, with the "
            'reason `"wait"`.',
        ),
        Row(
            "stop=stop_all(stop_after_attempt(2), stop_after_delay(10))",
            "attempts=None, wait=lambda a: math.inf if a.number >= 2 and a.elapsed >= 10 else 0",
            "The same for `&`.",
            script=SLOW,
        ),
    ),
)

WAIT = Table(
    "Wait",
    (
        Row("wait=wait_none()", "wait=0", default=True),
        Row("wait=wait_fixed(2)", "wait=2"),
        Row("wait=wait_fixed(timedelta(minutes=1))", "wait=timedelta(minutes=1)"),
        Row("wait=wait_random(min=1, max=3)", "wait=lambda a: random.uniform(1, 3)"),
        Row(
            "wait=wait_fixed(3) + wait_random(0, 2)",
            "wait=lambda a: 3 + random.uniform(0, 2)",
        ),
        Row(
            "wait=wait_combine(wait_fixed(3), wait_fixed(1))",
            "wait=lambda a: 3 + 1",
        ),
        Row("wait=wait_chain(wait_fixed(1), wait_fixed(5), wait_fixed(30))", "wait=(1, 5, 30)"),
        Row(
            "wait=wait_chain(wait_fixed(1), wait_random(2, 4))",
            "wait=lambda a: 1 if a.number == 1 else random.uniform(2, 4)",
        ),
        Row(
            "wait=wait_incrementing(start=1, increment=2, max=6)",
            "wait=backoff.linear(1, 2, cap=6, jitter=0)",
        ),
        Row(
            "wait=wait_exponential(multiplier=0.5, exp_base=3, max=10)",
            "wait=backoff.exponential(0.5, 3, cap=10, jitter=0)",
        ),
        Row(
            "wait=wait_exponential(multiplier=1, min=3, max=6)",
            "wait=lambda a: max(3, backoff.exponential(1, cap=6, jitter=0)(a))",
        ),
        Row(
            "wait=wait_random_exponential(multiplier=0.5, exp_base=3, max=6)",
            "wait=backoff.exponential(0.5, 3, cap=6)",
        ),
        Row(
            "wait=wait_full_jitter(multiplier=0.5, max=3, exp_base=2, min=0)",
            "wait=backoff.exponential(0.5, cap=3)",
            "`wait_random_exponential` by another name.",
        ),
        Row(
            "wait=wait_random_exponential(multiplier=2, min=1, max=6)",
            "wait=lambda a: random.uniform(1, backoff.exponential(2, cap=6, jitter=0)(a))",
        ),
        Row(
            "wait=wait_exponential_jitter(multiplier=0.5, exp_base=3, max=6, jitter=2)",
            "wait=plus_random(0.5, 3, cap=6, most=2)",
        ),
        Row(
            "wait=wait_exponential_jitter(initial=2, min=3, max=6)",
            "wait=lambda a: max(3, plus_random(2, 2, cap=6, most=1)(a))",
            "`initial` is the old name of `multiplier`.",
        ),
        Row(
            "wait=wait_exception(lambda error: 60 if isinstance(error, TimeoutError) else 1)",
            "wait=lambda a: 60 if isinstance(a.error, TimeoutError) else 1",
            "For `Retry-After`: `on=web.transient`.",
            (LOST, LATE, "page"),
        ),
        Row("wait=lambda s: s.attempt_number * 2", "wait=lambda a: a.number * 2"),
    ),
)

RETRY = Table(
    "Retry",
    (
        Row("retry=retry_if_exception_type(OSError)", "on=OSError", script=(LOST, WRONG)),
        Row(
            "retry=retry_if_exception_type((OSError, KeyError))",
            "on=(OSError, KeyError)",
            script=(LOST, Raises(KeyError), WRONG),
        ),
        Row(
            "retry=retry_if_not_exception_type(ValueError)",
            "unless=ValueError",
            script=(LOST, WRONG),
        ),
        Row(
            'retry=retry_if_exception(lambda error: "busy" in str(error))',
            'on=lambda error: "busy" in str(error)',
            script=(BUSY, LOST),
        ),
        Row(
            'retry=retry_if_exception_message(message="busy")',
            'on=lambda error: str(error) == "busy"',
            script=(BUSY, LOST),
        ),
        Row(
            'retry=retry_if_exception_message(match="bus.")',
            'on=lambda error: re.match("bus.", str(error))',
            script=(BUSY, LOST),
        ),
        Row(
            'retry=retry_if_not_exception_message(message="down")',
            'unless=lambda error: str(error) == "down", until=lambda page: False',
            "There, results are retried too. If you do not want that, leave out `until`.",
            ("page", BUSY, LOST),
        ),
        Row(
            'retry=retry_if_not_exception_message(match="do.n")',
            'unless=lambda error: re.match("do.n", str(error)), until=lambda page: False',
            "The same applies.",
            ("page", BUSY, LOST),
        ),
        Row(
            "retry=retry_unless_exception_type(ValueError)",
            "unless=ValueError, until=lambda page: False",
            "The same applies.",
            ("page", LOST, WRONG),
        ),
        Row(
            "retry=retry_if_exception_cause_type(KeyError)",
            "on=lambda error: any(isinstance(cause, KeyError) for cause in causes(error))",
            script=(Raises(OSError, "down", KeyError), LOST),
        ),
        Row(
            "retry=retry_if_result(lambda page: page is None)",
            "on=(), until=lambda page: page is not None",
            "There, errors are raised immediately if only results are checked. To retry "
            "them too, leave out `on=()`.",
            PENDING,
        ),
        Row(
            'retry=retry_if_not_result(lambda page: page == "page")',
            'on=(), until=lambda page: page == "page"',
            script=(None, "page"),
        ),
        Row(
            "retry=retry_if_exception_type(OSError) | retry_if_result(lambda page: page is None)",
            "on=OSError, until=lambda page: page is not None",
            script=(LOST, None, WRONG),
        ),
        Row(
            "retry=retry_any(retry_if_exception_type(OSError), "
            "retry_if_exception_message('wrong'))",
            "on=lambda error: isinstance(error, OSError) or str(error) == 'wrong'",
            script=(LOST, WRONG, Raises(KeyError)),
        ),
        Row(
            "retry=retry_if_exception_type(OSError) & retry_if_not_exception_type(TimeoutError)",
            "on=OSError, unless=TimeoutError",
            script=(LOST, LATE),
        ),
        Row(
            "retry=retry_all(retry_if_exception_type(OSError), retry_if_exception_message('busy'))",
            "on=lambda error: isinstance(error, OSError) and str(error) == 'busy'",
            script=(BUSY, LOST),
        ),
        Row(
            "retry=retry_always",
            "until=lambda page: False",
            "Here, never `KeyboardInterrupt`, `SystemExit` or a cancellation.",
            ("page",),
        ),
        Row("retry=retry_never", "on=()"),
        Row(
            "retry=lambda s: s.outcome.failed and s.attempt_number < 3",
            "for attempt in retrying(on=lambda error: attempt.number < 3, wait=0):\n"
            "    with attempt:\n"
            '        page = fetch("url", size=1)',
        ),
        Row(
            "@retry(stop=stop_after_attempt(3))\n"
            "def load():\n"
            "    if fetch() is None:\n"
            "        raise TryAgain\n"
            "load()",
            "@retry(3, wait=0)\n"
            "def load():\n"
            "    if fetch() is None:\n"
            "        raise TryAgain\n"
            "load()",
            "`TryAgain(after=2.5)` also says how long to wait at least.",
            BECOMES_READY,
        ),
        Row(
            "import tenacity.asyncio\n"
            "@retry(retry=tenacity.asyncio.retry_if_result(is_pending))\n"
            "async def load():\n"
            "    return await fetch_async()\n"
            "page = await load()",
            "@retry(None, wait=0)\n"
            "async def load():\n"
            "    page = await fetch_async()\n"
            "    if await is_pending(page):\n"
            "        raise TryAgain\n"
            "    return page\n"
            "page = await load()",
            "Predicates are synchronous; await what has to be awaited in the attempt. The "
            "same for `retry_if_exception`, `retry_any` and `retry_all` of "
            "`tenacity.asyncio`.",
            BECOMES_READY,
        ),
    ),
)

CALLBACKS = Table(
    "Callbacks",
    (
        Row("before=hook", "before_attempt=hook", script=RECOVERS),
        Row(
            "after=hook",
            "on_retry=hook, on_give_up=hook",
            "There, it runs after each failed attempt that `retry=` wants to repeat. Here, "
            "`on_give_up` also runs for an error that is not retryable.",
        ),
        Row("before_sleep=hook", "on_retry=hook"),
        Row(
            "before_sleep=lambda s: (hook(s), hook(s))",
            "on_retry=[hook, hook]",
            "Each field takes several.",
        ),
        Row("before=before_nothing", "", "Leave it out.", default=True),
        Row("after=after_nothing", "", "Leave it out.", default=True),
        Row("before_sleep=before_sleep_nothing", "", "Leave it out.", default=True),
        Row(
            "before=before_log(logger=log, log_level=logging.INFO)",
            'before_attempt=lambda a: log.info("attempt %d of %s", a.number, a.name)',
        ),
        Row(
            "after=after_log(logger=log, log_level=logging.ERROR, sec_format='%.1f')",
            "on_retry=failed, on_give_up=failed",
            'With `def failed(a): log.error("%s after %.1f s: %r", a.name, a.elapsed, a.error)`.',
            setup=(
                "",
                'def failed(a): log.error("%s after %.1f s: %r", a.name, a.elapsed, a.error)',
            ),
        ),
        Row(
            "before_sleep=before_sleep_log(logger=log, log_level=logging.WARNING, exc_info=True, "
            "sec_format='%.1f')",
            'on_retry=lambda a: log.warning("next in %.1f s", a.next_wait, exc_info=a.error)',
            "Only for a logger of your own: `retrying_elegant` logs each retry and each "
            "give-up by default.",
        ),
        Row(
            "@retry(stop=stop_after_attempt(3), before_sleep=hook_async, reraise=True)\n"
            "async def load():\n"
            "    return await fetch_async()\n"
            "page = await load()",
            "@retry(3, wait=0, on_retry=hook_async)\n"
            "async def load():\n"
            "    return await fetch_async()\n"
            "page = await load()",
            "A hook that raises ends the call there; here it is logged, and the call continues.",
        ),
    ),
)

DETAILS = Table(
    "What a callback is given",
    (
        Row("s.attempt_number", "a.number"),
        Row(
            's.get_fn_name().rpartition(".")[2]',
            "a.name",
            "The qualified name, without its module.",
        ),
        Row("s.args", "a.args"),
        Row("s.kwargs", "dict(a.kwargs)"),
        Row("s.outcome.failed", "a.error is not None"),
        Row("s.outcome.exception()", "a.error"),
        Row(
            "s.outcome.result()",
            "a.result",
            script=("no page",),
            also=("retry=retry_always", "until=lambda page: False"),
        ),
        Row("s.next_action.sleep", "a.next_wait", also=("wait=wait_fixed(2)", "wait=2")),
        Row("s.upcoming_sleep", "a.next_wait", also=("wait=wait_fixed(2)", "wait=2")),
        Row("s.seconds_since_start", "a.elapsed", "Here it keeps counting.", SLOW),
        Absent(
            "`s.idle_for`",
            "Waits are not added up. `a.elapsed` includes everything, `a.waited` is the "
            "wait before this attempt.",
        ),
        Absent(
            "`s.start_time`, `s.outcome_timestamp`",
            "They are clock readings, used to compute what `a.elapsed` says.",
        ),
        Absent(
            "`s.retry_object`, `s.fn`",
            "An attempt has no reference to its function or policy. The function has `.policy`.",
        ),
        Absent(
            "`s.set_result`, `s.set_exception`, `s.prepare_for_next_attempt`",
            "An attempt is read-only, except for `attempt.result` in a loop.",
        ),
    ),
    details=("before_sleep=lambda s: seen.append({})", "on_retry=lambda a: seen.append({})"),
)

END = Table(
    "How it ends",
    (
        Row("reraise=True", "", "Nothing to write: your own error is always raised.", default=True),
        Row(
            "reraise=False",
            "fallback=wrapped",
            "The default there. Here your own error is never wrapped, because every `except` "
            "clause around the function would have to know it.",
        ),
        Row(
            "reraise=False, retry_error_cls=Unavailable",
            "fallback=unavailable",
            "With `def unavailable(a): raise Unavailable(a.name) from a.error`.",
            setup=(
                "class Unavailable(RetryError): __str__ = lambda self: ''",
                UNAVAILABLE,
            ),
        ),
        Row('retry_error_callback=lambda s: "stale"', 'fallback=lambda a: "stale"'),
        Row(
            "retry=retry_if_result(lambda page: page < 3), "
            "retry_error_callback=lambda s: s.outcome.result()",
            "on=(), until=lambda page: page >= 3, fallback=lambda a: a.result",
            script=(1, 2, 1),
        ),
        Row(
            "try:\n"
            "    load.retry_with(reraise=False)()\n"
            "except RetryError as error:\n"
            "    seen.append(error.last_attempt.attempt_number)",
            "try:\n    load()\nexcept OSError as error:\n    seen.append(given_up(error).attempts)",
            "The same for `error.reraise()`: there is nothing to unwrap.",
        ),
        Row(
            "page = load()\nseen.append(load.statistics['attempt_number'])",
            "for attempt in retrying(load.policy):\n"
            "    with attempt:\n"
            "        page = fetch()\n"
            "seen.append(attempt.number)",
            script=RECOVERS,
        ),
        Row(
            "page = load()\nseen.append(load.statistics['attempt_number'])",
            "load = retry(load.policy, on_success=hook)(fetch)\npage = load()",
            script=RECOVERS,
        ),
        Row(
            "page = load()\nseen.append(load.statistics['attempt_number'])",
            "with instrumentation.observe(on_recovery=hook):\n    page = load()",
            "For functions of others. In tests: [the fixture `attempts_of`]"
            "(testing.md#count-the-attempts-of-a-function-you-cannot-change).",
            script=RECOVERS,
        ),
        Row(
            "try:\n    load()\nexcept OSError:\n    seen.append(load.statistics['attempt_number'])",
            "try:\n    load()\nexcept OSError as error:\n    seen.append(given_up(error).attempts)",
        ),
        Absent(
            "`statistics['start_time']`, `['idle_for']`, `['delay_since_first_attempt']`",
            "A function has no statistics, because concurrent calls would overwrite each "
            "other's. For one call, use its hooks, its loop variable and `given_up(error)`;"
            " for the whole process, use `instrumentation`.",
        ),
    ),
)

OTHERS = Table(
    "Name, switch, sleep, tests",
    (
        Row(
            'name="shop", before_sleep=lambda s: seen.append(str(s.retry_object))',
            'name="shop", on_retry=lambda a: seen.append(a.name)',
        ),
        Row("enabled=False", "attempts=1", "In tests, for every policy: `with testing.off():`."),
        Row(
            "wait=wait_fixed(2), sleep=sleep_using_event(event)",
            "wait=0, on_retry=lambda a: event.wait(2)",
            "Wakes early when the event is set.",
            sync_only=True,
        ),
        Row(
            "load.retry.sleep = seen.append\npage = load()",
            "with testing.instant() as time:\n    page = load()\nseen.extend(time.waits)",
            "This applies to the whole process, whatever is called in it.",
            script=RECOVERS,
            ignored=frozenset({"pauses"}),
        ),
        Row(
            "load.retry.wait = wait_none()\npage = load()",
            "with testing.instant():\n    page = load()",
            "Without touching the function, and for every function at once.",
            script=RECOVERS,
            ignored=frozenset({"pauses"}),
        ),
        Row(
            "from unittest import mock\n"
            "with mock.patch('tenacity.nap.time.sleep', seen.append):\n"
            "    page = load()",
            "with testing.instant() as time:\n    page = load()\nseen.extend(time.waits)",
            "Async waits too.",
            script=RECOVERS,
            ignored=frozenset({"pauses"}),
        ),
        Row(
            "load.retry.stop = stop_after_attempt(2)\npage = load()",
            "with testing.limit(2):\n    page = load()",
            "`with testing.off():` for a single attempt.",
        ),
        Absent(
            "`sleep=trio.sleep`, `TornadoRetrying(sleep=gen.sleep)`",
            "Waits use the library that runs the task, asyncio or trio, which is detected "
            "at run time. Tornado's decorated coroutines are not supported; `async def` "
            "ones are.",
        ),
        Absent(
            "`retry_base`, `stop_base`, `wait_base`",
            "Use any callable, without a base class.",
        ),
        Absent(
            "`BaseRetrying` (`begin`, `iter`, `iter_state`), `RetryCallState`, `AttemptManager`, "
            "`Future`, `BaseAction`, `RetryAction`, `DoAttempt`, `DoSleep`, `NO_RESULT`, "
            "`WrappedFn`",
            "They are internals. Here, internals are not public.",
        ),
    ),
)


def _public() -> Names:
    import tenacity
    import tenacity.asyncio

    names: Names = {*tenacity.__all__, *tenacity.asyncio.__all__}
    for kind in (tenacity.Retrying, tenacity.AsyncRetrying):
        names |= {*inspect.signature(kind).parameters, *attributes(kind)}
    names |= attributes(tenacity.RetryCallState(tenacity.Retrying(), None, (), {}))
    names |= attributes(tenacity.AttemptManager(None)) | {"last_attempt", "reraise"}
    decorated = tenacity.retry(lambda: None)
    decorated()
    names |= {name for name in vars(decorated) if not name.startswith("_")}
    names |= set(decorated.statistics)
    for name in tenacity.__all__:
        if re.match("(stop|wait|retry|before|after|sleep)_", name):
            names |= parameters(name, getattr(tenacity, name))
    return names


LIBRARY = Library(
    name="tenacity",
    modules=("tenacity",),
    imports="from tenacity import *",
    decorator="retry",
    base=("stop=stop_after_attempt(5), reraise=True", "wait=0"),
    load=(
        "retry(stop=stop_after_attempt(5), wait=wait_fixed(2), reraise=True)(fn)",
        "retry(wait=2)(fn)",
    ),
    hook=lambda state: state.attempt_number,
    tables=(FORMS, STOP, WAIT, RETRY, CALLBACKS, DETAILS, END, OTHERS),
    public=_public,
)
