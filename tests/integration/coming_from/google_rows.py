"""Rows for those who come from google-api-core."""

from __future__ import annotations

import inspect

from .rows import BUSY, LOST, RECOVERS, SLOW, Absent, Library, Names, Raises, Row, Table

try:
    from google.api_core.exceptions import NotFound, ServiceUnavailable, TooManyRequests
except ImportError:  # the rows are then skipped
    NotFound = ServiceUnavailable = TooManyRequests = OSError

UNAVAILABLE = (Raises(ServiceUnavailable), Raises(TooManyRequests), "page")

KEYWORDS = Table(
    "Keywords of `Retry` and `AsyncRetry`",
    (
        Row(
            "@retry.Retry()",
            "@retry(None, on=web.transient, timeout=120, wait=backoff.exponential(1, cap=60))",
            "The defaults there. With the defaults here: `@retry(on=web.transient, timeout=120)`.",
            UNAVAILABLE,
        ),
        Row(
            "predicate=retry.if_transient_error",
            "on=web.transient",
            "`web.transient` also retries 408, 502 and 504, and timeouts.",
            UNAVAILABLE,
        ),
        Row(
            "predicate=retry.if_exception_type(OSError, KeyError)",
            "on=(OSError, KeyError)",
            script=(LOST, Raises(KeyError), "page"),
        ),
        Row(
            "predicate=lambda error: 'busy' in str(error)",
            "on=lambda error: 'busy' in str(error)",
            script=(BUSY, LOST),
        ),
        Row(
            "initial=0.5, maximum=2, multiplier=3",
            "wait=backoff.exponential(0.5, 3, cap=2)",
            "Full jitter in both.",
            (LOST, LOST, LOST, LOST, "page"),
        ),
        Row(
            "timeout=10",
            "timeout=10, fallback=wrapped",
            "There, `google.api_core.exceptions.RetryError` is raised after the timeout, with "
            "your error as its cause. Without `fallback`, your own error is raised here.",
            SLOW,
        ),
        Row("timeout=None", "timeout=None", script=(Raises(OSError),) * 9 + ("page",)),
        Row(
            "on_error=hook",
            "on_retry=lambda a: hook(a.error)",
            "There, it is also called for the failure that ends the call: `on_give_up`.",
            RECOVERS,
        ),
    ),
)

FORMS = Table(
    "Forms",
    (
        Row(
            "NET = retry.Retry(predicate=retry.if_exception_type(OSError))\n"
            "page = NET.with_timeout(60).with_delay(initial=2)(fetch)()",
            "NET = Policy(None, on=OSError, timeout=120, wait=backoff.exponential(1, cap=60))\n"
            "page = retry(NET, timeout=60, wait=backoff.exponential(2, cap=60))(fetch)()",
            "`NET.replace(timeout=60)` returns the changed policy itself.",
            RECOVERS,
        ),
        Row(
            "NET = retry.Retry(initial=2)\n"
            "page = NET.with_predicate(retry.if_exception_type(OSError))(fetch)()",
            "NET = Policy(None, on=web.transient, wait=backoff.exponential(2, cap=60))\n"
            "page = retry(NET, on=OSError)(fetch)()",
            script=RECOVERS,
        ),
        Row(
            "@retry.AsyncRetry(predicate=retry.if_exception_type(OSError))\n"
            "async def load():\n"
            "    return await fetch_async()\n"
            "page = await load()",
            "@retry(None, on=OSError, timeout=120, wait=backoff.exponential(1, cap=60))\n"
            "async def load():\n"
            "    return await fetch_async()\n"
            "page = await load()",
            "One decorator for both.",
            RECOVERS,
        ),
        Absent(
            "`retry.StreamingRetry`, `retry.AsyncStreamingRetry`",
            "They start a generator over after it has produced items. Here, a generator is "
            "retried until its first item.",
        ),
        Absent(
            "`exponential_sleep_generator`, `retry_target`, `exception_factory`, `deadline=`",
            "Parts of its machinery, and deprecated names.",
        ),
    ),
)


def _public() -> Names:
    from google.api_core import retry

    names: Names = set(inspect.signature(retry.Retry).parameters) - {"kwargs"}
    names |= {name for name in dir(retry.Retry) if name.startswith("with_")} - {"with_deadline"}
    return names | {name for name in dir(retry) if name.endswith("Retry")} | {"if_exception_type"}


LIBRARY = Library(
    name="google-api-core",
    modules=("google.api_core",),
    imports="from google.api_core import retry",
    decorator="retry.Retry",
    base=(
        "predicate=retry.if_exception_type(OSError), timeout=60",
        "attempts=None, on=OSError, timeout=60, wait=backoff.exponential(1, cap=60)",
    ),
    load=("fn", "fn"),
    hook=str,
    tables=(KEYWORDS, FORMS),
    has_async=False,
    public=_public,
)
