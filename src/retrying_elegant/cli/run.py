"""Run: a command, repeated until it exits 0.

Owns the loop and the limit of an attempt.  Leaves what is retried, when and how often to the
library, the process to ``process``, signals to ``signals``, and reports to ``report``.
Times are float seconds.
"""

from __future__ import annotations

import time
from math import inf
from signal import SIGTERM

from retrying_elegant import retrying
from retrying_elegant._decision import mark_hung
from retrying_elegant._text import one_line

from .output import brief
from .process import Command
from .signals import PAUSE, SIGNALED, Stopped, name_of_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Any

    from retrying_elegant import Policy

    from .report import Report
    from .signals import Signals

TIMED_OUT, NOT_EXECUTABLE, NOT_FOUND = 124, 126, 127  # as in timeout(1) and in shells
GRACE = 2.0  # seconds from TERM to KILL


class CommandError(Exception):
    """
    Raised when an attempt to run the command fails.

    Attributes:
        status: The exit status that corresponds to the failure.
        retryable: Whether another attempt may succeed; None: ``--on-exit`` decides.
    """

    def __init__(self, text: str, status: int, *, retryable: bool | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retryable = retryable


def run(
    argv: Sequence[str], policy: Policy, report: Report, *, on_exit: Collection[int] | None = None
) -> int:
    """
    Run the command *argv* under *policy* until it exits 0.

    Args:
        report: The reporter that is notified of retries and of the end.
        on_exit: The exit statuses to retry; None: all but 0.

    Returns:
        The exit status of the last attempt; -n if signal n ended the attempt, or a wait.
    """
    signals = report.signals

    def is_retryable(failed: Any) -> bool:
        if signals.received:
            return False
        if failed.retryable is not None:
            return bool(failed.retryable)
        return on_exit is None or failed.status in on_exit

    policy = policy.replace(
        on=is_retryable,
        before_attempt=(signals.wait_ends, report.wait_ends),
        on_retry=(report.on_retry, signals.wait_begins),
        on_success=report.on_success,
        on_give_up=(signals.wait_ends, report.on_give_up),
        name=one_line(argv[0]),  # as written; without arguments, which may contain secrets
    )
    with signals:
        try:
            for attempt in retrying(policy):
                with attempt:
                    limit = None if policy.attempt_timeout is None else attempt.timeout
                    try:
                        run_once(argv, limit, signals)
                    except CommandError as failed:
                        if failed.status == TIMED_OUT and failed.retryable:
                            mark_hung(attempt)
                        raise
        except CommandError as failed:
            return signals.outcome(failed.status)
        except Stopped:
            try:
                report.on_stop()
            except Stopped:
                pass  # another signal, while the last line could not be written
            return -signals.received[0]
    return 0


def run_once(argv: Sequence[str], timeout: float | None, signals: Signals) -> None:
    """
    Run the command *argv* for at most *timeout* seconds.

    Raises:
        CommandError: it could not be started, took too long, or did not exit 0.
        Stopped: a signal has arrived, so the command is not started.
    """
    deadline = inf if timeout is None else time.monotonic() + timeout
    try:
        command = signals.start(lambda: Command(argv))
    except OSError as error:
        status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        raise CommandError(f"cannot be run: {error.strerror}", status, retryable=False) from None
    is_late = not signals.wait_until(command.has_ended, deadline)
    if is_late:
        # If it has a process group of its own, everything it has started ends with it.
        command.end(SIGTERM)
        if not signals.wait_until(command.is_gone, time.monotonic() + GRACE, PAUSE):
            command.kill()
            signals.wait_until(command.is_gone, inf, PAUSE)
    signals.end()
    status = command.status()
    if is_late and not signals.received:
        text = f"timed out after {brief(timeout or 0.0)} s"
        raise CommandError(text, TIMED_OUT, retryable=True)
    if status < 0:
        raise CommandError(f"killed by {name_of_signal(-status)}", SIGNALED - status)
    if status:
        raise CommandError(f"exit status {status}", status)
