"""Contract 13: signals to `run`, with real ones, and what nobody reads."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from cli_programs import (
    COUNTS,
    PATIENCE,
    PROGRAM,
    AtTerminal,
    Started,
    environment,
    processes,
    python,
    until,
)

from retrying_elegant.cli.signals import LONGEST

pytestmark = pytest.mark.usefixtures("no_signal_is_ignored")

# A command that says which signals it gets, until it gets one that ends it.
LISTENS = """
import signal, sys, time
def note(number, frame):
    print("got", number, flush=True)
for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM}:
    signal.signal(number, note)
print("up", flush=True)
while True:
    time.sleep(0.02)
"""


class TestStandardErrorIsNotRead:
    """A signal ends `run` even if nobody reads its standard error."""

    @pytest.fixture
    def full(self):
        """A pipe that is full."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"x" * 4096)
        os.set_blocking(writing, True)
        yield writing
        os.close(reading)
        os.close(writing)

    @pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT"])
    @pytest.mark.parametrize(
        "options",
        [["--wait", "1000"], ["--json", "--wait", "1000"], ["--attempts", "1"]],
        ids=["a retry", "an event", "giving up"],
    )
    def test_a_full_pipe(self, full, tmp_path, name, options):
        """Whatever it is about to say; the last word is not said."""
        command = ["sh", "-c", f"echo >> {tmp_path}/called; exit 3"]
        with Started("run", *options, "--", *command, stderr=full) as started:
            until((tmp_path / "called").exists, "the first attempt")
            time.sleep(0.3)  # it has begun to write; a signal before that has the same effect
            assert started.process.poll() is None
            started.process.send_signal(signal.Signals[f"SIG{name}"])
            assert started.process.wait(PATIENCE) == -signal.Signals[f"SIG{name}"]
        assert (tmp_path / "called").read_text() == "\n"

    def test_read_again(self, full, tmp_path):
        """Nothing is lost: it waits, as any program does."""
        command = ["sh", "-c", "exit 3"]
        options = ["--wait", "0", "--attempts", "2"]
        reading = os.open(f"/proc/self/fd/{full}", os.O_RDONLY | os.O_NONBLOCK)
        with Started("run", *options, "--", *command, stderr=full) as started:
            time.sleep(0.3)
            told = b""
            while started.process.poll() is None:
                with contextlib.suppress(BlockingIOError):
                    told += os.read(reading, 65536)
            with contextlib.suppress(BlockingIOError):
                told += os.read(reading, 65536)
        os.close(reading)
        assert told.replace(b"x", b"").count(b"retrying-elegant: ") == 2

    def test_a_terminal_that_is_held(self):
        """Ctrl-S holds the countdown; Ctrl-C ends the wait."""
        with AtTerminal("run", "--wait", "1000", "--", "false") as there:
            there.reads("again in 999.")
            there.types(b"\x13")
            time.sleep(0.3)
            there.types(b"\x03")
            there.types(b"\x11")
            assert there.ends() == -signal.SIGINT

    def test_it_is_closed(self):
        """Nobody listens, the command runs all the same."""
        done = subprocess.run(
            ["sh", "-c", 'exec "$@" 2>&-', "sh", *PROGRAM, "run", "--wait", "0", "--", "false"],
            env=environment(),
            timeout=PATIENCE,
        )
        assert done.returncode == 1


class TestOtherSignals:
    """They reach the command, which goes on, and so do the retries."""

    @pytest.mark.parametrize("name", ["USR1", "USR2", "ALRM", "WINCH", "RTMIN"])
    def test_while_it_runs(self, name):
        """Only the command gets them: what it has started may not know them."""
        number = signal.Signals[f"SIG{name}"]
        with Started("run", "--", *python(LISTENS)) as started:
            started.reads("up")
            started.process.send_signal(number)
            assert started.reads("got") == f"got {int(number)}\n"
            started.process.terminate()
            assert started.ends()[0] == -signal.SIGTERM

    def test_while_it_waits(self):
        """There is nothing that could get it; the wait goes on."""
        with Started("run", "--wait", "1000", "--", "false") as started:
            started.reads("again in")
            started.process.send_signal(signal.SIGUSR1)
            started.process.terminate()
            assert started.ends()[1] == "retrying-elegant: SIGTERM: false is not run again\n"

    def test_the_next_attempt_does_not_get_it(self, tmp_path):
        """A signal is for the attempt that runs."""
        command = ["sh", "-c", f"echo >> {tmp_path}/called; test $(wc -l < {tmp_path}/called) = 2"]
        with Started("run", "--wait", "0.5", "--", *command) as started:
            started.reads("again in")
            started.process.send_signal(signal.SIGUSR1)
            assert started.ends()[0] == 0


class TestWhoGetsThem:
    """Where stdin is not a terminal, the command's whole group does."""

    def test_what_the_command_has_started(self, tmp_path):
        """A shell does not pass them on, so that its pipeline would stay."""
        script = "sleep 60 | sleep 60 | (echo up; exec sleep 60)"
        with Started("run", "--", "sh", "-c", script) as started:
            started.reads("up")
            started.process.terminate()
            assert started.ends()[0] == -signal.SIGTERM
            until(lambda: not processes(started.process.pid), "the end of the pipeline")

    def test_a_stopped_command(self):
        """It notices at once: CONT follows."""
        code = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("up", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
signal.pause()
"""
        with Started("run", "--", *python(code)) as started:
            started.reads("up")
            until(lambda: "T" in processes(started.process.pid).values(), "the stop")
            started.process.terminate()
            assert started.ends()[0] == 7

    def test_from_the_terminal_of_a_pipeline(self):
        """Ctrl-C is passed on where stdin is a pipe, for the command is not in the foreground."""
        line = " ".join(f"'{word}'" for word in [*PROGRAM, "run", "--", *python(COUNTS, "0.2")])
        with AtTerminal(f"sleep 60 | {line}", program=["sh", "-c"]) as there:
            there.reads("up")
            there.types(b"\x03")
            there.ends()
        assert "counted 1" in there.told
        assert "SIGINT: " in there.told

    def test_ctrl_z(self):
        """The command stops with the program, and continues with it."""
        process = subprocess.Popen(
            [*PROGRAM, "run", "--", *python(LISTENS)],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,  # a job of this session, as a shell starts it
        )
        try:
            assert process.stdout.readline() == "up\n"
            (command,) = children(process.pid)
            process.send_signal(signal.SIGTSTP)
            assert process.stdout.readline() == f"got {int(signal.SIGTSTP)}\n"
            until(lambda: state(process.pid) == "T", "the stop")
            os.kill(command, signal.SIGSTOP)  # LISTENS has taken Ctrl-Z for its own
            until(lambda: state(command) == "T", "the command's stop")
            process.send_signal(signal.SIGCONT)
            assert process.stdout.readline() == f"got {int(signal.SIGCONT)}\n"
            process.terminate()
            assert process.wait(PATIENCE) == -signal.SIGTERM
        finally:
            for pid in (*children(process.pid), process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.communicate()

    def test_ctrl_z_while_it_waits(self):
        """It stops alone, and a signal ends the wait afterwards."""
        process = subprocess.Popen(
            [*PROGRAM, "run", "--wait", "1000", "--", "false"],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        try:
            assert "again in" in process.stderr.readline()
            process.send_signal(signal.SIGTSTP)
            until(lambda: state(process.pid) == "T", "the stop")
            process.send_signal(signal.SIGCONT)
            process.terminate()
            assert process.wait(PATIENCE) == -signal.SIGTERM
        finally:
            process.kill()
            process.communicate()

    def test_stopped_for_longer_than_it_looks_away(self):
        """It continues as if nothing had come: what Python returns then is not a signal."""
        with Started("run", "--", *python(LISTENS)) as started:
            started.reads("up")
            for _ in range(2):
                started.process.send_signal(signal.SIGSTOP)
                until(lambda: state(started.process.pid) == "T", "the stop")
                time.sleep(LONGEST + 0.1)
                started.process.send_signal(signal.SIGCONT)
                until(lambda: state(started.process.pid) == "S", "the continuation")
            started.process.terminate()
            status, told = started.ends()
        assert status == -signal.SIGTERM
        assert told.splitlines()[:-1] == []


def children(pid):
    try:
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def state(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


class TestFirstProcess:
    """As the first process of a container: all signals reach the command, orphans are reaped."""

    @pytest.fixture
    def container(self):
        """Start the program as the first process of a PID namespace; give it and its outer id."""
        started = []

        def start(*words):
            before = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
            if os.getuid() != 0:
                before[1:1] = ["--user", "--map-root-user"]
            if subprocess.run([*before, "true"], check=False).returncode != 0:
                pytest.skip("this system allows no PID namespaces")
            one = Started(*words, before=before)
            started.append(one)
            return one, until(lambda: children(one.process.pid), "the first process")[0]

        yield start
        for one in started:
            one.__exit__()

    @pytest.mark.parametrize("name", ["USR1", "USR2", "WINCH", "RTMIN", "HUP", "INT", "QUIT"])
    def test_signals_reach_the_command(self, container, name):
        """The first process gets only what it has handlers for; USR1 would be lost."""
        started, first = container("run", "--", *python(LISTENS))
        started.reads("up")
        os.kill(first, signal.Signals[f"SIG{name}"])
        assert started.reads("got") == f"got {int(signal.Signals[f'SIG{name}'])}\n"

    def test_the_end(self, container):
        """It cannot die by a signal: the exit status is 128 + n."""
        started, first = container("run", "--", "sh", "-c", "echo up; exec sleep 60")
        started.reads("up")
        os.kill(first, signal.SIGTERM)
        status, told = started.ends()
        assert status == 143
        assert told == "retrying-elegant: SIGTERM: sh is not run again: killed by SIGTERM\n"

    def test_the_end_of_a_wait(self, container):
        """Likewise."""
        started, first = container("run", "--wait", "1000", "--", "false")
        started.reads("again in")
        os.kill(first, signal.SIGTERM)
        assert started.ends()[0] == 143

    def test_only_the_command_is_told(self, container):
        """It ends its own children in its own order; `docker stop` is no Ctrl-C."""
        code = """
import signal, subprocess, sys
child = subprocess.Popen(["sleep", "60"])
def end(*_):
    print("child", child.poll(), flush=True)
    child.kill()
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
while True:
    signal.pause()
"""
        started, first = container("run", "--", *python(code))
        started.reads("up")
        os.kill(first, signal.SIGTERM)
        assert started.ends() == (
            7,
            (
                "child None\nretrying-elegant: SIGTERM: "
                f"{python('')[0]} is not run again: exit status 7\n"
            ),
        )

    ORPHANS = """
cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z '
for i in 1 2 3; do sh -c '(exit 0) & exit' & done; wait
sleep 0.3
"""

    def test_orphans_are_reaped_at_the_end_of_each_attempt(self, container):
        """The next one finds none."""
        script = f"{self.ORPHANS} exit 3"
        options = ["--quiet", "--attempts", "3", "--wait", "0"]
        started, _ = container("run", *options, "--", "sh", "-c", script)
        assert started.ends() == (3, "0\n0\n0\n")

    def test_orphans_are_reaped_while_it_runs(self, container):
        """A command that runs for months may leave many."""
        script = f"{self.ORPHANS}{self.ORPHANS} exit 3"
        started, _ = container("run", "--quiet", "--attempts", "1", "--", "sh", "-c", script)
        assert started.ends() == (3, "0\n0\n")

    def test_a_group_that_is_ended(self, container):
        """Its members become ours: their end is waited for, and seen."""
        script = "(trap '' TERM; while :; do sleep 0.05; done) & exec sleep 60"
        options = ["--attempt-timeout", "200ms", "--attempts", "2", "--wait", "0", "--quiet"]
        started, _ = container("run", *options, "--", "sh", "-c", script)
        assert started.ends() == (124, "")
