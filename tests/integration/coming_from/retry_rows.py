"""Rows for those who come from retry or retry2, which are both imported as ``retry``."""

from __future__ import annotations

import inspect

from .rows import LOST, RECOVERS, WRONG, Absent, Library, Names, Row, Table

KEYWORDS = Table(
    "Keywords of `retry` and `retry_call`",
    (
        Row("@retry()", "@retry(None, wait=0)", script=(LOST,) * 20 + ("page",)),
        Row(
            "@retry((OSError, KeyError), tries=3, delay=2)",
            "@retry(3, on=(OSError, KeyError), wait=2)",
            script=(LOST, WRONG),
        ),
        Row("exceptions=OSError", "on=OSError", script=(LOST, WRONG)),
        Row("tries=3", "attempts=3"),
        Row("tries=-1", "attempts=None", script=(LOST,) * 20 + ("page",)),
        Row("delay=2", "wait=2"),
        Row("delay=1, backoff=2", "wait=backoff.exponential(1, jitter=0)"),
        Row("delay=1, backoff=2, max_delay=3", "wait=backoff.exponential(1, cap=3, jitter=0)"),
        Row(
            "delay=1, jitter=2",
            "wait=backoff.linear(1, 2, jitter=0)",
            "Their `jitter` is not random: it is added to each wait, and kept in the next.",
        ),
        Row(
            "delay=1, jitter=(0, 3)",
            "wait=lambda a: a.waited + random.uniform(0, 3) if a.number > 1 else 1",
        ),
        Row(
            "delay=1, backoff=2, jitter=(0, 3), max_delay=6",
            "wait=lambda a: min(6, a.waited * 2 + random.uniform(0, 3)) if a.number > 1 else 1",
            "For jitter in the usual sense: `wait=backoff.exponential(1, cap=6)`.",
        ),
        Row(
            "on_exception=hook",
            "on_retry=lambda a: hook(a.error), on_give_up=lambda a: hook(a.error)",
            "Only in retry2.",
        ),
        Row(
            "on_exception=lambda error: True",
            "unless=lambda error: True",
            "Not the same: there, the call then returns `None` as if it had succeeded. Here"
            " the error is raised.",
            differ={"outcome": (None, ("raised", ("OSError", "down")))},
        ),
        Row(
            "logger=log",
            'on_retry=lambda a: log.warning("%r", a)',
            "In addition, the logger `retrying_elegant` has a WARNING for each.",
            RECOVERS,
        ),
        Row(
            "logger=log, log_traceback=True",
            'on_retry=lambda a: (log.warning("%r", a), log.warning("as follows", '
            "exc_info=a.error))",
            "Only in retry2.",
            RECOVERS,
        ),
        Row(
            "page = retry_call(fetch, tries=3, logger=None)",
            "page = retry(3, wait=0, log_level=None)(fetch)()",
            loggers=("retry.api", "retrying_elegant"),
        ),
        Row(
            'page = retry_call(f=fetch, fargs=["url"], fkwargs={"size": 1}, tries=3)',
            'page = retry(3, wait=0)(fetch)("url", size=1)',
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
        Absent("`tries=0`", "It returns `None` without a call. `attempts` is at least 1."),
    ),
)


def _public() -> Names:
    import retry

    names: Names = set(retry.__all__)
    for fn in (retry.api.retry, retry.api.retry_call):
        names |= set(inspect.signature(fn).parameters)
    return names


LIBRARY = Library(
    name="retry and retry2",
    modules=("retry",),
    imports="from retry import retry\nfrom retry.api import retry_call",
    decorator="retry",
    base=("tries=5", "wait=0"),
    load=("retry(tries=5, delay=2)(fn)", "retry(wait=2)(fn)"),
    hook=str,
    tables=(KEYWORDS,),
    has_async=False,
    public=_public,
)
