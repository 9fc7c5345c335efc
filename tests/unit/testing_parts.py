"""Ways out of a `with` block, and a call to count attempts by, for the tests of testing."""

import contextlib

import pytest
from ways import Flaky


def calls_of(way, attempts=5):
    """How often a call that always fails is called under *way*."""
    script = Flaky([OSError("down")])
    with pytest.raises(OSError, match="down"):
        way.run(script, attempts, wait=1)
    return script.calls


def leave_normally():
    """The `with` block runs to its end."""


def leave_by_error():
    raise LookupError("out")


def leave_by_interrupt():
    raise KeyboardInterrupt("out")


every_exit = pytest.mark.parametrize(
    "leave", [leave_normally, leave_by_error, leave_by_interrupt], ids=["end", "error", "Ctrl-C"]
)


def run_inside(manager, leave, body=lambda: None):
    """Enter *manager*, do *body*, and leave in one of the ways out."""
    with contextlib.suppress(LookupError, KeyboardInterrupt), manager:
        body()
        leave()
