"""Rows for those who come from stamina."""

from __future__ import annotations

import inspect

from .rows import (
    LATE,
    LOST,
    RECOVERS,
    WRONG,
    Absent,
    Library,
    Names,
    Raises,
    Row,
    Table,
    Takes,
    attributes,
    parameters,
)

# Where the page shows no statements: what counts the retries, and what hears of them.
COUNT = """
from prometheus_client import REGISTRY
def count():
    samples = [each for metric in REGISTRY.collect() for each in metric.samples]
    return sum(each.value for each in samples if each.name == "{}_retries_total")
before = count()
"""
LISTEN = """
import structlog
structlog.configure(processors=[lambda *event: seen.append(event[1]) or ""])
"""
THEIR_HOOK = """
stamina.instrumentation.set_on_retry_hooks([lambda d: seen.append({})])
page = load("url", size=1)
"""
OUR_HOOK = """
with instrumentation.observe(on_retry=lambda a: seen.append({})):
    page = load("url", size=1)
"""

FOREVER = (LOST,) * 20 + ("page",)

KEYWORDS = Table(
    "Keywords of `retry` and `retry_context`",
    (
        Row(
            "@stamina.retry(on=OSError)",
            "@retry(10, on=OSError, timeout=45, wait=plus_random(0.1, 2, cap=5, most=1))",
            "The defaults there. With the defaults here: `@retry(on=OSError, timeout=45)`.",
        ),
        Row(
            "on=(KeyError, ValueError)",
            "on=(KeyError, ValueError)",
            script=(WRONG, Raises(KeyError), LOST),
        ),
        Row(
            "on=lambda error: str(error) == 'down'",
            "on=lambda error: str(error) == 'down'",
            script=(LOST, LATE),
        ),
        Row(
            "on=lambda error: 7.0",
            "on=lambda error: TryAgain(after=7), wait=0",
            "Here the seconds are added to the wait, and so are spread by its jitter.",
            RECOVERS,
        ),
        Row(
            "on=lambda error: timedelta(seconds=7) if isinstance(error, TimeoutError) else True",
            "on=lambda error: TryAgain(after=7) if isinstance(error, TimeoutError) else True, "
            "wait=lambda a: plus_random(0.1, 2, cap=5, most=1)(a) if a.hint is None else 0",
            "Exactly the same: no backoff if there is a hint.",
            (LOST, LATE, LOST, "page"),
        ),
        Row("attempts=3", "attempts=3"),
        Row("attempts=None, timeout=None", "attempts=None, timeout=None", script=FOREVER),
        Row("timeout=10", "timeout=10", script=(Takes(4.8, LOST),)),
        Row(
            "timeout=timedelta(seconds=10)",
            "timeout=timedelta(seconds=10)",
            script=(Takes(4.8, LOST),),
        ),
        Row(
            "timeout=10, wait_initial=4, wait_exp_base=1, wait_jitter=0",
            "timeout=10, wait=4",
            "Not the same: there, the last wait runs past the limit and an attempt follows "
            "it. Here, a wait that would end too late is not begun.",
            differ={"calls": (4, 3), "pauses": ([4, 4, 4], [4, 4])},
        ),
        Row("wait_initial=0.5", "wait=plus_random(0.5, 2, cap=5, most=1)"),
        Row("wait_max=2", "wait=plus_random(0.1, 2, cap=2, most=1)"),
        Row("wait_jitter=3", "wait=plus_random(0.1, 2, cap=5, most=3)"),
        Row("wait_jitter=0", "wait=backoff.exponential(0.1, cap=5, jitter=0)"),
        Row("wait_exp_base=3", "wait=plus_random(0.1, 3, cap=5, most=1)"),
        Row(
            "wait_initial=timedelta(seconds=1), wait_max=timedelta(seconds=4), "
            "wait_jitter=timedelta(0), timeout=None",
            "wait=backoff.exponential(timedelta(seconds=1), cap=timedelta(seconds=4), jitter=0), "
            "timeout=None",
        ),
    ),
)

FORMS = Table(
    "Forms",
    (
        Row(
            "for attempt in stamina.retry_context(on=OSError, attempts=3, wait_jitter=0):\n"
            "    with attempt:\n"
            "        page = fetch()",
            "for attempt in retrying(3, on=OSError, wait=backoff.exponential(0.1, jitter=0)):\n"
            "    with attempt:\n"
            "        page = fetch()",
        ),
        Row(
            "async for attempt in stamina.retry_context(on=OSError, attempts=3, wait_jitter=0):\n"
            "    with attempt:\n"
            "        page = await fetch_async()",
            "async for attempt in retrying(3, on=OSError, wait=backoff.exponential(0.1, "
            "jitter=0)):\n"
            "    async with attempt:\n"
            "        page = await fetch_async()",
        ),
        Row(
            "for attempt in stamina.retry_context(on=OSError, wait_jitter=0):\n"
            "    with attempt:\n"
            "        seen.append(attempt.num)\n"
            "        seen.append(attempt.next_wait)\n"
            "        page = fetch()",
            "wait = backoff.exponential(0.1, jitter=0)\n"
            "for attempt in retrying(on=OSError, wait=wait):\n"
            "    with attempt:\n"
            "        seen.append(attempt.number)\n"
            "        seen.append(wait.bounds(attempt.number)[0])\n"
            "        page = fetch()",
            "`attempt.next_wait` is the wait itself, known once the retry has been decided.",
            RECOVERS,
        ),
        Row(
            "call = stamina.RetryingCaller(attempts=3, wait_initial=2, wait_max=2, wait_jitter=0)\n"
            'page = call(OSError, fetch, "url", size=1)',
            'NET = Policy(3, wait=2)\npage = retry(NET, on=OSError)(fetch)("url", size=1)',
            "`BoundRetryingCaller` is what `call.on(OSError)` returns.",
        ),
        Row(
            "caller = stamina.RetryingCaller(attempts=3, wait_initial=2, wait_max=2, "
            "wait_jitter=0)\n"
            "call = caller.on(OSError)\n"
            'page = call(fetch, "url", size=1)',
            'with retrying(3, on=OSError, wait=2) as call:\n    page = call(fetch, "url", size=1)',
            "`timeout` is then one deadline for all calls in the block.",
        ),
        Row(
            "caller = stamina.AsyncRetryingCaller(attempts=3, wait_jitter=0, wait_exp_base=1)\n"
            'page = await caller.on(OSError)(fetch_async, "url", size=1)',
            "async with retrying(3, on=OSError, wait=0.1) as call:\n"
            '    page = await call(fetch_async, "url", size=1)',
        ),
        Row(
            "@stamina.retry(on=OSError, wait_jitter=0)\n"
            "def lines():\n"
            "    yield fetch()\n"
            "    yield 'the end'\n"
            "page = list(lines())",
            "@retry(10, on=OSError, wait=backoff.exponential(0.1, jitter=0))\n"
            "def lines():\n"
            "    yield fetch()\n"
            "    yield 'the end'\n"
            "page = list(lines())",
            script=RECOVERS,
        ),
        Row(
            "@stamina.retry(on=OSError, wait_jitter=0)\n"
            "async def lines():\n"
            "    yield await fetch_async()\n"
            "page = [line async for line in lines()]",
            "@retry(10, on=OSError, wait=backoff.exponential(0.1, jitter=0))\n"
            "async def lines():\n"
            "    yield await fetch_async()\n"
            "page = [line async for line in lines()]",
            script=RECOVERS,
        ),
        Row(
            "@stamina.retry(on=OSError, wait_jitter=0)\n"
            "def lines():\n"
            "    yield 'the beginning'\n"
            "    yield fetch()\n"
            "for line in lines():\n"
            "    seen.append(line)",
            "@retry(10, on=OSError, wait=backoff.exponential(0.1, jitter=0))\n"
            "def lines():\n"
            "    yield 'the beginning'\n"
            "    yield fetch()\n"
            "for line in lines():\n"
            "    seen.append(line)",
            "Not the same: there, the generator starts over after it has produced items, "
            "and its consumer sees them again. Here the error is raised.",
            RECOVERS,
            differ={
                "calls": (3, 1),
                "pauses": ([0.1, 0.2], []),
                "outcome": (None, ("raised", ("OSError", "down"))),
                "seen": (["the beginning"] * 3 + ["page"], ["the beginning"]),
            },
        ),
        Absent(
            "`BoundRetryingCaller`, `BoundAsyncRetryingCaller`",
            "They are what `.on(...)` returns there. A `Policy` with `on` is enough.",
        ),
        Absent(
            "`Attempt`",
            "For annotations, use `retrying_elegant.Attempt`. In both libraries only loops "
            "create one.",
        ),
    ),
)

TESTS = Table(
    "Switches and tests",
    (
        Row(
            "stamina.set_active(False)\npage = load()",
            "with testing.off():\n    page = load()",
            "This applies to the whole process, until the `with` ends.",
        ),
        Row(
            "with stamina.set_testing(True):\n    page = load()",
            "with testing.off():\n    page = load()",
        ),
        Row(
            "with stamina.set_testing(True, attempts=3, cap=True):\n    page = load()",
            "with testing.limit(3), testing.instant():\n    page = load()",
            "`testing.instant()` skips the waits, and lists them.",
            ignored=frozenset({"pauses"}),
        ),
        Row(
            "with stamina.set_testing(True, attempts=8):\n    page = load()",
            "with testing.limit(8), testing.instant():\n    page = load()",
            "Not the same: `load` makes 5 attempts, and a test cannot raise that.",
            differ={"calls": (8, 5)},
            ignored=frozenset({"pauses"}),
        ),
        Absent(
            "`stamina.is_active()`, `stamina.is_testing()`",
            "The switches are context managers: the code shows where they apply.",
        ),
        Absent(
            "`set_active(active=...)`, `set_testing(testing=...)` without `with`",
            "In a pytest fixture: `with testing.off(): yield`.",
        ),
    ),
)

HOOKS = Table(
    "Instrumentation",
    (
        Row(
            "stamina.instrumentation.set_on_retry_hooks([hook])\npage = load()",
            "with instrumentation.observe(on_retry=hook):\n    page = load()",
            "Without `with`, it applies until you call `.close()` on what it returns. There"
            " are `on_give_up` and `on_recovery`, too.",
        ),
        Row(
            "def late():\n"
            "    return hook\n"
            "factory = stamina.instrumentation.RetryHookFactory(hook_factory=late)\n"
            "stamina.instrumentation.set_on_retry_hooks(hooks=[factory])\n"
            "page = load()",
            "def late(a):\n"
            "    hook(a)  # import here what is slow to import\n"
            "with instrumentation.observe(on_retry=late):\n"
            "    page = load()",
        ),
        Row(
            "stamina.instrumentation.set_on_retry_hooks([stamina.instrumentation.LoggingOnRetryHook])\n"
            "page = load()",
            "page = load()",
            "The logger `retrying_elegant` always logs it, and each give-up.",
            RECOVERS,
            loggers=("stamina", "retrying_elegant"),
        ),
        Row(
            "stamina.instrumentation.set_on_retry_hooks([stamina.instrumentation.PrometheusOnRetryHook])\n"
            "page = load()",
            "with instrumentation.prometheus():\n    page = load()",
            "`retrying_elegant_retries_total{name,error}`.",
            setup=(COUNT.format("stamina"), COUNT.format("retrying_elegant")),
            after=("seen.append(count() - before)", "seen.append(count() - before)"),
        ),
        Row(
            "stamina.instrumentation.set_on_retry_hooks([stamina.instrumentation.StructlogOnRetryHook])\n"
            "page = load()",
            "with instrumentation.structlog():\n    page = load()",
            "It logs give-ups, too.",
            RECOVERS,
            setup=(LISTEN, LISTEN),
            after=("structlog.reset_defaults()", "structlog.reset_defaults()"),
        ),
        Row(
            "stamina.instrumentation.set_on_retry_hooks([])\npage = load()",
            'logging.getLogger("retrying_elegant").setLevel(logging.ERROR)\npage = load()',
            "For one policy: `log_level=None`. Nothing else is notified unless you configure it.",
            loggers=("stamina", "retrying_elegant"),
        ),
        Absent(
            "`get_on_retry_hooks()`",
            "Each part of a program closes what it has opened, and does not need to know "
            "the others.",
        ),
        Absent(
            "`get_prometheus_counter()`",
            "Pass your own registry to `instrumentation.prometheus(registry)`, and query that.",
        ),
        Absent(
            "a `RetryHook` that returns a context manager, to be held open during the wait",
            "Open it in `on_retry` and close it in `before_attempt`, for a policy; observers of "
            "the process "
            "only see the retry.",
        ),
    ),
)

DETAILS = Table(
    "What a hook is given",
    (
        Row("d.name.rpartition('.')[2]", "a.name", "The qualified name, without its module."),
        Row("d.args", "a.args"),
        Row("d.kwargs", "dict(a.kwargs)"),
        Row(
            "d.retry_num",
            "a.number",
            "The number of the failed attempt, which is also the number of the retry.",
        ),
        Row("d.wait_for", "a.next_wait"),
        Row("d.caused_by", "a.error"),
        Absent(
            "`d.waited_so_far`",
            "Waits are not added up. `a.elapsed` includes everything, `a.waited` is the "
            "wait before this attempt.",
        ),
        Absent("`RetryDetails`", "Hooks receive the `Attempt`, as everything else does."),
    ),
    details=(
        THEIR_HOOK,
        OUR_HOOK,
    ),
)


def _reset() -> None:
    import stamina

    stamina.set_active(True)
    stamina.set_testing(False)
    stamina.instrumentation.set_on_retry_hooks([])


def _public() -> Names:
    import stamina
    import stamina.typing

    instrumentation = stamina.instrumentation
    names: Names = {*stamina.__all__, *instrumentation.__all__, *stamina.typing.__all__}
    for fn in (stamina.retry, stamina.retry_context, stamina.RetryingCaller, stamina.set_testing):
        names |= set(inspect.signature(fn).parameters)
    for fn in (stamina.set_active, instrumentation.set_on_retry_hooks):
        names |= set(inspect.signature(fn).parameters)
    names |= parameters("set_testing", stamina.set_testing)
    for kind in (stamina.Attempt, stamina.RetryingCaller, stamina.AsyncRetryingCaller):
        names |= attributes(kind)
    names |= set(inspect.signature(instrumentation.RetryDetails).parameters)
    names |= set(inspect.signature(instrumentation.RetryHookFactory).parameters)
    return names


LIBRARY = Library(
    name="stamina",
    modules=("stamina", "prometheus_client", "structlog"),
    imports="import stamina, stamina.instrumentation",
    decorator="stamina.retry",
    base=(
        "on=OSError",
        "attempts=10, on=OSError, timeout=45, wait=plus_random(0.1, 2, 5, 1)",
    ),
    load=(
        "stamina.retry(on=OSError, attempts=5, wait_initial=2, wait_max=2, wait_jitter=0)(fn)",
        "retry(on=OSError, wait=2)(fn)",
    ),
    hook=lambda details: details.retry_num,
    tables=(KEYWORDS, FORMS, TESTS, HOOKS, DETAILS),
    reset=_reset,
    public=_public,
)
