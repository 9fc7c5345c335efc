"""Report: what ``run`` writes to standard error.

Owns the lines, the countdown on a terminal, and the JSON.  A report must never keep a signal
from ending the program, even if standard error is a pipe that is full and not being read.
Times are float seconds, widths are columns.
"""

from __future__ import annotations

import json
import os
import select
import signal
import threading
import time

from retrying_elegant import given_up
from retrying_elegant._giveup import headline

from .output import PROGRAM, cut, width
from .signals import SIGNALED, Signals, name_of_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

    from retrying_elegant import Attempt
    from retrying_elegant._giveup import Reason

TICK = 0.1  # seconds between two updates of the countdown, or two tries to write


class Report:
    """
    The reporter that is notified of retries and of the end, and does not report them.

    It only reports that a command cannot be run at all.

    Args:
        stream: Standard error; None if it is closed.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.signals = Signals()
        self.attempt: Attempt

    def wait_ends(self, attempt: Attempt) -> None:
        """Called when another attempt begins."""
        self.attempt = attempt

    def on_retry(self, attempt: Attempt) -> None:
        """Called when a wait begins."""

    def on_success(self, attempt: Attempt) -> None:
        """Called when the command has exited 0."""

    def on_give_up(self, attempt: Attempt) -> None:
        """Called when no attempt follows a failed one."""
        failed: Any = attempt.error
        if failed.retryable is False:
            self.say(f"{attempt.name}: {failed}")

    def on_stop(self) -> None:
        """Called when a signal has ended the wait."""

    def say(self, text: str, end: str = "\n") -> None:
        """Write a line, if possible."""
        self.write(f"{PROGRAM}: {text}{end}")

    def write(self, text: str) -> None:
        """
        Write *text* and flush it, if possible.

        Raises:
            Stopped: a signal arrived while writing was blocked.
        """
        try:
            if self._stream is None:
                return
            file = descriptor_of(self._stream)
            if file is None:
                self._stream.write(text)
                self._stream.flush()
            else:
                data = self.encoded(text)
                self.signals.interrupt(lambda: self._put(file, data))
        except OSError:
            pass  # it is closed or no longer being read; the command continues

    def write_if_ready(self, text: str) -> None:
        """Write *text* from another thread, unless that would block, as after Ctrl-S."""
        try:
            if self._stream is None:
                return
            file = descriptor_of(self._stream)
            if file is None:
                self._stream.write(text)
                self._stream.flush()
            elif is_writable(file, 0):
                os.write(file, self.encoded(text))
        except OSError:
            pass  # as above

    def encoded(self, text: str) -> bytes:
        """Return *text* as the stream would write it."""
        return text.encode(getattr(self._stream, "encoding", None) or "utf-8", "backslashreplace")

    def _put(self, file: int, data: bytes) -> None:
        while data:
            if is_writable(file, TICK):
                try:
                    data = data[os.write(file, data) :]
                except BlockingIOError:
                    pass  # another process has filled it in the meantime
            elif self.signals.received:
                return  # it is time to end, even with the line unfinished

    def signal_name(self) -> str | None:
        """Return the name of the first signal received, if any."""
        received = self.signals.received
        return name_of_signal(received[0]) if received else None


def descriptor_of(stream: TextIO) -> int | None:
    """Return the file descriptor of *stream* if it can be written to directly."""
    try:
        # A Windows console wants characters, not bytes.
        return stream.fileno() if os.name == "posix" else None
    except (OSError, ValueError):
        return None


def is_writable(file: int, seconds: float) -> bool:
    """Return whether a line can be written to *file* within *seconds*."""
    return bool(select.select([], [file], [], seconds)[1])


class Lines(Report):
    """Writes one line for each retry, with a countdown on a terminal."""

    _countdown: Countdown | None = None

    def wait_ends(self, attempt: Attempt) -> None:
        """End the line of the countdown, if there is one."""
        super().wait_ends(attempt)
        self._end_countdown(f"again after {attempt.waited:.2f} s")

    def on_retry(self, attempt: Attempt) -> None:
        """Write the line, or start the countdown."""
        wait = attempt.next_wait or 0.0
        what = f"{attempt.name}: attempt {attempt.number}: {attempt.error}, "
        if self._stream is not None and self._stream.isatty():
            self._countdown = Countdown(self, self._stream, what, wait)
        else:
            self.say(f"{what}again in {wait:.2f} s")

    def on_give_up(self, attempt: Attempt) -> None:
        """Write the reason, and how the last attempt failed."""
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
        """Write which signal it was."""
        self._end_countdown("interrupted")
        self.say(f"{self.signal_name()}: {self.attempt.name} is not run again")

    def _end_countdown(self, text: str) -> None:
        if self._countdown is not None:
            self._countdown.end(text)
            self._countdown = None


class Json(Report):
    """Writes one JSON object on a line of its own for each event."""

    def on_retry(self, attempt: Attempt) -> None:
        """Write an event ``retry``."""
        self._event("retry", attempt, wait=round(attempt.next_wait or 0.0, 3))

    def on_success(self, attempt: Attempt) -> None:
        """Write an event ``success``."""
        self._event("success", attempt)

    def on_give_up(self, attempt: Attempt) -> None:
        """Write an event ``give_up``."""
        name = self.signal_name()
        reason = "signal" if name else reason_of(attempt.error)
        self._event("give_up", attempt, reason=reason, signal=name)

    def on_stop(self) -> None:
        """Write an event ``give_up``, with the signal in place of the failure."""
        name = self.signal_name()
        more = {"status": SIGNALED + self.signals.received[0], "error": f"{name} while waiting"}
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
        self.write(json.dumps(event | more) + "\n")  # ASCII, whatever the locale


def reason_of(failed: Any) -> Reason:
    """Return why the library gave up on *failed*."""
    record = given_up(failed)
    # An error that was not retried at all carries no record.
    return "not retryable" if record is None else record.reason


class Countdown:
    """A line on a terminal that a thread of its own redraws until the wait is over.

    Args:
        what: The text before the time that is left.
    """

    def __init__(self, report: Report, terminal: TextIO, what: str, wait: float) -> None:
        self._report = report
        self._terminal = terminal
        # As the terminal shows it, because the width is that of what is shown.
        encoding = getattr(terminal, "encoding", None) or "utf-8"
        self._what = report.encoded(what).decode(encoding)
        self._deadline = time.monotonic() + wait
        self._drawn = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self.tick, daemon=True)
        report.write(self.drawing())
        # Signals must go to the thread that sleeps, or they would not wake it.
        mask = held_back()
        try:
            self._thread.start()
        except RuntimeError:
            self._over.set()  # without threads, the line stays as it is
        finally:
            if mask is not None:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def tick(self) -> None:
        """Redraw the line until the wait is over."""
        while not self._over.wait(TICK):
            self._report.write_if_ready(self.drawing())

    def drawing(self) -> str:
        """Return the line that replaces the one before, no longer than the terminal is wide."""
        left = max(self._deadline - time.monotonic(), 0)
        columns = columns_of(self._terminal)
        line = fitted(self._what, f"again in {left:.1f} s", columns)
        rest = min(self._drawn, columns) - width(line)
        self._drawn = width(line)
        return f"\r{line}{' ' * rest}"

    def end(self, text: str) -> None:
        """Draw the line a last time, in full, and end it."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(2 * TICK)
        line = f"{PROGRAM}: {self._what}{text}"
        self._report.write(f"\r{line}{' ' * (self._drawn - width(line))}\n")


def held_back() -> set[int] | None:
    """Block all signals in this thread and in those it starts; return the former mask."""
    if not hasattr(signal, "pthread_sigmask"):
        return None
    return {*signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())}


def fitted(what: str, end: str, columns: int) -> str:
    """Return a line of at most *columns*; what matters least is cut first."""
    for line in (f"{PROGRAM}: {what}{end}", f"{what}{end}"):
        if width(line) <= columns:
            return line
    head = cut(what, columns - len(end) - 4)
    return f"{head}... {end}" if head else cut(end, columns)


def columns_of(terminal: TextIO) -> int:
    """Return how long a line on *terminal* may be without wrapping."""
    try:
        return (os.get_terminal_size(terminal.fileno()).columns or 81) - 1
    except (OSError, ValueError):
        return 80
