"""Playing: sends both sides of a row through the same script of failures, and notes what comes.

No side waits.  Theirs run on a frozen clock that ``time.sleep`` and ``asyncio.sleep`` move, ours
inside ``testing.instant()``.  Chance is fixed: whatever is drawn lies at *luck* of its range.
"""

from __future__ import annotations

import ast
import asyncio
import logging
import random
import textwrap
from dataclasses import dataclass
from typing import Any
from unittest import mock

from retrying_elegant import Attempt, testing

from .rows import Library, Raises, Row, Table, Takes

ENOUGH = 70  # calls that no script asks for


class Endless(BaseException):
    """More calls than any script asks for."""


@dataclass
class Trace:
    """
    What one side did.

    Attributes:
        calls: The arguments of each attempt.
        pauses: Seconds between each attempt and the next.
        outcome: What was returned or raised.
        seen: What the row noted.
        logged: The levels of the log records.
    """

    calls: Any
    pauses: list[float]
    outcome: Any
    seen: list[Any]
    logged: list[int]


class Stage:
    """One run of one side: the script, and what is noted meanwhile."""

    def __init__(self, script: tuple[Any, ...], clock: Any, slept: list[float]) -> None:
        self.script = script
        self.clock = clock
        self.slept = slept
        self.calls: list[Any] = []
        self.marks: list[int] = []
        self.seen: list[Any] = []
        self.logged: list[int] = []

    def attempt(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Play one attempt of the script."""
        self.calls.append((args, kwargs))
        self.marks.append(len(self.slept))
        if len(self.calls) > ENOUGH:
            raise Endless
        outcome = self.script[min(len(self.calls), len(self.script)) - 1]
        if isinstance(outcome, Takes):
            self.clock.tick(outcome.seconds)
            outcome = outcome.then
        if isinstance(outcome, Raises):
            raise outcome.kind(outcome.text) from (outcome.cause and outcome.cause())
        return outcome

    def pause(self, seconds: float) -> None:
        """Stand in for a sleep."""
        self.slept.append(seconds)
        self.clock.tick(seconds)

    async def pause_async(self, seconds: float) -> None:
        """Stand in for an async sleep."""
        self.pause(seconds)

    def trace(self, outcome: Any) -> Trace:
        """Sum up."""
        ends = self.marks[1:]
        pauses = [sum(self.slept[a:b]) for a, b in zip(self.marks, ends, strict=False)]
        return Trace(
            calls=self.calls,
            pauses=rounded(pauses),
            outcome=outcome,
            seen=rounded([described(each) for each in self.seen]),
            logged=self.logged,
        )


class FakeEvent:
    """A ``threading.Event`` that is never set, and waited for like any other sleep."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def wait(self, timeout: float | None = None) -> bool:
        self._stage.pause(timeout or 0.0)
        return False

    def is_set(self) -> bool:
        return len(self._stage.calls) >= 3


def rounded(value: Any) -> Any:
    """Give *value* with its floats rounded, so that the order of additions does not matter."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, (list, tuple)):
        return type(value)(map(rounded, value))
    return value


def described(value: Any) -> Any:
    """Give *value*; of an exception what can be compared: a RetryError by what it is about."""
    if not isinstance(value, BaseException):
        return value
    name = type(value).__name__
    if name != "RetryError":
        return name, str(value)
    last = getattr(value, "last_attempt", None)
    if last is None:  # ours
        about = value.__cause__ or value.result
    elif hasattr(last, "has_exception"):  # that of retrying
        about = last.value[1] if last.has_exception else last.value
    else:  # that of tenacity
        about = last.exception() or last.result()
    return name, described(about)


def play(library: Library, table: Table, row: Row, side: int, luck: float, **how: Any) -> Trace:
    """Play one *side* of *row*: 0 is theirs, 1 is ours."""
    kind = table.details
    text = (row.theirs, row.ours)[side]
    if kind is not None:
        text = kind[side].format(text)
    if row.also[side]:
        text = ", ".join(filter(None, (row.also[side], text)))
    return play_text(library, row, side, text, luck, **how)


def play_text(
    library: Library,
    row: Row,
    side: int,
    text: str,
    luck: float,
    *,
    clock: Any,
    names: dict[str, Any],
    asynchronous: bool = False,
) -> Trace:
    """Play *text* as the code of one *side* of *row*."""
    instant = testing.instant()
    stage = Stage(row.script, clock, instant.waits if side else [])
    namespace = _namespace(stage, library, side, names)
    handler = logging.Handler()
    handler.emit = lambda record: stage.logged.append(record.levelno)  # type: ignore[method-assign]
    logger = logging.getLogger(row.loggers[side])
    chance = {
        "random.random": lambda: luck,
        "random.uniform": lambda low, high: low + (high - low) * luck,
        "random.randint": lambda low, high: round(low + (high - low) * luck),
    }
    patches = [mock.patch(name, replacement) for name, replacement in chance.items()]
    if side:
        patches.append(instant)
    else:
        patches.append(mock.patch("time.sleep", stage.pause))
        patches.append(mock.patch("asyncio.sleep", stage.pause_async))
    state = random.getstate(), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        for patch in patches:
            patch.__enter__()
        try:
            _execute(row.setup[side], namespace)
            _execute(_code(library, side, text, asynchronous), namespace)
            outcome = described(namespace.get("page"))
        except Exception as error:
            outcome = "raised", described(error)
        _execute(row.after[side], namespace)
    finally:
        for patch in reversed(patches):
            patch.__exit__(None, None, None)
        logger.removeHandler(handler)
        logger.setLevel(state[1])
        logger.propagate = state[2]
        library.reset()
    return stage.trace(outcome)


def is_keywords(text: str) -> bool:
    """Tell whether *text* is keywords of a call, or nothing at all."""
    try:
        call = ast.parse(f"dict({text})", mode="eval").body
    except SyntaxError:
        return False
    if not isinstance(call, ast.Call) or call.args:
        return False
    return all(each.arg != "page" for each in call.keywords)  # that is an assignment


def is_decorator(text: str) -> bool:
    """Tell whether *text* can stand above any function, a coroutine function too."""
    return text.startswith("@") and "\n" not in text


def _code(library: Library, side: int, text: str, asynchronous: bool) -> str:
    if is_keywords(text):
        decorator = "retry" if side else library.decorator
        text = f"@{decorator}(**{{**dict({library.base[side]}), **dict({text})}})"
    if not is_decorator(text):
        return text
    if asynchronous:
        return textwrap.dedent(f"""
            {text}
            async def load(*args, **kwargs):
                return await fetch_async(*args, **kwargs)
            page = await load("url", size=1)
        """)
    return textwrap.dedent(f"""
        {text}
        def load(*args, **kwargs):
            return fetch(*args, **kwargs)
        page = load("url", size=1)
    """)


def _execute(source: str, namespace: dict[str, Any]) -> None:
    code = compile(source, "<row>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if code.co_flags & 0x80:  # a coroutine, for it awaits
        asyncio.run(eval(code, namespace))
    else:
        exec(code, namespace)


def _namespace(stage: Stage, library: Library, side: int, ours: dict[str, Any]) -> dict[str, Any]:

    def fetch(*args: Any, **kwargs: Any) -> Any:
        return stage.attempt(args, kwargs)

    async def fetch_async(*args: Any, **kwargs: Any) -> Any:
        return stage.attempt(args, kwargs)

    for fn in (fetch, fetch_async):
        fn.__module__, fn.__qualname__ = "shop", fn.__name__
    namespace: dict[str, Any] = {
        "fetch": fetch,
        "fetch_async": fetch_async,
        "seen": stage.seen,
        "event": FakeEvent(stage),
        "log": logging.getLogger("shop"),
        "logging": logging,
        "asyncio": asyncio,
    }
    if side:
        namespace |= ours
    else:
        exec(
            f"import datetime, random\nfrom datetime import timedelta\n{library.imports}", namespace
        )

    def hook(given: Any) -> None:
        is_ours = isinstance(given, Attempt)
        stage.seen.append(given.number if is_ours else library.hook(given))

    async def hook_async(given: Any) -> None:
        hook(given)

    async def is_pending(result: Any) -> bool:
        return result is None

    namespace |= {"hook": hook, "hook_async": hook_async, "is_pending": is_pending}
    namespace["load"] = eval(library.load[side], {**namespace, "fn": fetch})
    if library.has_async:
        namespace["load_async"] = eval(library.load[side], {**namespace, "fn": fetch_async})
    return namespace
