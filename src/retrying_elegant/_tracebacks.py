"""Tracebacks: what an exception keeps alive, and what is chained to it.

Owns keeping an error's context when it is raised again, dropping the tracebacks of a failed
attempt before a wait, and walking chains and groups.  Reads every attribute through
``BaseException``, because a subclass may define ``__context__`` or ``__class__`` as a property
that raises, and walks without recursion, because groups may be nested deeper than the stack.
"""

from __future__ import annotations

from sys import _getframe, exception

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, TracebackType
    from typing import Any

_fields: Any = BaseException.__dict__
_context_of = _fields["__context__"].__get__
_set_context = _fields["__context__"].__set__
_cause_of = _fields["__cause__"].__get__
_traceback_of = _fields["__traceback__"].__get__
_set_traceback = _fields["__traceback__"].__set__
_drop_traceback = BaseException.with_traceback  # which no subclass can override here
_members_of: Any = BaseExceptionGroup.__dict__["exceptions"].__get__


def members(error: BaseException) -> tuple[BaseException, ...]:
    """Return the exceptions directly in the group *error*; empty if it is not a group."""
    found: tuple[BaseException, ...] = ()
    if issubclass(type(error), BaseExceptionGroup):
        found = _members_of(error)
    return found


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors in *error* and in the groups in it, or *error* itself if it is not one."""
    rest = [error]
    seen = set()  # each once: groups may share members, in every layer again
    while rest:
        this = rest.pop()
        if id(this) in seen:
            continue
        seen.add(id(this))
        inner = members(this)
        if inner:
            rest += reversed(inner)
        else:
            yield this


def handled() -> list[BaseException]:
    """Return the exceptions that the code around the call is handling, innermost first."""
    found: list[BaseException] = []
    this = exception()
    while this is not None and not any(this is known for known in found):
        found.append(this)
        this = _context_of(this)
    return found


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and everything chained to it or grouped in it, once each."""
    seen: set[int] = set()
    rest: list[BaseException | None] = [error]
    while rest:
        this = rest.pop()
        if this is None or id(this) in seen:
            continue
        seen.add(id(this))
        yield this
        rest += (_context_of(this), _cause_of(this), *members(this))


def release(error: BaseException | None) -> None:
    """
    Drop the tracebacks of *error* and of the errors chained to it.

    Tracebacks hold every frame of the failed attempt, and the frames hold every local.  Errors
    that the caller was handling before the call do not belong to the attempt, and keep theirs.
    """
    if error is None:
        return
    try:
        if (
            error.__context__ is None
            and error.__cause__ is None
            and error is not exception()
            and not issubclass(type(error), BaseExceptionGroup)
        ):  # it is alone, as nearly all are
            _drop_traceback(error, None)
            return
    except Exception:  # noqa: BLE001, S110 - properties of a subclass
        pass
    kept = {id(this) for this in handled()}
    rest: list[BaseException | None] = [error]
    while rest:
        this = rest.pop()
        # If the traceback is gone already, this was done after an earlier attempt.
        if this is not None and id(this) not in kept and _traceback_of(this) is not None:
            _set_traceback(this, None)
            rest += (_context_of(this), _cause_of(this), *members(this))


def set_context(error: BaseException, context: BaseException | None) -> None:
    """Make *context* the ``__context__`` of *error*, unless that would create a cycle."""
    if context is not None and not any(known is error for known in chain(context)):
        _set_context(error, context)


def drop_context(context: BaseException | None) -> None:
    """Drop *context*, and what is chained to it, from the exception that is being handled."""
    for error in handled():
        if _context_of(error) is context:
            _set_context(error, None)


class context_kept:  # noqa: N801 - read as a word of the `with` statement
    """
    Keep the ``__context__`` of *error*, which is raised again inside.

    Raising an error while the caller handles another one would replace it.  This is a context
    manager, because a function would add its own frame to the traceback.  The frame around it is
    not added a second time, where the error has come through it before.
    """

    __slots__ = ("_context", "_error")

    def __init__(self, error: BaseException) -> None:
        self._error = error
        self._context = _context_of(error)

    def __enter__(self) -> None:
        trace = _traceback_of(self._error)
        if trace is not None and trace.tb_next is not None and trace.tb_frame is _getframe(1):
            _set_traceback(self._error, trace.tb_next)

    def __exit__(self, *_: object) -> None:
        _set_context(self._error, self._context)


def without(code: CodeType, trace: TracebackType | None) -> TracebackType | None:
    """Return *trace* without the entries of *code*, which do not help users."""
    if trace is None:
        return None
    trace.tb_next = without(code, trace.tb_next)
    return trace.tb_next if trace.tb_frame.f_code is code else trace
