"""That a signal handler which sets an event from a new thread never hangs.

    python tests/integration/shutting_down/signal_stress.py [SECONDS] [--set-directly]

A call that waits for its retry is stopped by a signal, again and again, each time with a new
event and at another moment of its waits of a millisecond.  With ``--set-directly`` the handler
calls ``stop.set()`` itself, as programs must not: the process hangs as soon as a signal comes
while the main thread holds the lock of its event.  Prints how often the signal was survived; the
exit status is 1, with the stack of the main thread, if it was not.
"""

from __future__ import annotations

import _thread
import faulthandler
import logging
import os
import platform
import random
import signal
import sys
import threading
import time

from retrying_elegant import Policy, given_up, retry

PATIENCE = 3  # seconds without a wait after which the process counts as hung
waits = stopped = 0


def watch() -> None:
    """End the process when it no longer waits, or stops waiting."""
    while True:
        before = (waits, stopped)
        time.sleep(PATIENCE)
        if before == (waits, stopped):
            faulthandler.dump_traceback()
            print(f"hung after {waits} waits and {stopped} signals", flush=True)
            os._exit(1)


def main(seconds: float, set_directly: bool) -> None:
    global stopped
    logging.disable()
    _thread.start_new_thread(watch, ())

    def from_a_thread(signum: int, frame: object) -> None:
        _thread.start_new_thread(stop.set, ())

    def directly(signum: int, frame: object) -> None:
        stop.set()

    def count(attempt: object) -> None:
        global waits
        waits += 1

    signal.signal(signal.SIGALRM, directly if set_directly else from_a_thread)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        stop = threading.Event()

        @retry(Policy(None, wait=0.001, stop=stop, on_retry=count))
        def fails() -> None:
            raise OSError

        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.005))
        try:
            fails()
        except OSError as error:
            record = given_up(error)
            assert record is not None
            assert record.reason == "stopped"
        stopped += 1
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{python}, {seconds:g} s: {waits} waits, {stopped} signals", flush=True)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    directly = "--set-directly" in arguments
    if directly:
        arguments.remove("--set-directly")
    main(float(arguments[0]) if arguments else 60, directly)
