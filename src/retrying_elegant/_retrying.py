"""Retrying: the object behind the loop and the block.

Owns the class ``retrying``, and the form that each statement starts.  Leaves the attempts to
``loop`` and the calls to ``block``.
"""

from __future__ import annotations

from ._block import AsyncBlock, Block
from ._loop import Loop
from ._policy import DEFAULT, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, Literal, NoReturn, Self, Unpack, overload

    from ._block import AnyBlock
    from ._policy import AllFields, Policy


class retrying(Loop):  # noqa: N801 - read as a word of the statement
    """
    Retry a block of code in place, or several calls under one deadline.

    As a loop, it yields a new :class:`Attempt` in each iteration, to be entered once.  A retryable
    failure is suppressed, the loop sleeps, and the next iteration follows.  ``break``,
    ``return``, ``continue`` and the end of the ``with`` count as success.  The final failure
    is raised from the ``with`` itself::

        for attempt in retrying(5, on=OSError):
            with attempt:
                page = fetch(url)

    As a block, ``call(fn, *args, **kwargs)`` runs each call under the policy, and
    *timeout* is one deadline for all of them and for every policy beneath::

        with retrying(timeout=10) as call:
            user = call(get_user, uid)
            cart = call(get_cart, user.cart_id)

    In async code, write ``async for`` and ``async with attempt``, or ``async with`` and
    ``await call(...)``.  One object can be iterated any number of times, by any number of threads
    and tasks; as a block, it can only be entered by one at a time.

    Args:
        policy: A :class:`Policy`, or the maximum number of attempts (in a block, for each call);
            by default 5.
        raises: If False, the final retryable failure is not raised.  A loop ends, and
            ``attempt.succeeded``, ``attempt.error`` and ``attempt.reason`` describe the outcome;
            a block ends at the call that gave up, and ``call.succeeded`` and ``call.error`` do.
        fields: Any field of :class:`Policy`, which replaces that of *policy*.

    Raises:
        TypeError, ValueError: as for :class:`Policy`.

    >>> for attempt in retrying(3, raises=False, wait=0):
    ...     with attempt:
    ...         risky
    >>> attempt.succeeded, attempt.number, attempt.error
    (False, 3, NameError("name 'risky' is not defined"))
    """

    __slots__ = ("_block",)

    _block: AnyBlock | None

    if TYPE_CHECKING:  # mypy reads __new__ only if it sees no __init__

        @overload
        def __new__(
            cls,
            policy: int | Policy | None = ...,
            /,
            *,
            raises: Literal[False],
            **fields: Unpack[AllFields],
        ) -> Quiet: ...
        @overload
        def __new__(
            cls,
            policy: int | Policy | None = ...,
            /,
            *,
            raises: bool = ...,
            **fields: Unpack[AllFields],
        ) -> Self: ...
        def __new__(cls, *args: Any, **fields: Any) -> Any: ...

    else:

        def __init__(
            self,
            policy: int | Policy | None = DEFAULT,
            /,
            *,
            raises: bool = True,
            **fields: Unpack[AllFields],
        ) -> None:
            self._policy = resolve("retrying", policy, fields)
            self._raises = raises
            self._block = None

        # Hidden from type checkers, so that they too reject it as a decorator.
        def __call__(self, fn: Callable[..., Any], /) -> NoReturn:
            raise TypeError("retrying(...) does not decorate: did you mean `@retry(...)`?")

    @property
    def policy(self) -> Policy:
        """The policy of each iteration and each block."""
        return self._policy

    def __enter__(self) -> Block:
        self._policy._check_sync("a sync block")
        block = Block(self._policy, raises=self._raises)
        self._open(block, "with")
        return block

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return self._close(error)

    async def __aenter__(self) -> AsyncBlock:
        self._policy._check_async("an async block")
        block = AsyncBlock(self._policy, raises=self._raises)
        self._open(block, "async with")
        return block

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return self._close(error)

    def _open(self, block: AnyBlock, statement: str) -> None:
        # No call in between, so that no signal handler or thread interferes (see `_atomic`).
        if self._block is None:
            self._block = block
        else:
            raise RuntimeError(
                f"this retrying object is in use as a block: write `{statement} retrying(...)` "
                "with an object of its own for each"
            )
        block._begin()

    def _close(self, error: BaseException | None) -> bool:
        block, self._block = self._block, None
        return block is not None and block._close(error)

    def __repr__(self) -> str:
        end = "" if self._raises else ", raises=False"
        return f"retrying({self._policy!r}{end})"


if TYPE_CHECKING:

    class Quiet(retrying):
        """
        The type of ``retrying(raises=False)`` for type checkers.

        Its block may end early without an error, so names may be unbound after it.  The return
        type ``bool | None`` would mean that no error is suppressed.
        """

        def __exit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            trace: TracebackType | None,
        ) -> bool: ...

        async def __aexit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            trace: TracebackType | None,
        ) -> bool: ...
