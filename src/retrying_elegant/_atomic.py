"""Atomic: a value that can be changed concurrently without a lock.

Owns the cell, the primitive beneath budgets, observers and the switches of ``testing``.  A lock
would hang the process if its holder is interrupted: signal handlers and finalizers run in the
middle of whatever the thread is doing, and a forked child inherits locks whose holders it does
not have.  A reentrant lock would not hang, but would lose changes that are made between the
holder's reading and writing.

A cell is a chain of links, each a list: ``[value]`` is the newest, and ``[value, next, ...]`` has
been replaced by ``next``.  To replace a value is to append to its link::

    [100]  ->  [100, [99]]                       one caller took a token
    [100, [99]]  ->  [100, [99], [99]]           another, too late: not in the chain
                                                 (it tries again, and extends [99])

Why no change is lost, however callers interrupt each other:

1. ``link += (new,)`` on lists is one instruction.  It runs no Python code, so no thread, handler
   or finalizer sees it half done, and the appends to one link have an order.
2. The first link appended is at index 1, and stays there, because these lists only grow.  So each
   link has one successor forever, the links form one chain, and of all callers that read a link
   exactly one replaces it.  The others see that they did not, and start again at the newest.
3. ``Cell.link`` is only a hint: an old link leads to the newest one as well.
4. No caller waits for another.  A caller only starts again because another has succeeded.

Why an exception that a signal handler raises cannot come between a change and its result:
CPython delivers signals, runs the cyclic collector and switches threads where a function begins,
where a call into C has returned, and where a loop jumps back.  There is none of these from
``link += (new,)`` to the ``return`` of ``replace``, nor is the return one.  (Under a tracer or
profiler written in Python, all of this may happen at any instruction; points 1 to 4 hold even
then.)

The links before the newest are freed as soon as they are no longer being read.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Link = list[Any]  # the value, and what has replaced it


class Cell:
    """A value that can only be replaced by a caller that has seen the newest one."""

    __slots__ = ("link",)

    def __init__(self, value: object) -> None:
        self.link: Link = [value]

    @property
    def value(self) -> Any:
        """The newest value."""
        return self.newest()[0]

    def newest(self) -> Link:
        """Return the link that has not been replaced yet; its value is at index 0."""
        link = self.link
        while link[-1] is not link[0]:
            link = link[1]
        return link

    def replace(self, link: Link, value: object) -> bool:
        """Replace the value of *link* with *value*; return False if it has been replaced before."""
        new: Link = [value]
        link += (new,)  # the one atomic step
        if link[1] is not new:
            return False
        self.link = new
        return True
