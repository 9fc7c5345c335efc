"""Contract 15: fork.  A child finds the package's locks open, whatever the parent's threads did."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# In a process of its own: a pytest with threads is no place to fork in.
SCRIPT = """
import os, signal, sys, threading
from retrying_elegant import RetryBudget

sys.setswitchinterval(1e-6)
budget = RetryBudget(10, refill=1)
stop = threading.Event()

def hammer():
    while not stop.is_set():
        budget._take()
        budget._put_back()

threads = [threading.Thread(target=hammer) for _ in range(4)]
for thread in threads:
    thread.start()
stuck = 0
for _ in range(10):
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        budget._take()
        os._exit(0)
    stuck += os.waitpid(child, 0)[1] != 0
stop.set()
for thread in threads:
    thread.join()
print(stuck)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
class TestFork:
    """Fork: a child can use what it has inherited."""

    def test_while_other_threads_take_tokens(self):
        """The lock that another thread held is open in the child."""
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.strip() == "0"
