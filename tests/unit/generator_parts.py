"""Generators that play scripts, of both kinds, and scripts for whoever consumes them."""

from __future__ import annotations

import inspect
import sys
from contextlib import suppress
from typing import Any, NamedTuple
from weakref import WeakSet

import pytest
from hypothesis import strategies as st
from ways import run_async


class Lost(Exception):
    """Retried in these tests."""


class Wrong(Exception):
    """Not retried in these tests."""


def _is_error(outcome: Any) -> bool:
    return isinstance(outcome, BaseException) or (
        isinstance(outcome, type) and issubclass(outcome, BaseException)
    )


class Local:
    """Something that the frame of a generator holds."""


def _alive(source: Any) -> Local:
    local = Local()
    source.locals.add(local)
    return local


class Kind(NamedTuple):
    """Sync or async: how such a generator is written, and how it is used."""

    name: str
    playing: Any
    doing: Any
    listed: Any
    verbs: dict[str, Any]

    def exhaust(self, generator: Any) -> None:
        """Consume *generator* to whatever end it has."""

        async def main() -> None:  # the error does not leave it, for asyncio might keep that
            with suppress(Lost, Wrong, StopIteration, StopAsyncIteration):
                while True:
                    await settled(self.verbs["next"](generator))

        run_async(main())

    def first_item(self, function: Any, *args: Any) -> Any:
        """The first item of ``function(*args)``, which is then closed."""

        async def main() -> Any:
            generator = function(*args)
            try:
                return await settled(self.verbs["next"](generator))
            finally:
                await settled(self.verbs["close"](generator))

        return run_async(main())


async def settled(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


def playing(*attempts: list[Any]) -> Any:
    """A generator function: each call plays the next of *attempts*, the last one repeats.

    Errors in them are raised, anything else is an item.  ``calls`` are the arguments of each
    call, ``locals`` what lives as long as the frames do.
    """

    def source(*args: Any, **kwargs: Any) -> Any:
        _local = _alive(source)
        source.calls.append((args, kwargs))
        for outcome in attempts[min(len(source.calls), len(attempts)) - 1]:
            if _is_error(outcome):
                raise outcome
            yield outcome

    source.calls, source.locals = [], WeakSet()
    return source


def playing_async(*attempts: list[Any]) -> Any:
    """The same as an async generator function."""

    async def source(*args: Any, **kwargs: Any) -> Any:
        _local = _alive(source)
        source.calls.append((args, kwargs))
        for outcome in attempts[min(len(source.calls), len(attempts)) - 1]:
            if _is_error(outcome):
                raise outcome
            yield outcome

    source.calls, source.locals = [], WeakSet()
    return source


def listed(generator: Any, items: list[Any] | None = None) -> list[Any]:
    """All items of *generator*, put into *items* one by one."""
    items = [] if items is None else items
    for item in generator:
        items.append(item)
    return items


def listed_async(generator: Any, items: list[Any] | None = None) -> list[Any]:
    items = [] if items is None else items

    async def main() -> None:
        async for item in generator:
            items.append(item)

    run_async(main())
    return items


# What the body of a generator does, step by step: ("item", value, what it does with an error that
# is thrown in at that yield), or ("raise",), or ("return",).
THROWN = [ValueError, Lost, StopIteration, StopAsyncIteration, KeyboardInterrupt]
bodies = st.lists(
    st.one_of(
        st.tuples(
            st.just("item"),
            st.integers(0, 9),
            st.sampled_from(["let it pass", "swallow", "replace", "return", "yield again"]),
        ),
        st.tuples(st.sampled_from(["raise", "return"])),
    ),
    max_size=5,
)


def consumers(*last: Any) -> st.SearchStrategy[list[Any]]:
    """What is done to a generator, step by step; *last* is one more thing that may be."""
    return st.lists(
        st.one_of(
            st.tuples(st.just("next")),
            st.tuples(st.just("send"), st.one_of(st.none(), st.integers(10, 19))),
            st.tuples(st.just("throw"), st.sampled_from(THROWN)),
            st.tuples(*map(st.just, last)),
        ),
        max_size=8,
    )


def doing(body: list[Any], seen: list[Any], failures: int = 0, *, stubborn: bool = False) -> Any:
    """A generator function that does *body*, after so many calls that fail at once.

    It writes down in *seen* what it gets, and which error is being handled as it goes on.  One
    that is *stubborn* goes on after a GeneratorExit as well, where *body* says so.
    """
    left = [Lost] * failures

    def steps() -> Any:
        if left:
            raise left.pop()
        for step in body:
            if step[0] == "raise":
                raise Wrong("in the body")
            if step[0] == "return":
                return "returned"
            _, value, reaction = step
            try:
                seen.append(("got", (yield value)))
            except BaseException as error:
                seen.append(("caught", described(error)))
                if reaction == "let it pass" or (isinstance(error, GeneratorExit) and not stubborn):
                    raise
                if reaction == "replace":
                    raise Wrong("instead") from None
                if reaction == "return":
                    return None
                if reaction == "yield again":
                    yield "again"
            seen.append(("handling", type(sys.exception())))
        return "the end"

    return steps


def doing_async(
    body: list[Any], seen: list[Any], failures: int = 0, *, stubborn: bool = False
) -> Any:
    """The same as an async generator function; it has no return values."""
    left = [Lost] * failures

    async def steps() -> Any:
        if left:
            raise left.pop()
        for step in body:
            if step[0] == "raise":
                raise Wrong("in the body")
            if step[0] == "return":
                return
            _, value, reaction = step
            try:
                seen.append(("got", (yield value)))
            except BaseException as error:
                seen.append(("caught", described(error)))
                if reaction == "let it pass" or (isinstance(error, GeneratorExit) and not stubborn):
                    raise
                if reaction == "replace":
                    raise Wrong("instead") from None
                if reaction == "return":
                    return
                if reaction == "yield again":
                    yield "again"
            seen.append(("handling", type(sys.exception())))

    return steps


def described(error: BaseException | None) -> Any:
    """Type and text, and the same of what is chained to it."""
    if error is None:
        return None
    return type(error), str(error), described(error.__cause__), described(error.__context__)


def transcript(kind: Kind, generator: Any, script: list[Any]) -> list[Any]:
    """What a consumer sees that does *script* to *generator*."""
    seen: list[Any] = []

    async def main() -> None:
        for verb, *args in script:
            try:
                answer = await settled(kind.verbs[verb](generator, *args))
                seen.append((verb, None if verb == "close" else answer))
            except (StopIteration, StopAsyncIteration) as end:
                seen.append((verb, "stopped", type(end), end.args))
            except BaseException as error:
                seen.append((verb, described(error)))
            seen.append(state(generator))
        while state(generator) in ("open", "GEN_SUSPENDED"):  # one error for each of its yields
            with suppress(BaseException):
                await settled(kind.verbs["throw"](generator, ValueError))

    run_async(main())
    return seen


def state(generator: Any) -> str:
    """How far *generator* has got."""
    if inspect.isgenerator(generator):
        return inspect.getgeneratorstate(generator)
    return "running" if generator.ag_running else "finished" if not generator.ag_frame else "open"


SYNC = Kind(
    "sync",
    playing,
    doing,
    listed,
    {
        "next": next,
        "send": lambda generator, value: generator.send(value),
        "throw": lambda generator, error: generator.throw(error),
        "close": lambda generator: generator.close(),
    },
)
ASYNC = Kind(
    "async",
    playing_async,
    doing_async,
    listed_async,
    {
        "next": anext,
        "send": lambda generator, value: generator.asend(value),
        "throw": lambda generator, error: generator.athrow(error),
        "close": lambda generator: generator.aclose(),
    },
)
every_kind = pytest.mark.parametrize("kind", [SYNC, ASYNC], ids=["sync", "async"])
