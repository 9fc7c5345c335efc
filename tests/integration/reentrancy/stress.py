"""Everything that can interrupt a retry, on one budget: no token is lost, and nothing hangs.

    python tests/integration/reentrancy/stress.py [SECONDS]

The main thread, signal handlers, finalizers, other threads and forked children retry calls under
one budget, as often as they can.  Handlers and finalizers also observe, turn the switches of
``testing`` and wait under them; some forks are made by a handler in the middle of a retry.  Every
call fails at least once and succeeds in the end, so that what must be left in the budget is
known to the thousandth.  Prints what was done; the exit status is 1 if a token was lost, a child
failed, or the process hung, which prints the stack of every thread.
"""

from __future__ import annotations

import faulthandler
import gc
import itertools
import logging
import os
import platform
import random
import signal
import sys
import threading
import time

from retrying_elegant import RetryBudget, instrumentation, retry, retrying, testing

CAPACITY, REFILL = 10**9, 0.25
budget = RetryBudget(CAPACITY, REFILL)
is_running = False
PATIENCE = 20  # seconds that a process may take to end, until it counts as hung


class Tally:
    """Counts, exactly, whoever interrupts whom: ``next`` of a count is one step."""

    def __init__(self) -> None:
        self._counts: dict[str, itertools.count[int]] = {}

    def __call__(self, what: str) -> None:
        next(self._counts.setdefault(what, itertools.count()))

    def __getitem__(self, what: str) -> int:
        return int(repr(self._counts[what])[6:-1]) if what in self._counts else 0


tally = Tally()


class Down(Exception):
    """Raised by what is retried."""


class Flaky:
    """Fails so many times, then succeeds; says so to the tally."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def __call__(self) -> str:
        if self.failures:
            self.failures -= 1
            tally("retries")
            raise Down
        tally("successes")
        return "value"


def call(number: int) -> None:
    """Make one call, each time in another form and with another number of retries."""
    flaky = Flaky(1 + number % 3)
    form = number % 4
    if form == 0:
        assert retry(None, wait=0, budget=budget)(flaky)() == "value"
    elif form == 1:
        for attempt in retrying(None, wait=0, budget=budget):
            with attempt:
                flaky()
        assert attempt.succeeded
    elif form == 2:
        with retrying(None, wait=0, budget=budget) as block:
            assert block(flaky) == "value"
    else:
        with testing.instant(), testing.limit(9):
            assert retry(None, wait=60, budget=budget)(flaky)() == "value"


DEPTH = 3  # handlers that interrupt each other, at most
depth = 0


def arm(least: float, most: float) -> None:
    """Let the next signal come soon, at no moment in particular."""
    signal.setitimer(signal.ITIMER_REAL, random.uniform(least, most))


def handler(signum: int, frame: object) -> None:
    """A signal handler that does what a program's own might."""
    global depth
    if not is_running:
        return
    depth += 1
    may_be_interrupted = depth < DEPTH
    if may_be_interrupted:
        arm(0.0002, 0.002)
    tally("in handlers")
    number = tally["in handlers"]
    with instrumentation.observe(on_retry=lambda attempt: tally("observed")):
        call(number)
    if number % 64 == 0:
        fork("forks by handlers")
    depth -= 1
    if not may_be_interrupted:
        arm(0.005, 0.02)  # so that what is interrupted gets on, however slow it is


class Garbage:
    """In a cycle, so that the collector finds it, wherever the interpreter happens to be."""

    def __init__(self) -> None:
        self.me = self
        self.handle = instrumentation.observe(on_give_up=print)

    def __del__(self) -> None:
        tally("in finalizers")
        self.handle.close()
        call(tally["in finalizers"])


def fork(kind: str) -> None:
    """Fork a child that uses what it has inherited; one that hangs shows where."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            gc.disable()  # finalizers of what the parent left would spend tokens as well
            # No other thread is here: what it has in hand can be told to the thousandth.
            before = budget.tokens
            for number in range(4):
                call(number)
            spent = sum(1 + number % 3 for number in range(4)) - 4 * REFILL
            status = 0 if budget.tokens == before - spent else 2
        finally:
            os._exit(status)
    tally(kind)
    end = time.monotonic() + PATIENCE
    ended, status = os.waitpid(child, os.WNOHANG)
    while not ended:
        time.sleep(0.0005)
        if time.monotonic() > end:
            os.kill(child, signal.SIGABRT)  # it prints its stack
        ended, status = os.waitpid(child, os.WNOHANG)
    if status:
        tally("failed children")


def main(seconds: float) -> int:
    global is_running
    is_running = True
    logging.disable()
    faulthandler.enable()
    faulthandler.dump_traceback_later(seconds + 2 * PATIENCE, exit=True)
    sys.setswitchinterval(1e-5)
    gc.set_threshold(200)
    end = time.monotonic() + seconds

    def work() -> None:
        for number in itertools.count():
            if time.monotonic() > end:
                break
            call(number)
            tally("in threads")
            if number % 8 == 0:
                Garbage()

    threads = [threading.Thread(target=work) for _ in range(2)]
    signal.signal(signal.SIGALRM, handler)
    for thread in threads:
        thread.start()
    arm(0.0002, 0.002)
    for number in itertools.count():
        if time.monotonic() > end:
            break
        call(number)
        tally("in the main thread")
        if number % 8 == 0:
            Garbage()
        if number % 256 == 0:
            fork("forks")
    is_running = False
    signal.setitimer(signal.ITIMER_REAL, 0)
    for thread in threads:
        thread.join()
    gc.collect()

    left = CAPACITY - tally["retries"] + REFILL * tally["successes"]
    lost = left - budget.tokens
    kinds = ("in the main thread", "in handlers", "in finalizers", "in threads")
    calls = ", ".join(f"{tally[kind]} {kind}" for kind in kinds)
    forks = f"{tally['forks']} forks and {tally['forks by handlers']} by handlers"
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {seconds:g} s: "
        f"{tally['retries']} retries of calls {calls}; {forks}, "
        f"{tally['failed children']} of them failed; {lost:g} tokens lost",
        flush=True,
    )
    missing = [kind for kind in (*kinds, "forks", "forks by handlers") if not tally[kind]]
    if missing:
        print("nothing was done", *missing)
    return 1 if lost or tally["failed children"] or missing else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 60))
