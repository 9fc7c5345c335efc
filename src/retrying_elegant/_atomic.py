"""Atomic: a value that several parties change at once, without a lock.

Owns the cell: the one primitive under budgets, observers and the switches of ``testing``.  A lock
would hang the process where the holder itself is interrupted: a signal handler and a finalizer
run in the middle of whatever the thread is doing, and a forked child inherits locks whose
holders it does not have.  A reentrant lock would not hang, but would lose what is changed
between the holder's reading and writing.

A cell is a chain of links, each a list: ``[value]`` is the newest, and ``[value, next, ...]`` has
been replaced by ``next``.  To replace a value is to append to its link::

    [100]  ->  [100, [99]]                       somebody took one
    [100, [99]]  ->  [100, [99], [99]]           somebody else, too late: not in the chain
                                                 ([99] is, and is extended in a second try)

Why no change is lost, whoever interrupts whom:

1. ``link += (new,)`` on lists is one instruction.  It runs no Python code, so no thread, handler
   or finalizer sees it half done, and the appends to one link have an order.
2. The first one appended is at index 1, and stays there: lists only grow here.  So each link has
   one successor for ever, the links form one chain, and exactly one of those who
   read a link replaces it.  The others see that they did not, and start again at the newest.
3. ``Cell.link`` is a hint: an old link leads to the newest all the same.
4. Nobody waits for anybody.  One who starts again does so because another has succeeded.

Why an exception that a signal handler raises does not fall between a change and its result:
CPython delivers signals, runs the cyclic collector and switches threads where a function begins,
where a call into C has returned, and where a loop jumps back.  There is none of these from
``link += (new,)`` to the ``return`` of ``replace``, and a return is none.  (A tracer or profiler
written in Python is where all of this may happen at any instruction; points 1 to 4 hold there too.)

The links behind the newest are freed as soon as nobody reads them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Link = list[Any]  # the value, and what has replaced it


class Cell:
    """A value that is replaced by whoever has seen the newest one."""

    __slots__ = ("link",)

    def __init__(self, value: object) -> None:
        self.link: Link = [value]

    @property
    def value(self) -> Any:
        """The newest value."""
        return self.newest()[0]

    def newest(self) -> Link:
        """Return the link that nothing has replaced yet; its value is at index 0."""
        link = self.link
        while link[-1] is not link[0]:
            link = link[1]
        return link

    def replace(self, link: Link, value: object) -> bool:
        """Put *value* in the place of that of *link*; False if another has done so before."""
        new: Link = [value]
        link += (new,)  # the one atomic step
        if link[1] is not new:
            return False
        self.link = new
        return True
