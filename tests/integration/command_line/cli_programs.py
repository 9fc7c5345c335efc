"""The program as a process, and at a terminal of its own: for the tests of the command line."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

import retrying_elegant

SOURCE = str(Path(retrying_elegant.__file__).parent.parent)
PROGRAM = [sys.executable, "-m", "retrying_elegant"]
PATIENCE = 20  # seconds until a test that hangs fails

# A command that says it is up, counts signals, and ends so many seconds after the first.
COUNTS = """
import signal, sys, time
got, end = [], float("inf")
def note(number, frame):
    global end
    got.append(signal.Signals(number).name)
    end = min(end, time.monotonic() + float(sys.argv[1]))
    print("got", got[-1], flush=True)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, note)
print("up", flush=True)
while time.monotonic() < end:
    time.sleep(0.02)
print("counted", len(got), flush=True)
sys.exit(7)
"""


def environment():
    return {**os.environ, "PYTHONPATH": SOURCE, "TERM": "xterm"}


def finished(*words, **options):
    """The program, run to its end: its exit status and its two outputs."""
    done = subprocess.run(
        [*PROGRAM, *words],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **options,
    )
    return done.returncode, done.stdout, done.stderr


def python(code, *words):
    return [sys.executable, "-c", code, *words]


def processes(session):
    """The processes of *session* that still run, and their states, as Linux shows them."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{name}/stat").read_bytes()
        except OSError:
            continue  # it has just ended
        state, _, _, number = stat.rpartition(b")")[2].split()[:4]
        if int(number) == session and state not in b"ZX":
            found[int(name)] = state.decode()
    return found


def end_session(session):
    """End all that a test has started, also what has a process group of its own."""
    for pid in processes(session):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def is_pending(pid, number):
    """Whether a signal has reached a process, and has not been taken yet."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(":", 1) for line in status)
    return any(int(fields[name], 16) >> (number - 1) & 1 for name in ("SigPnd", "ShdPnd"))


def until(condition, what):
    """Wait for *condition*; fail if it does not come."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.01)
    return found


class Started:
    """The program, running, its standard error with its output: ended at the end of ``with``."""

    def __init__(self, *words, before=(), **options):
        self.process = subprocess.Popen(
            [*before, *PROGRAM, *words],
            env=environment(),
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.STDOUT,
                "text": True,
                "start_new_session": True,  # no terminal: nothing else sends signals
                **options,
            },
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end_session(self.process.pid)
        self.process.kill()
        self.process.communicate()

    def reads(self, text):
        """Wait for a line with *text* in it."""
        for line in self.process.stdout:
            if text in line:
                return line
        pytest.fail(f"the output ended without {text!r}")

    def ends(self):
        """The exit status, and what was still to read."""
        told, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, told


class AtTerminal:
    """The program, running in a pseudo-terminal of its own."""

    def __init__(self, *words, columns=80, settings=(), program=PROGRAM):
        self.told = ""
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            # A pipe that nobody reads ends a command; Python has ignored that here.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execvpe(program[0], [*program, *words], {**environment(), **dict(settings)})
        size = struct.pack("HHHH", 24, columns, 0, 0)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)
        self._status = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end_session(self.pid)
        if self._status is None:
            os.waitpid(self.pid, 0)
        os.close(self._terminal)

    def _read(self):
        """Read what there is; False at the end."""
        ready, _, _ = select.select([self._terminal], [], [], PATIENCE)
        assert ready, f"nothing more was written after {self.told!r}"
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # how Linux says that the other side is closed
            return False
        self.told += data.decode(errors="replace")
        return bool(data)

    def reads(self, text):
        """Wait for *text*."""
        while text not in self.told:
            assert self._read(), f"the output ended without {text!r}"

    def types(self, keys):
        os.write(self._terminal, keys)

    def ends(self):
        """The exit status."""
        latest = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < latest, f"it does not end: {self.told[-200:]!r}"
        _, status = os.waitpid(self.pid, 0)
        self._status = os.waitstatus_to_exitcode(status)
        return self._status
