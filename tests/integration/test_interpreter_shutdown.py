"""A first failure while the interpreter shuts down: its imports fail, the user's call does not."""

from __future__ import annotations

import subprocess
import sys

import pytest

PATIENCE = 30  # seconds, and only where a process would hang

# The instance lives until the module's names are cleared, when nothing can be imported any more.
SCRIPT = """
import sys
from retrying_elegant import given_up, retry, retrying
from retrying_elegant.backoff import constant

class Connection:
    failures = {failures}

    def close(self):
        self.failures -= 1
        if self.failures >= 0:
            raise OSError("still busy")
        return "closed"

    def decorated(self, retry=retry):
        return retry(3, on=OSError, wait=0, timeout={timeout})(self.close)()

    def loop(self, retrying=retrying):
        for attempt in retrying(3, on=OSError, wait=0, timeout={timeout}):
            with attempt:
                attempt.result = self.close()
        return attempt.result

    def block(self, retrying=retrying):
        with retrying(3, on=OSError, wait=0, timeout={timeout}) as call:
            return call(self.close)

    def __del__(self, sys=sys, given_up=given_up, OSError=OSError, print=print):
        assert "logging" not in sys.modules
        try:
            print(self.{form}())
        except OSError as error:
            print(error, given_up(error).attempts)

connection = Connection()
keep = [connection]
keep.append(keep)  # a cycle: collected at the very end
sys.path.clear()
sys.meta_path.clear()  # as at the end of a shutdown
"""


def run(form, failures, timeout=None):
    """What the last words of the process are."""
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            SCRIPT.format(form=form, failures=failures, timeout=timeout),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("form", ["decorated", "loop", "block"])
@pytest.mark.parametrize("timeout", [None, 60])
class TestInDel:
    """`__del__` at the end of the process: retried and raised as ever, only not logged."""

    def test_a_success_after_failures(self, form, timeout):
        """The third attempt."""
        assert run(form, 2, timeout) == ["closed"]

    def test_a_give_up(self, form, timeout):
        """The user's own error, with its record."""
        assert run(form, 9, timeout) == ["still busy 3"]
