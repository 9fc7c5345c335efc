"""Process: the command of one attempt, from its start until none of its processes run.

Owns starting it as ``timeout`` does, its process group, signals to it, and whether it has
ended.  Leaves the timing of all that to ``run`` and ``signals``.

If standard input is not a terminal, the command has a process group of its own, so that
everything it starts can be ended with it.  If it is one, the command stays in our group, because
only one group can read from a terminal.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_BEGINNING = 256  # bytes of a file that distinguish a script from a program
_SHELLS = {"ash", "bash", "busybox", "dash", "ksh", "mksh", "sh", "yash", "zsh"}


class Command:
    """
    A running command.

    Args:
        argv: What to run.

    Attributes:
        has_own_group: Whether it has a process group of its own, with all that it starts.

    Raises:
        OSError: the command cannot be run.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.has_own_group = os.name == "posix" and not os.isatty(0)
        options: dict[str, Any] = {"close_fds": False}  # as `diff <(a) <(b)` needs
        if self.has_own_group:
            options["process_group"] = 0
        if sigpipe_was_ignored():
            options["restore_signals"] = False
        self._process: subprocess.Popen[bytes] = _started(argv, options)

    @property
    def pid(self) -> int:
        """The id of the process, and of its own group if it has one."""
        return self._process.pid

    def status(self) -> int:
        """Return its exit status after it has ended; -n if signal n ended it."""
        status: int = self._process.returncode
        return status

    def has_ended(self) -> bool:
        """Return whether it has ended; processes that it started may still run."""
        return self._process.poll() is not None

    def is_gone(self) -> bool:
        """Return whether it and all processes of its own group have ended."""
        return self.has_ended() and not (self.has_own_group and group_is_alive(self.pid))

    def wait(self, seconds: float | None) -> None:
        """Wait until it ends, at most *seconds*."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass

    def end(self, number: int) -> None:
        """Send signal *number* to all of it, and continue processes that are stopped."""
        self.send(number, to_group=True)
        if os.name == "posix":
            self.send(signal.SIGCONT, to_group=True)

    def kill(self) -> None:
        """Kill all of it."""
        if os.name == "posix":
            self.send(signal.SIGKILL, to_group=True)
        else:
            self._process.kill()

    def send(self, number: int, *, to_group: bool) -> None:
        """Send signal *number* to it, or to its own group if it has one, if that is permitted."""
        try:
            if to_group and self.has_own_group:
                os.killpg(self.pid, number)
            else:
                self._process.send_signal(number)
        except (ProcessLookupError, PermissionError):
            pass  # it has just ended, or belongs to another user, as under sudo


def _started(argv: Sequence[str], options: dict[str, Any]) -> subprocess.Popen[Any]:
    path = path_of(argv[0])
    try:
        return subprocess.Popen(argv, executable=path, **options)  # noqa: S603 - it is the purpose
    except OSError as error:
        if error.errno != errno.ENOEXEC or not is_text(path):
            raise
    return subprocess.Popen(["/bin/sh", path, *argv[1:]], **options)  # noqa: S603 - as above


def path_of(name: str) -> str:
    """
    Return the first file on the path for the command *name*, as a shell finds it.

    The module subprocess would skip a script without ``#!``.
    """
    if os.name == "posix" and not os.path.dirname(name):
        for folder in os.get_exec_path():
            path = os.path.join(folder or os.curdir, name)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    return name


def is_text(path: str) -> bool:
    """Return whether the file can be a script: a shell would take any bytes for commands."""
    try:
        with open(path, "rb") as file:
            return b"\0" not in file.read(_BEGINNING)
    except OSError:
        return False


def sigpipe_was_ignored() -> bool:
    """
    Return whether SIGPIPE was ignored when this program started, as far as that can be known.

    Python ignores it before this code runs.  On Linux, it can be read from a shell that is our
    parent: a shell ignores SIGPIPE only if a script or its own parent wants that.
    """
    try:
        with open(f"/proc/{os.getppid()}/status", encoding="utf-8", errors="replace") as file:
            fields = {name: text.strip() for name, _, text in (x.partition(":") for x in file)}
        ignored = int(fields["SigIgn"], 16)
        return fields["Name"] in _SHELLS and bool(ignored >> (signal.SIGPIPE - 1) & 1)
    except (OSError, KeyError, ValueError):
        return False


def group_is_alive(group: int) -> bool:
    """Return whether a process of *group* still runs; a zombie does not count."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    if not sys.platform.startswith("linux"):
        return True
    states = [state for state, number in _processes() if number == group]
    # If there are none, they are hidden from us.
    return not states or any(state not in "ZX" for state in states)


def _processes() -> list[tuple[str, int]]:
    """Return the state and the group of every process in ``/proc``."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # The name of the program, in parentheses, may contain anything.
                state, _, group = file.read().rpartition(b")")[2].split()[:3]
        except (OSError, ValueError):
            continue  # it has just ended
        found.append((state.decode(), int(group)))
    return found


def reap_orphans(command: Command) -> None:
    """Collect orphaned processes, as the first process of a container has to."""
    try:
        while True:
            info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if info is None:
                return
            if info.si_pid == command.pid:
                command.has_ended()  # which collects it
            else:
                os.waitpid(info.si_pid, 0)
    except ChildProcessError:
        pass  # none is left
