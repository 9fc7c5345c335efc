"""Contract 13, with real processes, signals and a pseudo-terminal.

What is started here is ended here, by its own process id.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from cli_programs import (
    COUNTS,
    PATIENCE,
    PROGRAM,
    AtTerminal,
    Started,
    environment,
    finished,
    is_pending,
    python,
    until,
)

pytestmark = pytest.mark.usefixtures("no_signal_is_ignored")


class TestExitStatus:
    """The exit status is the command's last; what cannot be started has 127 or 126."""

    @pytest.mark.parametrize(
        ("script", "status"),
        [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -KILL $$", 137)],
    )
    def test_the_commands_last(self, script, status):
        """128 + n where signal n ended it."""
        options = ["--attempts", "2", "--wait", "0"]
        assert finished("run", *options, "--", "sh", "-c", script)[0] == status

    def test_it_succeeds_in_the_end(self, tmp_path):
        """After real waits."""
        script = f"cd {tmp_path}; echo >> calls; test $(wc -l < calls) = 3"
        status, _, told = finished("run", "--wait", "0.05", "--", "sh", "-c", script)
        assert status == 0
        assert told.count("\n") == 2

    def test_not_found_and_not_executable(self, tmp_path):
        """Without retrying, as a shell does."""
        (tmp_path / "text").write_text("text")
        assert finished("run", "--", "no-such-command-anywhere")[0] == 127
        assert finished("run", "--", str(tmp_path / "text"))[0] == 126

    def test_wrong_options(self):
        """2, and a usage line."""
        status, out, told = finished("run", "--attempts", "many", "--", "true")
        assert (status, out) == (2, "")
        assert told.startswith("usage: retrying-elegant run ")

    def test_nobody_reads_on(self):
        """No traceback where the output goes to `head`."""
        line = f"'{sys.executable}' -m retrying_elegant preview | :"
        shell = subprocess.run(
            ["sh", "-c", line], env=environment(), capture_output=True, text=True, check=True
        )
        assert shell.stderr == ""


class TestOutput:
    """Output is untouched and unbuffered; events are on standard error."""

    def test_untouched(self):
        """Byte for byte, standard input too."""
        data = bytes(range(256)) * 1000
        done = subprocess.run(
            [*PROGRAM, "run", "--", "cat"],
            env=environment(),
            input=data,
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
        assert (done.stdout, done.stderr) == (data, b"")

    def test_unbuffered(self):
        """It can be read while the command goes on."""
        command = ["sh", "-c", "printf 'half a line'; exec sleep 60"]
        with Started("run", "--", *command) as started:
            assert started.process.stdout.read(11) == "half a line"
            assert started.process.poll() is None
            started.process.terminate()
            assert started.ends()[0] == -signal.SIGTERM

    def test_the_order_is_kept(self):
        """Lines of ours stand between the outputs of the attempts."""
        options = ["--attempts", "2", "--wait", "0"]
        with Started("run", *options, "--", "sh", "-c", "echo out; exit 3") as started:
            status, told = started.ends()
        assert status == 3
        assert [line.split()[0] for line in told.splitlines()] == [
            "out",
            "retrying-elegant:",
            "out",
            "retrying-elegant:",
        ]

    def test_json(self):
        """One object on each line."""
        options = ["--json", "--attempts", "2", "--wait", "0.01"]
        status, out, told = finished("run", *options, "--", "sh", "-c", "echo out; exit 3")
        events = [json.loads(line) for line in told.splitlines()]
        assert (status, out) == (3, "out\nout\n")
        assert [event["event"] for event in events] == ["retry", "give_up"]

    def test_no_countdown_without_a_terminal(self):
        """Nor colours."""
        *_, told = finished("run", "--wait", "0.2", "--attempts", "2", "--", "false")
        assert "\r" not in told
        assert "\x1b" not in told


class TestSignals:
    """Signals reach the command; after one, no further attempt is made."""

    @pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"])
    def test_each_reaches_the_command_once(self, name):
        """And the exit status is the command's."""
        with Started("run", "--wait", "0", "--", *python(COUNTS, "0.2")) as started:
            started.reads("up")
            started.process.send_signal(signal.Signals[name])
            started.reads(f"got {name}")
            status, told = started.ends()
        assert status == 7
        assert "counted 1\n" in told
        assert f"retrying-elegant: {name}: " in told
        assert "up" not in told

    def test_the_second_interrupt_kills(self):
        """A command that does not heed the first."""
        with Started("run", "--", *python(COUNTS, "60")) as started:
            started.reads("up")
            started.process.send_signal(signal.SIGINT)
            started.reads("got SIGINT")
            started.process.send_signal(signal.SIGINT)
            assert started.ends()[0] == -signal.SIGINT

    @pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
    def test_it_ends_the_wait_at_once(self, name):
        """The program dies by it, after the last line."""
        with Started("run", "--wait", "1000", "--", "false") as started:
            started.reads("again in 1000.00 s")
            started.process.send_signal(signal.Signals[name])
            status, told = started.ends()
        assert status == -signal.Signals[name]
        assert told == f"retrying-elegant: {name}: false is not run again\n"


class TestAttemptTimeout:
    """`--attempt-timeout` ends a stuck attempt: TERM, then KILL; it counts as failed."""

    def test_term(self):
        """124, as timeout(1) has it."""
        options = ["--attempt-timeout", "0.1", "--attempts", "2", "--wait", "0"]
        status, _, told = finished("run", *options, "--", "sleep", "60")
        assert status == 124
        assert told.count("timed out after 0.1 s") == 2

    @pytest.mark.slow
    def test_kill(self):
        """A command that ignores TERM, after a short grace."""
        ignores = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
        options = ["--attempt-timeout", "0.5", "--attempts", "1"]
        command = python(f"{ignores}; time.sleep(60)")
        assert finished("run", *options, "--", *command)[0] == 124


class TestTerminal:
    """A live countdown where standard error is a terminal, whose Ctrl-C is delivered once."""

    def test_the_countdown(self):
        """It is drawn in place, and leaves one line."""
        with AtTerminal("run", "--wait", "0.5", "--attempts", "2", "--", "false") as there:
            assert there.ends() == 1
        first, second, rest = there.told.split("\r\n")
        drawn = [float(left) for left in re.findall(r"again in (\d+\.\d) s", first)]
        assert len(drawn) >= 3
        assert drawn == sorted(drawn, reverse=True)
        assert first.endswith(
            "\rretrying-elegant: false: attempt 1: exit status 1, again after 0.50 s"
        )
        assert second.startswith("retrying-elegant: gave up on false after 2 attempts")
        assert rest == ""

    def test_a_narrow_terminal(self):
        """No drawing runs into the next line, and the time left is seen; the last one is whole."""
        words = ["run", "--wait", "0.5", "--attempts", "2", "--", "sh", "-c", "sleep 0.1; exit 1"]
        with AtTerminal(*words, columns=30) as there:
            there.ends()
        *drawn, last = there.told.split("\r\n")[0].split("\r")
        assert len(drawn) > 3
        assert {len(line) for line in drawn} == {0, 29}
        assert all(re.search(r"^sh: attempt\.\.\. again in \d\.\d s$", line) for line in drawn[1:])
        assert last == "retrying-elegant: sh: attempt 1: exit status 1, again after 0.50 s"

    def test_wide_characters(self, tmp_path):
        """They take two columns each, and half of one is never drawn."""
        name = "\u6570\u636e\u5e93\u5907\u4efd\u811a\u672c"
        (tmp_path / name).write_text("#!/bin/sh\nsleep 0.1; exit 1\n")
        (tmp_path / name).chmod(0o755)
        words = ["run", "--wait", "0.5", "--attempts", "2", "--", name]
        settings = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONIOENCODING": "utf-8"}
        with AtTerminal(*words, columns=30, settings=settings) as there:
            there.ends()
        *drawn, last = there.told.split("\r\n")[0].split("\r")
        assert len(drawn) > 3
        for line in drawn[1:]:
            assert sum(1 if c.isascii() else 2 for c in line) in (28, 29)
            assert line.startswith(name[:5])
            assert re.search(r"\.\.\. again in \d\.\d s$", line)
        assert last.startswith(f"retrying-elegant: {name}: attempt 1: ")

    def test_interrupt_while_it_runs(self):
        """The command has got it from the terminal already."""
        with AtTerminal("run", "--", *python(COUNTS, "0.2")) as there:
            there.reads("up")
            there.types(b"\x03")
            assert there.ends() == 7
        assert "counted 1" in there.told
        assert "SIGINT: " in there.told

    def test_sent_by_a_process(self):
        """Then the command has not got it: it is passed on."""
        if not sys.platform.startswith("linux"):
            pytest.skip("this system does not tell who sent a signal")
        with AtTerminal("run", "--", *python(COUNTS, "0.2")) as there:
            there.reads("up")
            os.kill(there.pid, signal.SIGINT)
            assert there.ends() == 7
        assert "counted 1" in there.told

    def test_the_second_interrupt_kills(self):
        """From the terminal as well."""
        with AtTerminal("run", "--", *python(COUNTS, "60")) as there:
            there.reads("up")
            there.types(b"\x03")
            there.reads("got SIGINT")
            # The command may be faster; two that are pending at once are one.
            until(lambda: not is_pending(there.pid, signal.SIGINT), "the first interrupt")
            there.types(b"\x03")
            assert there.ends() == -signal.SIGINT

    def test_interrupt_while_it_waits(self):
        """The countdown is left on its line."""
        with AtTerminal("run", "--wait", "1000", "--", "false") as there:
            there.reads("again in 999.")
            there.types(b"\x03")
            assert there.ends() == -signal.SIGINT
        assert there.told.endswith("SIGINT: false is not run again\r\n")

    def test_the_command_can_read_from_it(self):
        """It stays in the foreground."""
        with AtTerminal("run", "--", "sh", "-c", "read line; echo got $line") as there:
            there.types(b"word\n")
            there.reads("got word")
            assert there.ends() == 0


@pytest.mark.slow
class TestDemo:
    """The demonstration finishes in under 15 seconds, with exit status 0 and no noise."""

    def test_without_a_terminal(self):
        """No colours, in any encoding."""
        began = time.monotonic()
        done = subprocess.run(
            PROGRAM,
            env={**environment(), "PYTHONIOENCODING": "ascii:strict", "PYTHONDEVMODE": "1"},
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        assert time.monotonic() - began < 15
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"\x1b" not in done.stdout
        assert b" calls that succeeded, in " in done.stdout

    def test_at_a_terminal(self):
        """In colours."""
        with AtTerminal("demo") as there:
            assert there.ends() == 0
        assert "\x1b[32m" in there.told

    def test_no_colours_wanted(self):
        """NO_COLOR is respected; Ctrl-C ends it without a traceback, by that signal."""
        with AtTerminal(settings={"NO_COLOR": "1"}) as there:
            there.reads("attempt in retrying")
            there.types(b"\x03")
            assert there.ends() == -signal.SIGINT
        assert "\x1b" not in there.told
        assert "Traceback" not in there.told

    def test_where_threads_cannot_start(self):
        """One line, and exit status 1: this user may have one process, and this is it."""
        code = """
import asyncio, encodings.idna, os, resource, sys
import retrying_elegant.cli.demo
from retrying_elegant.cli import main

if os.getuid() == 0:  # to whom the limit does not apply
    os.setgroups([])
    os.setgid(65500)
    os.setuid(65500)
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
sys.exit(main.main(["demo"]))
"""
        done = subprocess.run(
            python(code), env=environment(), capture_output=True, text=True, timeout=PATIENCE
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            "retrying-elegant: the demonstration server cannot run: can't start new thread\n"
        )


class TestOutputCannotBeWritten:
    """One line says why, and the exit status is 1."""

    @pytest.mark.parametrize("words", ["preview", "--help"])
    def test_a_full_device(self, words):
        """Not even a second message from the interpreter at exit."""
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [*PROGRAM, words],
                env=environment(),
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=PATIENCE,
            )
        assert done.returncode == 1
        assert done.stderr == "retrying-elegant: standard output: No space left on device\n"

    @pytest.mark.parametrize("words", ["preview", "demo"])
    def test_closed(self, words):
        """As a shell closes it with `>&-`."""
        line = f"exec '{sys.executable}' -m retrying_elegant {words} >&-"
        done = subprocess.run(
            ["sh", "-c", line], env=environment(), stderr=subprocess.PIPE, text=True
        )
        assert done.returncode == 1
        assert done.stderr == "retrying-elegant: standard output: it is closed\n"
