"""Rows for those who come from opnieuw."""

from __future__ import annotations

import inspect

from .rows import (
    BECOMES_READY,
    LOST,
    WRONG,
    Absent,
    Library,
    Names,
    Row,
    Table,
    Takes,
    attributes,
)

KEYWORDS = Table(
    "Keywords and errors",
    (
        Row(
            "@opnieuw.retry(retry_on_exceptions=OSError)",
            "@retry(window(3, 60), on=OSError)",
            "The defaults there.",
        ),
        Row(
            "@opnieuw.retry(retry_on_exceptions=(OSError, KeyError))",
            "@retry(window(3, 60), on=(OSError, KeyError))",
            script=(LOST, WRONG),
        ),
        Row(
            "@opnieuw.retry(retry_on_exceptions=OSError, max_calls_total=6)",
            "@retry(window(6, 60), on=OSError)",
        ),
        Row(
            "@opnieuw.retry(retry_on_exceptions=OSError, max_calls_total=4, "
            "retry_window_after_first_call_in_seconds=120)",
            "@retry(window(4, 120), on=OSError)",
        ),
        Row(
            "@opnieuw.retry(retry_on_exceptions=OSError, max_calls_total=6, "
            "retry_window_after_first_call_in_seconds=31)",
            "@retry(window(6, 31), on=OSError)",
            "In both, attempts that take long use the window up.",
            (Takes(8, LOST),),
        ),
        Row(
            "@opnieuw.retry_async(retry_on_exceptions=OSError)\n"
            "async def load():\n"
            "    return await fetch_async()\n"
            "page = await load()",
            "@retry(window(3, 60), on=OSError)\n"
            "async def load():\n"
            "    return await fetch_async()\n"
            "page = await load()",
        ),
        Row(
            "@opnieuw.retry(retry_on_exceptions=opnieuw.RetryException)\n"
            "def load():\n"
            "    page = fetch()\n"
            "    if page is None:\n"
            "        raise opnieuw.RetryException\n"
            "    return page\n"
            "page = load()",
            "@retry(window(3, 60), on=())\n"
            "def load():\n"
            "    page = fetch()\n"
            "    if page is None:\n"
            "        raise TryAgain\n"
            "    return page\n"
            "page = load()",
            script=BECOMES_READY,
        ),
        Row(
            "try:\n    load()\nexcept OSError as error:\n    seen.append(error.__cause__)",
            "try:\n    load()\nexcept OSError as error:\n    seen.append(error.__cause__)",
            "Not the same: there, your own cause is replaced by the previous error. Here, "
            "earlier errors are listed in the note and in `given_up(error).history`.",
            differ={"seen": ([("OSError", "down")], [None])},
        ),
    ),
)

TESTS = Table(
    "Tests, and waits of your own",
    (
        Row(
            "from opnieuw.test_util import retry_immediately\n"
            "with retry_immediately():\n"
            "    page = load()",
            "with testing.instant():\n    page = load()",
            "It applies to all threads and tasks.",
            ignored=frozenset({"pauses"}),
        ),
        Row(
            "from opnieuw.util import no_retries\nwith no_retries():\n    page = load()",
            "with testing.off():\n    page = load()",
        ),
        Row(
            "from opnieuw.retries import BackoffCalculator, replace_backoff_calculator\n"
            "class Patient(BackoffCalculator):\n"
            "    def get_backoff(self, exception=None):\n"
            "        self.backoffs += 1\n"
            "        return 5 if self.backoffs < self.max_calls_total else None\n"
            "with replace_backoff_calculator(Patient):\n"
            "    page = load()",
            "page = retry(load.policy, wait=5, timeout=None)(load.__wrapped__)()",
            "No setting reaches into a function from outside: give it a policy.",
        ),
        Absent(
            '`namespace="shop"`, for `retry_immediately(namespace="shop")`, '
            '`no_retries(namespace="shop")` and `replace_backoff_calculator(state, '
            'namespace="shop")`',
            "The switches of `testing` apply to everything. To treat functions differently,"
            " give them different policies.",
        ),
        Absent(
            "`Clock`, `MonotonicClock`, `DummyClock` (`advance_to`, `seconds_since_epoch`), "
            "`WaitLessBackoff`, `NoRetryBackoff`, `calculate_exponential_multiplier`",
            "`testing.instant()` has a clock that jumps by each wait, and freezegun works with it.",
        ),
        Absent(
            "`BackoffCalculator` (`clock`, `deadline_second`, `base_in_seconds`, `backoffs`, "
            "`get_backoff`)",
            "A wait is a value or a function of the failed attempt; `policy.preview()` "
            "shows what will happen.",
        ),
    ),
)


def _public() -> Names:
    import opnieuw
    import opnieuw.clock
    import opnieuw.retries
    import opnieuw.test_util
    import opnieuw.util

    names: Names = set(opnieuw.__all__) | set(inspect.signature(opnieuw.retry).parameters)
    for module in (opnieuw.clock, opnieuw.retries, opnieuw.test_util, opnieuw.util):
        for name, thing in vars(module).items():
            is_its_own = getattr(thing, "__module__", None) == module.__name__
            is_type_variable = hasattr(thing, "__bound__")
            if is_its_own and not is_type_variable and name[0] != "_":
                names.add(name)
    names |= attributes(opnieuw.clock.DummyClock) | {"retry_on_exceptions", "namespace"}
    names |= attributes(opnieuw.retries.BackoffCalculator(opnieuw.clock.DummyClock(), 3, 60))
    return names


LIBRARY = Library(
    name="opnieuw",
    modules=("opnieuw",),
    imports="import opnieuw",
    decorator="opnieuw.retry",
    base=("retry_on_exceptions=OSError", "**vars(window(3, 60))"),
    load=(
        "opnieuw.retry(retry_on_exceptions=OSError)(fn)",
        "retry(window(3, 60), on=OSError)(fn)",
    ),
    hook=repr,
    tables=(KEYWORDS, TESTS),
    public=_public,
)
