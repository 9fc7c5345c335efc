"""Interruptions at every instruction: what a handler, a finalizer or another thread might choose.

CPython delivers signals and switches threads at some instructions only, which differ from version
to version.  Here each instruction of the code under test is such a place, one after the other, so
that what holds here does not depend on luck or on the interpreter.
"""

from __future__ import annotations

import contextlib
import dis
import itertools
import linecache
import sys
import threading
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import CodeType, FrameType, FunctionType
    from typing import Any


def codes_of(*functions: FunctionType) -> set[CodeType]:
    return {function.__code__ for function in functions}


class _Traced:
    """Calls *step* before each instruction of *codes* in the thread that enters it."""

    def __init__(self, codes: set[CodeType], step: Callable[[], None]) -> None:
        self.codes, self.step = {id(code) for code in codes}, step

    def __enter__(self) -> None:
        self.before = sys.gettrace()
        sys.settrace(self._called)

    def __exit__(self, *exc_info: object) -> None:
        sys.settrace(self.before)

    def _called(self, frame: FrameType, event: str, arg: object) -> Any:
        if id(frame.f_code) not in self.codes:
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._traced

    def _traced(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "opcode":
            self.step()
        return self._traced


class _Monitored:
    """The same where tracing by instructions has become less dependable than `sys.monitoring`."""

    TOOL = 4  # free by convention
    steps: ClassVar[dict[int, Callable[[], None]]] = {}  # by thread
    guard = threading.Lock()

    def __init__(self, codes: set[CodeType], step: Callable[[], None]) -> None:
        self.codes, self.step, self.inside = codes, step, False

    def __enter__(self) -> None:
        monitoring = sys.monitoring
        with self.guard:
            if not self.steps:
                monitoring.use_tool_id(self.TOOL, "interruptions")
                monitoring.register_callback(
                    self.TOOL, monitoring.events.INSTRUCTION, self._instruction
                )
                for code in self.codes:
                    monitoring.set_local_events(self.TOOL, code, monitoring.events.INSTRUCTION)
            self.steps[threading.get_ident()] = self._step

    def __exit__(self, *exc_info: object) -> None:
        monitoring = sys.monitoring
        with self.guard:
            del self.steps[threading.get_ident()]
            if not self.steps:
                for code in self.codes:
                    monitoring.set_local_events(self.TOOL, code, monitoring.events.NO_EVENTS)
                monitoring.register_callback(self.TOOL, monitoring.events.INSTRUCTION, None)
                monitoring.free_tool_id(self.TOOL)

    @classmethod
    def _instruction(cls, code: CodeType, offset: int) -> None:
        step = cls.steps.get(threading.get_ident())
        if step is not None:
            step()

    def _step(self) -> None:
        if not self.inside:  # what interrupts is not interrupted itself
            self.inside = True
            try:
                self.step()
            finally:
                self.inside = False


_Steps = _Monitored if hasattr(sys, "monitoring") else _Traced


def interrupted(
    codes: set[CodeType],
    run: Callable[[], object],
    interrupt: Callable[[], object],
    at: Iterable[int],
) -> object:
    """What *run* returns, with *interrupt* before each of its instructions numbered in *at*."""
    places, count = set(at), 0

    def step() -> None:
        nonlocal count
        if count in places:
            interrupt()
        count += 1

    with _Steps(codes, step):
        return run()


@contextlib.contextmanager
def before_call(
    functions: dict[str, Callable[..., Any]], owner: type, number: int, interrupt: Callable[[], Any]
) -> Iterator[None]:
    """Call *interrupt* before the call of that *number* of *functions*, methods of *owner*."""
    count = itertools.count()

    def wrap(method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: object) -> object:
            if next(count) == number:
                interrupt()
            return method(*args)

        return wrapped

    for name, method in functions.items():
        setattr(owner, name, wrap(method))
    try:
        yield
    finally:
        for name, method in functions.items():
            setattr(owner, name, method)


def in_turns(
    codes: set[CodeType], runs: list[Callable[[], object]], turns: Iterator[int]
) -> list[object]:
    """
    What each of *runs* returns, each in a thread of its own, one instruction at a time.

    Each number of *turns* chooses who executes the next instruction.
    """
    results: list[object] = [None] * len(runs)
    mine = [threading.Semaphore(0) for _ in runs]
    scheduler = threading.Semaphore(0)
    alive = list(range(len(runs)))

    def thread(index: int) -> None:
        def step() -> None:
            scheduler.release()
            assert mine[index].acquire(timeout=60)

        assert mine[index].acquire(timeout=60)
        try:
            with _Steps(codes, step):
                results[index] = runs[index]()
        finally:
            alive.remove(index)
            scheduler.release()

    threads = [threading.Thread(target=thread, args=(index,)) for index in alive]
    for each in threads:
        each.start()
    while alive:
        mine[alive[next(turns, 0) % len(alive)]].release()
        assert scheduler.acquire(timeout=60)
    for each in threads:
        each.join(timeout=60)
    return results


def raised_at(
    codes: set[CodeType], run: Callable[[], object], error: type[BaseException]
) -> Iterator[tuple[object, str]]:
    """
    Run again and again, each time raising *error* at another place where a handler might.

    These are, in *codes*: where a function begins, where a call of something else has returned,
    and where a loop jumps back.  Yields what *run* returned (or the exception), and the place.
    """
    # By identity: the hash of a code object is that of all that it holds.
    instructions = {
        id(code): {each.offset: each.opname for each in dis.get_instructions(code)}
        for code in codes
    }
    place = 0
    while True:
        state = _Raising(instructions, error, place)
        with _Steps(codes, state.step):
            try:
                outcome: object = run()
            except BaseException as raised:
                outcome = raised
        if state.where is None:
            return
        yield outcome, state.where
        place += 1


class _Raising:
    def __init__(
        self, instructions: dict[int, dict[int, str]], error: type[BaseException], place: int
    ) -> None:
        self.instructions, self.error, self.place = instructions, error, place
        self.count = 0
        self.where: str | None = None
        self.last: tuple[FrameType, str] | None = None

    def step(self) -> None:
        if self.where is not None:
            return
        frame = sys._getframe()
        while (names := self.instructions.get(id(frame.f_code))) is None:
            assert frame.f_back is not None
            frame = frame.f_back
        last, self.last = self.last, (frame, names[frame.f_lasti])
        if last is None or last[0] is not frame or not last[1].startswith(_CHECKS):
            return
        if self.last[1] == "PUSH_EXC_INFO":  # the call has not returned
            return
        if self.count == self.place:
            code = frame.f_code
            text = linecache.getline(code.co_filename, frame.f_lineno).strip()
            self.where = f"{code.co_qualname}:{frame.f_lineno} after {last[1]}: {text}"
            self.last = None
            raise self.error
        self.count += 1


# After these CPython delivers signals.
_CHECKS = ("RESUME", "CALL", "JUMP_BACKWARD")
