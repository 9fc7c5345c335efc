"""Locks: the few of this package, safe to fork under.

Owns making a lock that a forked child finds open, whatever the parent's threads
were doing.  A lock lives as long as the process, so make one for a module, never
one for an object.
"""

from __future__ import annotations

import os
from _thread import allocate_lock  # what threading.Lock is, without threading's import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from typing import Any


def new_lock() -> LockType:
    """Give a lock for the whole process."""
    lock: Any = allocate_lock()
    if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows, which does not fork
        os.register_at_fork(after_in_child=lock._at_fork_reinit)
    made: LockType = lock
    return made
