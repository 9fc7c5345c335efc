"""
Compare: what each library does by default, and what it costs, as one table.

    pip install --editable '.[benchmark]'
    python tests/benchmarks/compare.py

Nothing here is written from memory: each cell is what the library did in this process, with
sleeping replaced for all of them.  Costs are the fastest of many batches, as a ratio to a wrapper
that does nothing.
"""

from __future__ import annotations

import asyncio
import datetime
import importlib.metadata
import logging
import platform
import socket
import traceback
from typing import TYPE_CHECKING, Any
from unittest import mock

import by_hand
from timing import Effort, nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Call = Callable[[Callable[[], Any]], Any]  # calls a function under the defaults

LIMIT = 200  # calls after which "no limit" is believed


class Enough(BaseException):
    """Ends a library that would try for ever."""


def ours(fn: Callable[[], Any]) -> Any:
    """With nothing said at all."""
    from retrying_elegant import retry

    return retry(fn)()


def tenacity(fn: Callable[[], Any]) -> Any:
    """Likewise."""
    import tenacity

    return tenacity.retry(fn)()


def stamina(fn: Callable[[], Any]) -> Any:
    """It has no default for what is retried."""
    import stamina

    return stamina.retry(on=Exception)(fn)()


def backoff(fn: Callable[[], Any]) -> Any:
    """It has no default for how to wait, nor for what is retried."""
    import backoff

    return backoff.on_exception(backoff.expo, Exception)(fn)()


CALLS: dict[str, Call] = {
    "retrying_elegant": ours,
    "tenacity": tenacity,
    "stamina": stamina,
    "backoff": backoff,
}


def loops() -> dict[str, Iterable[Any]]:
    """Make the loop around a block, of each library that has one."""
    import stamina
    import tenacity

    from retrying_elegant import retrying

    return {
        "retrying_elegant": retrying(),
        "tenacity": tenacity.Retrying(),
        "stamina": stamina.retry_context(on=Exception),
    }


class Watched:
    """A function that always fails, and what was slept between its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.waits: list[float] = []

    def __call__(self) -> None:
        self.calls += 1
        if self.calls > LIMIT:
            raise Enough
        raise ConnectionError("no answer")

    def play(self, call: Call) -> BaseException:
        """Call it, and return what was raised in the end."""

        def fetch() -> None:
            self()

        with mock.patch("time.sleep", self.waits.append):
            try:
                call(fetch)
            except (Exception, Enough) as error:
                return error
        raise AssertionError


def behavior(call: Call) -> dict[str, str]:
    """What a call that always fails comes to."""
    first, second = Watched(), Watched()
    error = first.play(call)
    second.play(call)
    endless = first.calls > LIMIT
    frames = [] if endless else traceback.extract_tb(error.__traceback__)
    own = [
        frame for frame in frames if "site-packages" in frame.filename or "src" in frame.filename
    ]
    return {
        "attempts": "no limit" if endless else str(first.calls),
        "waits": "none"
        if not any(first.waits)
        else "jittered"
        if first.waits != second.waits
        else "fixed",
        "raises": "-" if endless else type(error).__name__,
        "reports how many attempts were made": "-"
        if endless
        else "yes, in a note"
        if getattr(error, "__notes__", None)
        else "no",
        "traceback frames of the library": "-" if endless else str(len(own)),
    }


def once() -> Callable[[], Any]:
    """Return a function that fails only when it is first called."""
    errors = [ConnectionError("no answer")]

    def fails() -> None:
        if errors:
            raise errors.pop()

    return fails


def forms(name: str, call: Call) -> dict[str, str]:
    """What is retried besides functions: each of these fails once."""

    def survives(run: Callable[[], Any]) -> bool:
        with mock.patch("time.sleep"):
            try:
                run()
            except ConnectionError:
                return False
        return True

    def coroutine(fails: Callable[[], Any]) -> Callable[[], Any]:
        async def fetch() -> None:
            fails()

        return lambda: asyncio.run(call(fetch))

    def generator(early: Callable[[], Any], late: Callable[[], Any]) -> Callable[[], Any]:
        def items() -> Iterator[int]:
            early()
            yield 1
            late()

        return lambda: list(call(items))

    def block(fails: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> None:
            for attempt in loops()[name]:
                with attempt:
                    fails()

        return run

    started_over = survives(generator(bool, once()))
    until_the_first = survives(generator(once(), bool))
    return {
        "retries coroutine functions": "yes" if survives(coroutine(once())) else "no",
        "retries generators": "starts over"
        if started_over
        else "until the first item"
        if until_the_first
        else "no",
        "retries a block in place": "yes" if name in loops() and survives(block(once())) else "no",
    }


def urllib3_behavior() -> dict[str, str]:
    """The same of ``urllib3.Retry()``, against a port where nothing listens."""
    import urllib3

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    attempts: list[int] = []
    connect = urllib3.util.connection.create_connection
    waits: list[float] = []

    def counted(*args: Any, **kwargs: Any) -> Any:
        attempts.append(1)
        return connect(*args, **kwargs)

    with (
        mock.patch("time.sleep", waits.append),
        mock.patch("urllib3.util.connection.create_connection", counted),
    ):
        try:
            pool = urllib3.PoolManager(retries=urllib3.Retry())
            pool.request("GET", f"http://127.0.0.1:{port}/")
        except urllib3.exceptions.HTTPError as error:
            raised = type(error).__name__
    return {
        "attempts": str(len(attempts)),
        "waits": "jittered" if any(waits) else "none",
        "raises": raised,
        "reports how many attempts were made": "no",
    }


def costs() -> dict[str, dict[str, str]]:
    """A success and two failures, as ratios."""
    import contestants
    from quiet import quiet

    rows = {c.name: c for c in contestants.installed(peers=True) if c.name in CALLS}
    effort = Effort(rounds=30)
    with quiet():
        success = nanoseconds(
            {
                "pass-through": ("f(1)", {"f": by_hand.pass_through(by_hand.succeeding())}),
                **{n: ("f(1)", {"f": c.decorate(by_hand.succeeding())}) for n, c in rows.items()},
            },
            effort,
        )
        failure = nanoseconds(
            {
                "hand-written loop": ("f(1)", {"f": by_hand.loop(by_hand.failing(2))}),
                **{n: ("f(1)", {"f": c.decorate(by_hand.failing(2))}) for n, c in rows.items()},
            },
            effort,
        )
    empty, by_hand_twice = success["pass-through"], failure["hand-written loop"]
    return {
        name: {
            "cost of a success (bare wrapper = 1)": f"{success[name] / empty:.1f}",
            "cost of two failures (hand-written loop = 1)": f"{failure[name] / by_hand_twice:.1f}",
        }
        for name in rows
    }


def needs(package: str) -> dict[str, str]:
    """Return how many packages are installed along with it."""
    required = importlib.metadata.requires(package) or []
    return {"dependencies": str(len([each for each in required if "extra ==" not in each]))}


def main() -> None:
    """Print the table."""
    logging.disable()
    columns = {name: behavior(call) | forms(name, call) for name, call in CALLS.items()}
    for name, found in costs().items():
        columns[name] |= found
    for name in columns:
        columns[name] |= needs(name)
    columns["urllib3 Retry"] = urllib3_behavior() | needs("urllib3")
    rows = list(dict.fromkeys(row for found in columns.values() for row in found))
    versions = [f"{n} {importlib.metadata.version(n.split()[0])}" for n in columns]
    print(f"| | {' | '.join(columns)} |")
    print("|---" * (len(columns) + 1) + "|")
    for row in rows:
        cells = [found.get(row, "-") for found in columns.values()]
        print(f"| {row} | {' | '.join(cells)} |")
    today = datetime.datetime.now(tz=datetime.UTC).date()
    print(f"\nMeasured {today}, CPython {platform.python_version()}: {', '.join(versions)}.")


if __name__ == "__main__":
    main()
