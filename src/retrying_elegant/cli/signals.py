"""Signals: those sent to this program are meant for the command.

Owns handling them, passing them on, and what each means: TERM, INT, HUP and QUIT end the
program, all others concern only the command.  Leaves the command to ``process``.

A signal goes to the command while one runs.  During a wait, a signal that ends the program ends
the wait, and any other is dropped.  Times are float seconds.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from .process import reap_orphans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType
    from typing import Any, Self

    from retrying_elegant import Attempt

    from .process import Command

SIGNALED = 128  # plus the number of a signal: the exit status, as in shells
LONGEST = 1.0  # seconds between two checks for a signal, which may be lost to another thread
PAUSE = 0.02  # seconds between two checks for an end that sends no signal

ENDING = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
# Signals that are not passed on: those that cannot be handled, those about this process alone,
# those that Python itself relies on, and job control except for SIGTSTP.
OWN = (
    *("SIGKILL", "SIGSTOP", "SIGCHLD", "SIGCLD", "SIGTTIN", "SIGTTOU", "SIGTSTP", "SIGCONT"),
    *("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGIOT", "SIGTRAP", "SIGSYS"),
    *("SIGSTKFLT", "SIGEMT", "SIGPIPE", "SIGXFSZ", "SIGXCPU", "SIGBREAK"),
)
NOT_TAKEN = (signal.SIG_IGN, None)  # None: handled, but not by Python
# Linux reports who sent a signal; SI_KERNEL is the kernel itself, as for Ctrl-C on a terminal.
SENDER_IS_KNOWN = sys.platform.startswith("linux")
SI_KERNEL = 0x80


class Stopped(BaseException):
    """Raised when a signal arrives while no command is running."""


def numbers(names: tuple[str, ...]) -> set[int]:
    """Return the numbers of the signals called *names* that this system has."""
    return {int(getattr(signal, name)) for name in names if hasattr(signal, name)}


def is_first_process() -> bool:
    """Return whether this is the first process of a container, which must act as its init."""
    return os.getpid() == 1


class Signals:
    """
    The signals to this process, handled here inside ``with``.

    Attributes:
        received: The numbers of those that end the program, in the order of their arrival.
    """

    def __init__(self) -> None:
        self.received: list[int] = []
        self._ending = numbers(ENDING)
        self._early: list[int] = []  # received while a command was being started
        self._command: Command | None = None
        self._may_raise = False
        self._is_first = is_first_process()
        self._taken: list[int] = []
        self._before: list[tuple[int, Any]] = []

    def __enter__(self) -> Self:
        wanted: set[int] = set(self._ending)
        if os.name == "posix":
            wanted |= set(signal.valid_signals()) - numbers(OWN)
            if not os.isatty(0):
                # A terminal stops our group, not the command's.
                wanted.add(signal.SIGTSTP)
        # Signals that are ignored here, as under nohup, stay ignored, and the command inherits it.
        self._taken = [n for n in sorted(wanted) if signal.getsignal(n) not in NOT_TAKEN]
        self._before = [(n, signal.signal(n, self._came_in)) for n in self._taken]
        # With SIGCHLD ignored, the system would not report how the command ended. SIGXFSZ is
        # ignored by Python, not by our parent, so the command must not inherit it.
        for number in numbers(("SIGCHLD", "SIGXFSZ")):
            self._before.append((number, signal.signal(number, signal.SIG_DFL)))
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
        """Let signals end the wait from now on; the last hook before it."""
        self._may_raise = True
        if self.received:
            self._may_raise = False
            raise Stopped

    def wait_ends(self, _: Attempt) -> None:
        """Let signals go to the command from now on; the first hook after a wait."""
        self._may_raise = False

    def interrupt(self, action: Callable[[], object]) -> None:
        """
        Call *action*, which may block; a signal that ends the program ends it too.

        Raises:
            Stopped: a signal did.
        """
        before, self._may_raise = self._may_raise, True
        try:
            action()
        finally:
            self._may_raise = before

    def start(self, start: Callable[[], Command]) -> Command:
        """
        Start a command with *start* and return it; from now on it receives the signals.

        Raises:
            Stopped: a signal has arrived, so the command is not started.
        """
        self._early.clear()
        if self.received:
            raise Stopped
        command = start()
        self._command = command
        while self._early:
            self._pass_on(self._early.pop(0))
        return command

    def end(self) -> None:
        """Note that the command has ended."""
        if self._command is not None and self._is_first:
            reap_orphans(self._command)
        self._command = None

    def wait_until(
        self, is_over: Callable[[], bool], deadline: float, pause: float = LONGEST
    ) -> bool:
        """
        Wait for the command, which receives the signals in the meantime.

        Args:
            is_over: The condition to wait for.
            pause: Seconds between checks of the condition if no child ends.

        Returns:
            Whether the condition was met before *deadline*.
        """
        command = self._command
        assert command is not None  # noqa: S101 - what the type checkers cannot know
        if not SENDER_IS_KNOWN:
            while not is_over():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                if command.has_ended():
                    time.sleep(min(left, pause))
                else:
                    command.wait(min(left, pause))
            return True
        # Blocked signals are delivered one by one, with their senders. The command is started
        # before this, because it would inherit the mask.
        wanted = {*self._taken, signal.SIGCHLD}
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
        try:
            while not is_over():
                if self._is_first:
                    reap_orphans(command)
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                info = signal.sigtimedwait(wanted, min(left, pause))
                if info and info.si_signo != signal.SIGCHLD and is_real(info, wanted):
                    self._take(info.si_signo, from_terminal=info.si_code == SI_KERNEL)
            return True
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def outcome(self, status: int) -> int:
        """
        Return how the program ends after a command that ended with *status*.

        Returns:
            -n if signal n was received and ended the command, or arrived after its end;
            otherwise *status*.
        """
        for number in self.received:
            if status == SIGNALED + number or number in self._early:
                return -number
        if self.received.count(signal.SIGINT) > 1 and status == SIGNALED + signal.SIGKILL:
            return -signal.SIGINT  # the second one killed it
        return status

    def _came_in(self, number: int, frame: FrameType | None) -> None:
        self._take(number, from_terminal=may_be_from_terminal(number))
        if self._may_raise and number in self._ending:
            self._may_raise = False
            raise Stopped

    def _take(self, number: int, *, from_terminal: bool) -> None:
        if number == getattr(signal, "SIGTSTP", None):
            self._suspend()
            return
        if number in self._ending:
            self.received.append(number)
        if self._command is None:
            self._early.append(number)
        elif number == signal.SIGINT and self.received.count(number) > 1:
            self._command.kill()
        elif not (from_terminal and not self._command.has_own_group):
            self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        """Send the command a signal that this process has to pass on."""
        assert self._command is not None  # noqa: S101 - what the type checkers cannot know
        if number not in self._ending or self._is_first:
            # The command knows what its children need; the container ends with its first process.
            self._command.send(number, to_group=False)
        else:
            self._command.end(number)

    def _suspend(self) -> None:
        """Stop together with the command, as Ctrl-Z demands, and continue together."""
        number = signal.SIGTSTP
        if self._command is not None:
            self._command.send(number, to_group=True)
        if not self._is_first:
            signal.signal(number, signal.SIG_DFL)
            mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
            os.kill(os.getpid(), number)  # here we stop
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            signal.signal(number, self._came_in)
            if self._command is not None:
                self._command.send(signal.SIGCONT, to_group=True)


def is_real(info: signal.struct_siginfo, wanted: set[int]) -> bool:
    """
    Return whether *info* describes a signal of *wanted*, rather than what was in memory.

    If this process is stopped during ``sigtimedwait`` and continued after the time is up, Python
    returns a structure that nothing was written to.
    """
    return info.si_signo in wanted and info.si_errno == 0 and abs(info.si_code) <= SI_KERNEL


def may_be_from_terminal(number: int) -> bool:
    """Return whether a terminal may have sent this signal, to us and to the command."""
    if number not in (signal.SIGINT, getattr(signal, "SIGQUIT", None)):
        return False
    if not hasattr(os, "tcgetpgrp"):
        return True  # a Windows console notifies all of its processes
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def name_of_signal(number: int) -> str:
    """Return the name of signal *number*, or its number if it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
