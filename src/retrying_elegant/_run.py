"""Run: a command, again and again until it exits 0.

Owns starting the command, passing on the signals that come in, ending an attempt
that takes too long, and telling about it on standard error.  Leaves what is
retried, when and how often to the library's own loop.  Times are float seconds.

What comes in while the command runs goes to the command; what comes in while
nothing runs ends the wait.  After a signal no further attempt is made.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

from . import given_up, retrying
from ._errors import headline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from types import FrameType, TracebackType
    from typing import Any, Self, TextIO

    from . import Attempt, Policy
    from ._errors import Reason

PROGRAM = "retrying-elegant"
TIMED_OUT, NOT_EXECUTABLE, NOT_FOUND = 124, 126, 127  # as timeout(1) and the shells have them
SIGNALLED = 128  # plus the number of the signal
GRACE = 2.0  # seconds between TERM and KILL

_PASSED_ON = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
# Linux tells where a signal is from: this is the kernel's own mark, as on a terminal's Ctrl-C.
_TELLS_SENDER = sys.platform.startswith("linux")
_SI_KERNEL = 0x80


class Failed(Exception):
    """
    An attempt has failed.

    Attributes:
        status: The exit status that stands for it.
        retryable: True: whatever ``--on-exit`` says; False: never.
    """

    def __init__(self, text: str, status: int, *, retryable: bool | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retryable = retryable


class Stopped(BaseException):
    """A signal has come in while no command was running."""


def run(
    argv: Sequence[str],
    policy: Policy,
    report: Report,
    *,
    on_exit: Collection[int] | None = None,
) -> int:
    """
    Run the command *argv* under *policy* until it exits 0.

    Args:
        report: Who is told of retries and of the end.
        on_exit: Which exit statuses to retry; None: all but 0.

    Returns:
        The exit status of the last attempt; 128 + n where signal n ended a wait.
    """
    command = Command(argv)

    def is_retryable(failed: Any) -> bool:
        if command.signals:
            return False
        if failed.retryable is not None:
            return bool(failed.retryable)
        return on_exit is None or failed.status in on_exit

    policy = policy.replace(
        on=is_retryable,
        before_attempt=(command.wait_ends, report.wait_ends),
        on_retry=(report.on_retry, command.wait_begins),
        on_success=report.on_success,
        on_give_up=report.on_give_up,
        name=os.path.basename(argv[0]) or argv[0],  # no arguments: they may hold secrets
    )
    with report, command:
        try:
            for attempt in retrying(policy):
                report.attempt = attempt
                with attempt:
                    command.run(None if policy.attempt_timeout is None else attempt.timeout)
        except Failed as failed:
            return failed.status
        except Stopped:
            number = command.signals[0]
            report.on_stop(signal.Signals(number).name)
            return SIGNALLED + number
    return 0


class Command:
    """
    A command to be run, while signals to this process are signals to it.

    A context manager: signals are taken over inside it.

    Attributes:
        signals: The numbers of those that have come in, in order.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = argv
        self.signals: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting = False
        self._taken: set[int] = set()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        numbers = (getattr(signal, name, None) for name in _PASSED_ON)
        # What is ignored here (nohup) is to be ignored by the command.
        self._taken = {n for n in numbers if n and signal.getsignal(n) is not signal.SIG_IGN}
        self._before = {number: signal.signal(number, self._came_in) for number in self._taken}
        if hasattr(signal, "SIGCHLD"):
            # Were it ignored, the system would keep how the command ended to itself.
            self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait_begins(self, _: Attempt) -> None:
        """Let a signal end the wait from now on: the last hook before it."""
        self._waiting = True
        if self.signals:
            raise Stopped

    def wait_ends(self, _: Attempt) -> None:
        """Let a signal go to the command again: the first hook after a wait."""
        self._waiting = False

    def run(self, timeout: float | None) -> None:
        """
        Run the command once, for *timeout* seconds at the most.

        Raises:
            Failed: it could not be started, took too long, or did not exit 0.
            Stopped: a signal had come in before.
        """
        if self.signals:
            raise Stopped
        deadline = None if timeout is None else time.monotonic() + timeout
        process = self._start()
        with _Listening(self._taken):
            self._process = process
            try:
                for number in self.signals:  # those that came in while it was being started
                    process.send_signal(number)
                if not self._ends_before(deadline):
                    self._end()
                    text = f"timed out after {timeout:.2f} s"
                    raise Failed(text, TIMED_OUT, retryable=True)
            finally:
                self._process = None
        if process.returncode < 0:
            name = signal.Signals(-process.returncode).name
            raise Failed(f"killed by {name}", SIGNALLED - process.returncode)
        if process.returncode:
            raise Failed(f"exit status {process.returncode}", process.returncode)

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(self._argv)  # noqa: S603 - to run it is what we are asked
        except OSError as error:
            text = f"cannot be run: {error.strerror}"
            status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
            raise Failed(text, status, retryable=False) from None

    def _ends_before(self, deadline: float | None) -> bool:
        """Tell whether the process has ended by *deadline*, passing on what comes in."""
        process = self._process
        while process is not None and process.poll() is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            if not _TELLS_SENDER:
                try:
                    process.wait(left)  # signals go to the handler
                except subprocess.TimeoutExpired:
                    return False
                continue
            wanted = {*self._taken, signal.SIGCHLD}
            info = signal.sigwaitinfo(wanted) if left is None else signal.sigtimedwait(wanted, left)
            if info is not None and info.si_signo != signal.SIGCHLD:
                self._pass_on(info.si_signo, everyone_has_it=info.si_code == _SI_KERNEL)
        return True

    def _end(self) -> None:
        process = self._process
        if process is not None:
            process.terminate()
            if not self._ends_before(time.monotonic() + GRACE):
                process.kill()
                self._ends_before(None)

    def _came_in(self, number: int, frame: FrameType | None) -> None:
        self._pass_on(number, everyone_has_it=_is_from_terminal(number))
        if self._waiting:
            self._waiting = False
            raise Stopped

    def _pass_on(self, number: int, *, everyone_has_it: bool) -> None:
        self.signals.append(number)
        process = self._process
        if process is None:
            return
        if number == signal.SIGINT and self.signals.count(number) > 1:
            process.kill()
        elif not everyone_has_it:
            process.send_signal(number)
