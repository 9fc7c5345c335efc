"""Run: a command, again and again until it exits 0.

Owns starting the command, passing on the signals that come in, ending an attempt
that takes too long, and telling of it on standard error.  Leaves what is retried,
when and how often to the library's own loop.  Times are float seconds.

A signal goes to the command while it runs, and ends the wait while none does.
After a signal no further attempt is made.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from math import inf

from retrying_elegant import given_up, retrying
from retrying_elegant._giveup import headline
from retrying_elegant._text import one_line

from .output import PROGRAM, brief

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from types import FrameType, TracebackType
    from typing import Any, Self, TextIO

    from retrying_elegant import Attempt, Policy
    from retrying_elegant._giveup import Reason

TIMED_OUT, NOT_EXECUTABLE, NOT_FOUND = 124, 126, 127  # as timeout(1) and the shells have them
SIGNALLED = 128  # plus the number of the signal, likewise
GRACE = 2.0  # seconds from TERM to KILL
TICK = 0.1  # seconds between two drawings of the countdown
DAY = 86_400.0  # seconds; the system does not wait for a signal as long as one may like

PASSED_ON = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
# Linux tells who sent a signal; this stands for the kernel itself, as for a terminal's Ctrl-C.
SENDER_IS_KNOWN = sys.platform.startswith("linux")
SI_KERNEL = 0x80


class CommandError(Exception):
    """
    An attempt to run the command has failed.

    Attributes:
        status: The exit status that stands for it.
        retryable: Whether another may fare better; None: ``--on-exit`` says.
    """

    def __init__(self, text: str, status: int, *, retryable: bool | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retryable = retryable


class Stopped(BaseException):
    """A signal has come in while no command was running."""


def run(
    argv: Sequence[str], policy: Policy, report: Report, *, on_exit: Collection[int] | None = None
) -> int:
    """
    Run the command *argv* under *policy* until it exits 0.

    Args:
        report: Who is told of retries and of the end.
        on_exit: The exit statuses to retry; None: all but 0.

    Returns:
        The exit status of the last attempt; 128 + n if signal n ended a wait.
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
        name=one_line(argv[0]),  # as it was written, without arguments: they may hold secrets
    )
    with signals:
        try:
            for attempt in retrying(policy):
                with attempt:
                    limit = None if policy.attempt_timeout is None else attempt.timeout
                    run_once(argv, limit, signals)
        except CommandError as failed:
            return failed.status
        except Stopped:
            report.on_stop()
            return SIGNALLED + signals.received[0]
    return 0


def run_once(argv: Sequence[str], timeout: float | None, signals: Signals) -> None:
    """
    Run the command *argv*, for *timeout* seconds at the most.

    Raises:
        CommandError: it could not be started, took too long, or did not exit 0.
        Stopped: a signal has come in, so that it is not started.
    """
    if signals.received:
        raise Stopped
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        process = subprocess.Popen(argv)  # noqa: S603 - to run it is what we are here for
    except OSError as error:
        status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        raise CommandError(f"cannot be run: {error.strerror}", status, retryable=False) from None
    if not signals.wait_for(process, deadline):
        process.terminate()
        if not signals.wait_for(process, time.monotonic() + GRACE):
            process.kill()
            signals.wait_for(process, None)
        raise CommandError(f"timed out after {brief(timeout or 0)} s", TIMED_OUT, retryable=True)
    status = process.returncode
    if status < 0:
        raise CommandError(f"killed by {name_of_signal(-status)}", SIGNALLED - status)
    if status:
        raise CommandError(f"exit status {status}", status)


class Signals:
    """
    The signals to this process, taken over inside ``with``: they are meant for the command.

    Attributes:
        received: The numbers of those that came in, in order.
    """

    def __init__(self) -> None:
        self.received: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting = False
        self._taken: list[int] = []
        self._before: list[tuple[int, Any]] = []

    def __enter__(self) -> Self:
        numbers = [getattr(signal, name) for name in PASSED_ON if hasattr(signal, name)]
        # What is ignored here, as nohup has it, stays ignored: the command inherits that.
        self._taken = [n for n in numbers if signal.getsignal(n) is not signal.SIG_IGN]
        self._before = [(n, signal.signal(n, self._came_in)) for n in self._taken]
        if hasattr(signal, "SIGCHLD"):
            # Were it ignored, the system would not say how the command ended.
            self._before.append((signal.SIGCHLD, signal.signal(signal.SIGCHLD, signal.SIG_DFL)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)

    def wait_begins(self, _: Attempt) -> None:
        """A signal ends the wait from now on: the last hook before it."""
        self._waiting = True
        if self.received:
            raise Stopped

    def wait_ends(self, _: Attempt) -> None:
        """A signal goes to the command again: the first hook after a wait."""
        self._waiting = False

    def wait_for(self, process: subprocess.Popen[bytes], deadline: float | None) -> bool:
        """Tell whether *process* has ended before *deadline*; meanwhile it gets the signals."""
        if not SENDER_IS_KNOWN:
            self._serve(process)
            try:
                process.wait(None if deadline is None else max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                return False
            return True
        # Held back, signals are handed to us one by one, with their senders. The command has
        # been started before this, for it would inherit that they are held back.
        wanted = {*self._taken, signal.SIGCHLD}
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
        try:
            self._serve(process)
            while process.poll() is None:
                left = inf if deadline is None else max(deadline - time.monotonic(), 0)
                info = signal.sigtimedwait(wanted, min(left, DAY))
                if info is None and left <= DAY:
                    return False
                if info and info.si_signo != signal.SIGCHLD:
                    self._pass_on(info.si_signo, command_has_it=info.si_code == SI_KERNEL)
            return True
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _serve(self, process: subprocess.Popen[bytes]) -> None:
        if process is not self._process:
            self._process = process
            for number in self.received:  # while the command was being started
                process.send_signal(number)

    def _came_in(self, number: int, frame: FrameType | None) -> None:
        self._pass_on(number, command_has_it=may_be_from_terminal(number))
        if self._waiting:
            self._waiting = False
            raise Stopped

    def _pass_on(self, number: int, *, command_has_it: bool) -> None:
        self.received.append(number)
        if self._process is None:
            return
        if number == signal.SIGINT and self.received.count(number) > 1:
            self._process.kill()
        elif not command_has_it:
            self._process.send_signal(number)


def may_be_from_terminal(number: int) -> bool:
    """Tell whether a terminal may have sent this signal: to us, and to the command as well."""
    if number not in (signal.SIGINT, getattr(signal, "SIGQUIT", None)):
        return False
    if not hasattr(os, "tcgetpgrp"):
        return True  # a Windows console tells all of its processes
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)


def name_of_signal(number: int) -> str:
    """Give the name of signal *number*, or its number where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Report:
    """
    Who is told of retries and of the end; as it stands, nobody.

    Only that a command cannot be run at all is told on *stream*, always.

    Args:
        stream: Standard error; None where it is closed.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.signals = Signals()
        self.attempt: Attempt

    def wait_ends(self, attempt: Attempt) -> None:
        """Another attempt begins."""
        self.attempt = attempt

    def on_retry(self, attempt: Attempt) -> None:
        """A wait begins."""

    def on_success(self, attempt: Attempt) -> None:
        """The command has exited 0."""

    def on_give_up(self, attempt: Attempt) -> None:
        """No attempt follows the failed one."""
        failed: Any = attempt.error
        if failed.retryable is False:
            self.say(f"{attempt.name}: {failed}")

    def on_stop(self) -> None:
        """A signal has ended the wait."""

    def say(self, text: str, end: str = "\n") -> None:
        """Write a line, if that can be done."""
        self.write(f"{PROGRAM}: {text}{end}")

    def write(self, text: str) -> None:
        """Write *text* at once, if that can be done."""
        try:
            if self._stream is not None:
                self._stream.write(text)
                self._stream.flush()
        except OSError:
            pass  # nobody listens; the command goes on

    def signal_name(self) -> str | None:
        """The name of the signal that came in first, if any did."""
        received = self.signals.received
        return name_of_signal(received[0]) if received else None


class Lines(Report):
    """Tells in one line for each retry, with a countdown where that is a terminal."""

    _countdown: Countdown | None = None

    def wait_ends(self, attempt: Attempt) -> None:
        """Leave the line of the countdown, where there is one."""
        super().wait_ends(attempt)
        self._end_countdown(f"again after {attempt.waited:.2f} s")

    def on_retry(self, attempt: Attempt) -> None:
        """Write the line, or begin to draw it."""
        wait = attempt.next_wait or 0.0
        what = f"{PROGRAM}: {attempt.name}: attempt {attempt.number}: {attempt.error}, "
        if self._stream is not None and self._stream.isatty():
            self._countdown = Countdown(self, what, wait, columns_of(self._stream))
        else:
            self.write(f"{what}again in {wait:.2f} s\n")

    def on_give_up(self, attempt: Attempt) -> None:
        """Say why, and how it failed last."""
        self._end_countdown("but no time is left")
        failed: Any = attempt.error
        if failed.retryable is False:
            super().on_give_up(attempt)
        elif (name := self.signal_name()) is not None:
            self.say(f"{name}: {attempt.name} is not run again: {failed}")
        else:
            head = headline(attempt.name, attempt.number, attempt.elapsed, reason_of(failed))
            self.say(f"{head}: {failed}")

    def on_stop(self) -> None:
        """Say which signal it was."""
        self._end_countdown("interrupted")
        self.say(f"{self.signal_name()}: {self.attempt.name} is not run again")

    def _end_countdown(self, text: str) -> None:
        if self._countdown is not None:
            self._countdown.end(text)
            self._countdown = None


class Json(Report):
    """Tells machines: one JSON object on a line of its own for each event."""

    def on_retry(self, attempt: Attempt) -> None:
        """An event ``retry``."""
        self._event("retry", attempt, wait=round(attempt.next_wait or 0.0, 3))

    def on_success(self, attempt: Attempt) -> None:
        """An event ``success``."""
        self._event("success", attempt)

    def on_give_up(self, attempt: Attempt) -> None:
        """An event ``give_up``."""
        name = self.signal_name()
        reason = "signal" if name else reason_of(attempt.error)
        self._event("give_up", attempt, reason=reason, signal=name)

    def on_stop(self) -> None:
        """An event ``give_up`` too, with the signal in the place of the failure."""
        name = self.signal_name()
        more = {"status": SIGNALLED + self.signals.received[0], "error": f"{name} while waiting"}
        self._event("give_up", self.attempt, **more, reason="signal", signal=name)

    def _event(self, kind: str, attempt: Attempt, **more: object) -> None:
        failed: Any = attempt.error
        event = {
            "event": kind,
            "command": attempt.name,
            "attempt": attempt.number,
            "status": 0 if failed is None else failed.status,
            "error": None if failed is None else str(failed),
            "elapsed": round(attempt.elapsed, 3),
        }
        self.write(json.dumps(event | more) + "\n")


def reason_of(failed: Any) -> Reason:
    """Why the library gave up on *failed*."""
    record = given_up(failed)
    # An error that was not retried at all carries no record.
    return "not retryable" if record is None else record.reason


class Countdown:
    """A line on a terminal, drawn anew until the wait is over, by a thread of its own."""

    def __init__(self, report: Report, what: str, wait: float, columns: int) -> None:
        self._report = report
        self._what = what
        self._deadline = time.monotonic() + wait
        self._columns = columns
        self._drawn = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self.tick, daemon=True)
        self.draw()
        self._thread.start()

    def tick(self) -> None:
        """Draw until it is over."""
        if hasattr(signal, "pthread_sigmask"):
            # Signals are for the thread that sleeps, or they would not wake it.
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while not self._over.wait(TICK):
            self.draw()

    def draw(self, text: str | None = None) -> None:
        """Draw the line in place of what is there, ending with *text* or with the time left."""
        left = max(self._deadline - time.monotonic(), 0)
        line = f"{self._what}{text or f'again in {left:.1f} s'}"[: self._columns]
        self._report.write("\r" + line.ljust(self._drawn))
        self._drawn = len(line)

    def end(self, text: str) -> None:
        """Draw the line for the last time, and leave it."""
        self._over.set()
        self._thread.join()
        self.draw(text)
        self._report.write("\n")


def columns_of(terminal: TextIO) -> int:
    """How long a line on *terminal* may be without running into the next."""
    try:
        return (os.get_terminal_size(terminal.fileno()).columns or 81) - 1
    except (OSError, ValueError):
        return 80
