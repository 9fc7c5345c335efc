"""Contract 15: interruptible, as a real process: Ctrl-C and SIGTERM in the middle of a wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals between processes are POSIX's")

PATIENCE = 30  # seconds, and only where a process would hang
AT_ONCE = 0.2  # seconds from the signal to the end of the wait

# The waits are of a minute. on_retry writes a line that says that one is about to begin.
HEAD = """
import asyncio, signal, sys, time
from forms import ASYNC, SYNC
from retrying_elegant import RetryBudget, retry, retrying

# A process that a shell has started in the background ignores Ctrl-C, and passes that on.
signal.signal(signal.SIGINT, signal.default_int_handler)
budget, calls = RetryBudget(10), []

def say(*what):
    print(*what, flush=True)

def risky():
    calls.append(True)
    raise OSError("away")

async def risky_async():
    risky()

options = {
    "wait": 60,
    "budget": budget,
    "on_retry": lambda attempt: say("waiting"),
    "on_give_up": lambda attempt: say("gave up"),
}

def ended():
    # Of one clock in all processes, so that the parent can compare it.
    say("ended", time.monotonic(), "calls", len(calls), "tokens", budget.tokens)
"""

CTRL_C = """
try:
    {call}
finally:
    ended()
"""

CALLS = {
    **{f"{form}-sync": f"SYNC[{form!r}](risky, **options)" for form in ("decorator", "loop")},
    "block-sync": "SYNC['block'](risky, raises=False, **options)",
    **{
        f"{form}-asyncio": f"asyncio.run(ASYNC[{form!r}](risky_async, **options))"
        for form in ("decorator", "loop")
    },
    "block-asyncio": "asyncio.run(ASYNC['block'](risky_async, raises=False, **options))",
    "loop-trio": "import trio; trio.run(lambda: ASYNC['loop'](risky_async, **options))",
}

# A service with two jobs; SIGTERM cancels it, and it ends in good order.
SERVICE = """
async def job():
    try:
        await ASYNC[{form!r}](risky_async, **options)
    finally:
        await asyncio.sleep(0)  # a clean-up that awaits
        say("cleaned up")

async def service():
    task = asyncio.current_task()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(job())
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        ended()
        others = asyncio.all_tasks() - {{task}}
        say("tasks left", len(others))

asyncio.run(service())
say("exit")
"""


class Process:
    """A process that runs *script*, up to its first wait; *stop* signals it and collects it."""

    def __init__(self, script):
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", HEAD + script],
            cwd=Path(__file__).parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "waiting\n", self.process.communicate()
        time.sleep(0.02)  # what it said it was about to do, it does now

    def stop(self, number):
        """Send the signal; give the seconds until the wait ended, and the lines after that."""
        sent = time.monotonic()
        self.process.send_signal(number)
        out, self.errors = self.process.communicate(timeout=PATIENCE)
        first, *lines = [line for line in out.splitlines() if line != "cleaned up"]
        word, moment, *facts = first.split()
        assert word == "ended", out
        return float(moment) - sent, facts, lines


def best_of_three(script, number):
    """The quickest of three: a busy machine may keep any one waiting."""
    for _ in range(3):
        process = Process(script)
        seconds, facts, lines = process.stop(number)
        if seconds < AT_ONCE:
            break
    return process, seconds, facts, lines


class TestCtrlC:
    """Ctrl-C ends a wait at once."""

    @pytest.mark.parametrize("call", CALLS)
    def test_in_the_middle_of_a_wait(self, call):
        """Within 0.2 s, by KeyboardInterrupt: no attempt more, no hook, the token put back."""
        if "trio" in call:
            pytest.importorskip("trio", reason="the package trio is not installed")
        process, seconds, facts, lines = best_of_three(
            CTRL_C.format(call=CALLS[call]), signal.SIGINT
        )
        assert seconds < AT_ONCE
        assert facts == ["calls", "1", "tokens", "10.0"]
        assert lines == []
        assert process.process.returncode == -signal.SIGINT  # as any Python process ends by it
        assert process.errors.splitlines()[-1] == "KeyboardInterrupt"


class TestSigterm:
    """A service that cancels its tasks on SIGTERM ends in the middle of a wait, in good order."""

    @pytest.mark.parametrize("form", ["decorator", "loop", "block"])
    def test_in_the_middle_of_a_wait(self, form):
        """Within 0.2 s: the task is cancelled, cleans up, and the process exits with status 0."""
        process, seconds, facts, lines = best_of_three(SERVICE.format(form=form), signal.SIGTERM)
        assert seconds < AT_ONCE
        assert facts == ["calls", "1", "tokens", "10.0"]
        assert lines == ["tasks left 0", "exit"]
        assert process.process.returncode == 0
        assert "Traceback" not in process.errors
