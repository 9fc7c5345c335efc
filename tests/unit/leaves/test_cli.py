"""Contract 13: the command line, in process; real signals and terminals are for integration.

Commands are real children that end at once; the waits between them pass at once as everywhere.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import re
import runpy
import shlex
import signal
import socket
import struct
import subprocess
import sys
import threading
from urllib.error import HTTPError

import documents
import pytest

from retrying_elegant import Policy, __version__, backoff, testing
from retrying_elegant.cli import demo, main, run

POLICY_OPTIONS = {
    "": Policy(),
    "--attempts 3": Policy(3),
    "--attempts 0": Policy(None),
    "--timeout 60": Policy(None, timeout=60),
    "--timeout 60 --attempts 3": Policy(3, timeout=60),
    "--attempt-timeout 2.5": Policy(attempt_timeout=2.5),
    "--wait 2": Policy(wait=2),
    "--wait 0": Policy(wait=0),
    "--wait 1,2.5,30": Policy(wait=(1, 2.5, 30)),
    "--initial 1": Policy(wait=backoff.exponential(1)),
    "--initial 1 --factor 3 --cap 9 --jitter 0": Policy(
        wait=backoff.exponential(1, 3, cap=9, jitter=0)
    ),
}

WRONG_OPTIONS = {
    "--attempts -1": "argument --attempts: '-1': expected a whole number, or 0 for no limit",
    "--attempts x": "argument --attempts: 'x': expected a whole number, or 0 for no limit",
    "--timeout 0": "argument --timeout: '0': expected a positive number of seconds",
    "--timeout -3": "argument --timeout: '-3': expected a positive number of seconds",
    "--timeout nan": "argument --timeout: 'nan': expected a positive number of seconds",
    "--timeout soon": "argument --timeout: 'soon': expected a positive number of seconds",
    "--attempt-timeout inf": "--attempt-timeout: 'inf': expected a positive number of seconds",
    "--wait -1": "argument --wait: '-1': expected a number of seconds, 0 or more",
    "--wait 1,,2": "argument --wait: '': expected a number of seconds, 0 or more",
    "--cap inf": "argument --cap: 'inf': expected a number of seconds, 0 or more",
    "--factor 0": "argument --factor: '0': expected a finite number above 0",
    "--jitter 1.5": "argument --jitter: '1.5': expected a share between 0 and 1",
    "--wait 1 --cap 2 --jitter 0": "not allowed together: --wait and --cap, --jitter",
    "--time 3": "unrecognized arguments: --time 3",
}

WRONG_RUNS = {
    "": "write `--` and the command after the options",
    "--": "write `--` and the command after the options",
    "true": "write `--` and the command after the options",
    "true -- true": "write `--` and the command after the options",
    "--on-exit 0 -- true": "argument --on-exit: '0': expected exit statuses from 1 to 255",
    "--on-exit 256 -- true": "argument --on-exit: '256': expected exit statuses from 1 to 255",
    "--on-exit 3,x -- true": "argument --on-exit: 'x': expected exit statuses from 1 to 255",
    "--quiet --json -- true": "argument --json: not allowed with argument --quiet",
}


def shell(script, *options, on=None):
    """Run *script* by `run` in this process, with *on* as terminal, and give its exit status."""
    with contextlib.redirect_stderr(on or sys.stderr):
        return main.main(["run", *options, "--", "sh", "-c", script])


def counting(folder, *statuses):
    """A shell script that exits with each of *statuses* in turn."""
    (folder / "statuses").write_text("\n".join(map(str, statuses)))
    return f"cd {folder}; echo >> calls; exit $(sed -n $(wc -l < calls)p statuses)"


def calls(folder):
    return (folder / "calls").read_text().count("\n")


class TestPolicyOptions:
    """Policy options: --attempts N (0 = no limit), --timeout, --attempt-timeout, --wait, or..."""

    @pytest.mark.parametrize(("words", "policy"), POLICY_OPTIONS.items())
    @pytest.mark.parametrize("command", [["preview"], ["run"]], ids=lambda words: words[0])
    def test_they_spell_out_a_policy(self, command, words, policy):
        """The same words for both sub-commands."""
        end = ["--", "true"] if command == ["run"] else []
        assert main.parse([*command, *words.split(), *end]).policy == policy

    @pytest.mark.parametrize(("words", "message"), WRONG_OPTIONS.items())
    def test_wrong_ones_are_refused(self, words, message, capsys):
        """Exit status 2, a usage line, and what is wrong."""
        with pytest.raises(SystemExit) as end:
            main.main(["preview", *words.split()])
        told = capsys.readouterr().err
        assert end.value.code == 2
        assert told.startswith("usage: retrying-elegant")
        assert message in told

    @pytest.mark.parametrize(("words", "message"), WRONG_RUNS.items())
    def test_run_wants_its_command_after_two_dashes(self, words, message, capsys):
        """Likewise."""
        with pytest.raises(SystemExit) as end:
            main.main(["run", *words.split()])
        told = capsys.readouterr().err
        assert end.value.code == 2
        assert told.startswith("usage: retrying-elegant run [options] -- COMMAND ...\n")
        assert message in told

    def test_all_after_two_dashes_is_the_command(self):
        """Whatever it looks like."""
        options = main.parse(["run", "--wait", "1", "--", "make", "--wait", "--", "x"])
        assert options.command == ["make", "--wait", "--", "x"]


class TestMain:
    """`python -m retrying_elegant` (also the script `retrying-elegant`)."""

    def test_demo_is_the_default(self):
        """Nothing given, or `demo`."""
        assert main.parse([]).act is main.parse(["demo"]).act is main._demo

    def test_the_module_is_the_command(self, monkeypatch, capsys):
        """`python -m` ends with its exit status."""
        monkeypatch.setattr("sys.argv", ["retrying-elegant", "preview", "--attempts", "1"])
        monkeypatch.delitem(sys.modules, "retrying_elegant.__main__", raising=False)
        with pytest.raises(SystemExit) as end:
            runpy.run_module("retrying_elegant", run_name="__main__")
        assert end.value.code == 0
        assert capsys.readouterr().out.startswith("Policy(1)\n")

    def test_importing_the_module_does_nothing(self):
        """As documentation tools do."""
        assert importlib.import_module("retrying_elegant.__main__").main is main.main

    def test_version(self, capsys):
        """It is the package's."""
        with pytest.raises(SystemExit) as end:
            main.main(["--version"])
        assert end.value.code == 0
        assert capsys.readouterr().out == f"retrying-elegant {__version__}\n"

    def test_interrupted(self, monkeypatch):
        """130, without a traceback."""

        def interrupted(options):
            raise KeyboardInterrupt

        monkeypatch.setattr(main, "_demo", interrupted)
        assert main.main([]) == 130

    def test_nobody_reads_the_output(self, monkeypatch):
        """As if SIGPIPE had ended it, without a traceback."""
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w") as deaf:
            monkeypatch.setattr("sys.stdout", deaf)
            assert main.main(["preview"]) == 141


class TestGuide:
    """What the guide shows can be typed."""

    GUIDE = documents.ROOT / "docs" / "command-line.md"

    def test_its_examples(self):
        """Each command line is taken."""
        text = self.GUIDE.read_text(encoding="utf-8")
        lines = re.findall(
            r"^[^|`\n]*?\bretrying-elegant ((?:run|preview) .*)$", text, re.MULTILINE
        )
        assert len(lines) >= 3
        for line in lines:
            assert main.parse(shlex.split(line)).policy

    def test_its_options(self, capsys):
        """All of them are in its table, and no other."""
        with pytest.raises(SystemExit):
            main.main(["run", "--help"])
        told = re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)
        table = re.findall(r"^\| `(--[a-z-]+)", self.GUIDE.read_text("utf-8"), re.MULTILINE)
        assert sorted(table) == sorted(told)


class TestPreview:
    """`preview [policy options]`: the table and a drawing of the waits in the terminal."""

    def test_table_and_drawing(self, capsys):
        """The policy's own table first."""
        assert main.main(["preview", "--attempts", "3", "--initial", "1", "--jitter", "0.5"]) == 0
        table = str(Policy(3, wait=backoff.exponential(1, jitter=0.5)).preview())
        told = capsys.readouterr().out
        assert told.startswith(f"{table}\n\nretry  waits from 0 to 2 s")
        assert len(told[len(table) :].splitlines()) == 5

    def test_bars_from_low_to_high(self):
        """To one scale, the mean marked."""
        preview = Policy(3, wait=backoff.exponential(1, jitter=0.5)).preview()
        assert main.drawing(preview, "ascii")[2:] == [
            "    1  " + " " * 15 + "-" * 7 + "|" + "-" * 8,
            "    2  " + " " * 30 + "-" * 14 + "|" + "-" * 15,
        ]

    def test_no_jitter_is_one_mark(self):
        """In the best characters that the encoding has."""
        preview = Policy(2, wait=2).preview()
        assert main.drawing(preview, "utf-8")[2:] == ["    1  " + " " * 59 + "\u2588"]
        assert main.drawing(preview, None)[2:] == ["    1  " + " " * 59 + "|"]

    @pytest.mark.parametrize("policy", [Policy(1), Policy(3, wait=0)], ids=repr)
    def test_nothing_to_draw(self, policy):
        """No retry, or no wait."""
        assert main.drawing(policy.preview(), "utf-8") == []

    def test_very_many_attempts(self, capsys):
        """The first are shown, and how many there are."""
        assert main.main(["preview", "--attempts", "1000000"]) == 0
        told = capsys.readouterr().out
        assert "and so on, 1000000 attempts in all\n" in told
        assert len(told.splitlines()) < 100


class TestRun:
    """`run`: runs a command until it exits 0; the exit status is the command's last."""

    def test_success_at_once(self, capfd):
        """Nothing is told."""
        assert shell("echo out; echo err >&2") == 0
        assert capfd.readouterr() == ("out\n", "err\n")

    def test_success_after_retries(self, tmp_path, capsys, waits):
        """One line for each retry, on standard error."""
        assert shell(counting(tmp_path, 3, 4, 0), "--wait", "1,2") == 0
        assert waits == [1, 2]
        assert capsys.readouterr().err == (
            "retrying-elegant: sh: attempt 1: exit status 3, again in 1.00 s\n"
            "retrying-elegant: sh: attempt 2: exit status 4, again in 2.00 s\n"
        )

    def test_failure(self, tmp_path, capsys):
        """The status of the last attempt, and why there is no other."""
        assert shell(counting(tmp_path, 3, 4, 5), "--wait", "0", "--attempts", "3") == 5
        told = capsys.readouterr().err.splitlines()
        assert calls(tmp_path) == len(told) == 3
        assert told[-1].startswith("retrying-elegant: gave up on sh after 3 attempts in ")
        assert told[-1].endswith(" s (no attempts left): exit status 5")

    def test_death_by_a_signal_of_its_own(self, capsys):
        """128 + n, as a shell reports, and retried like any failure."""
        assert shell("kill -KILL $$", "--attempts", "2", "--wait", "0") == 137
        assert "attempt 1: killed by SIGKILL, again in 0.00 s" in capsys.readouterr().err

    def test_on_exit(self, tmp_path, capsys):
        """Which exit statuses to retry: another one ends it."""
        script = counting(tmp_path, 75, 69, 3, 0)
        assert shell(script, "--on-exit", "69,75", "--wait", "0") == 3
        assert calls(tmp_path) == 3
        assert "(not retryable): exit status 3" in capsys.readouterr().err

    def test_on_exit_at_the_first_attempt(self, capsys):
        """Likewise."""
        assert shell("exit 3", "--on-exit", "69") == 3
        assert "after 1 attempt in" in capsys.readouterr().err

    def test_not_found(self, capsys):
        """127, without retrying; it is told whatever the options."""
        for quiet in ([], ["--quiet"]):
            assert main.main(["run", *quiet, "--", "/no/such/command", "secret"]) == 127
            message = "retrying-elegant: command: cannot be run: No such file or directory\n"
            assert capsys.readouterr().err == message

    def test_not_executable(self, tmp_path, capsys):
        """126, without retrying."""
        (tmp_path / "text").write_text("text")
        assert main.main(["run", "--", str(tmp_path / "text")]) == 126
        assert main.main(["run", "--", "/"]) == 126
        assert capsys.readouterr().err.count("cannot be run: Permission denied\n") == 2

    def test_quiet(self, capsys):
        """No word of retries and of giving up."""
        assert shell("exit 3", "--quiet") == 3
        assert capsys.readouterr().err == ""

    def test_standard_error_is_closed(self, monkeypatch):
        """Or nobody reads it: the command is run all the same."""
        monkeypatch.setattr("sys.stderr", None)
        assert shell("exit 3", "--wait", "0") == 3

        class Deaf(io.StringIO):
            def write(self, text):
                raise BrokenPipeError

        monkeypatch.setattr("sys.stderr", Deaf())
        assert shell("exit 3", "--wait", "0") == 3


@pytest.fixture(params=[True, False], ids=["sender known", "sender unknown"])
def system(request, monkeypatch):
    """Linux, and the systems that do not tell who sent a signal."""
    if request.param and not sys.platform.startswith("linux"):
        pytest.skip("this system does not tell")
    monkeypatch.setattr(run, "SENDER_IS_KNOWN", request.param)


@pytest.mark.usefixtures("system")
class TestAttemptTimeout:
    """`--attempt-timeout` ends a stuck attempt (TERM, then KILL); it has failed, with 124."""

    def test_term(self, capsys):
        """It is retried, whatever --on-exit says."""
        options = ["--attempt-timeout", "0.01", "--attempts", "2", "--on-exit", "9"]
        assert main.main(["run", *options, "--", "sleep", "60"]) == 124
        told = capsys.readouterr().err.splitlines()
        assert told[0].startswith("retrying-elegant: sleep: attempt 1: timed out after 0.01 s")
        assert told[1].endswith("(no attempts left): timed out after 0.01 s")

    def test_kill(self, monkeypatch):
        """A command that does not heed TERM."""
        monkeypatch.setattr(run, "GRACE", 0.01)
        before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # which the command inherits
        try:
            options = ["--attempt-timeout", "0.01", "--attempts", "1"]
            assert main.main(["run", *options, "--", "sleep", "60"]) == 124
        finally:
            signal.signal(signal.SIGTERM, before)

    def test_in_time(self):
        """It changes nothing."""
        assert shell("exit 3", "--attempt-timeout", "60", "--attempts", "1") == 3


@pytest.mark.usefixtures("system", "no_signal_is_ignored")
class TestSignals:
    """Signals reach the command; after one, no further attempt is made."""

    @pytest.mark.parametrize("name", ["TERM", "HUP", "QUIT", "INT"])
    def test_while_it_runs(self, name, tmp_path, monkeypatch, capsys):
        """The status is the command's."""
        monkeypatch.setattr(run, "may_be_from_terminal", lambda number: False)
        told = f"trap 'exit 7' {name}; echo >> {tmp_path}/calls; kill -{name} $PPID"
        script = f"{told}; while :; do sleep 0.01; done"
        assert shell(script, "--wait", "0") == 7
        assert calls(tmp_path) == 1
        message = f"retrying-elegant: SIG{name}: sh is not run again: exit status 7\n"
        assert capsys.readouterr().err == message

    def test_success_all_the_same(self, capsys):
        """A command that ends well when told to end."""
        assert shell("trap 'exit 0' TERM; kill -TERM $PPID; while :; do sleep 0.01; done") == 0
        assert capsys.readouterr().err == ""

    def test_the_second_interrupt_kills(self, monkeypatch, capsys):
        """A command that does not heed the first."""
        monkeypatch.setattr(run, "may_be_from_terminal", lambda number: False)
        script = "trap 'kill -INT $PPID' INT; kill -INT $PPID; while :; do sleep 0.01; done"
        assert shell(script) == 137
        assert capsys.readouterr().err.endswith("killed by SIGKILL\n")

    def test_while_it_is_being_started(self, monkeypatch):
        """It gets the signal as soon as it is there."""
        start = subprocess.Popen

        def interrupted(*args, **options):
            signal.raise_signal(signal.SIGTERM)
            return start(*args, **options)

        monkeypatch.setattr("subprocess.Popen", interrupted)
        assert main.main(["run", "--", "sleep", "60"]) == 143

    def test_ignored_ones_stay_ignored(self):
        """As nohup has it: the command inherits that."""
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            assert shell("kill -HUP $PPID; kill -HUP $$; exit 7", "--attempts", "1") == 7
        finally:
            signal.signal(signal.SIGHUP, before)

    def test_handlers_are_put_back(self):
        """Nothing of it is left afterwards."""
        numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD]
        before = [signal.getsignal(number) for number in numbers]
        assert shell("exit 0") == 0
        assert [signal.getsignal(number) for number in numbers] == before

    def test_how_it_ended_is_known_where_children_are_ignored(self):
        """A parent that ignores SIGCHLD leaves that to us, too."""
        before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            assert shell("exit 3", "--attempts", "1") == 3
        finally:
            signal.signal(signal.SIGCHLD, before)


class TestSignalsBetweenAttempts:
    """A signal ends the wait at once; the exit status is 128 + n."""

    @pytest.mark.parametrize("options", [[], ["--quiet"]], ids=["lines", "quiet"])
    def test_during_the_wait(self, own_waits, options, capsys):
        """The sleep is left."""
        own_waits.setattr("time.sleep", lambda seconds: signal.raise_signal(signal.SIGTERM))
        assert shell("exit 3", *options) == 143
        end = "" if options else "retrying-elegant: SIGTERM: sh is not run again\n"
        assert capsys.readouterr().err.endswith(end)

    def test_just_before_the_wait(self, monkeypatch, waits):
        """It is not begun."""
        monkeypatch.setattr(run.Lines, "on_retry", lambda *_: signal.raise_signal(signal.SIGTERM))
        assert shell("exit 3") == 143
        assert waits == []

    def test_just_after_the_wait(self, monkeypatch, tmp_path):
        """The command is not started."""
        monkeypatch.setattr(
            run.Report, "wait_ends", lambda self, attempt: signal.raise_signal(signal.SIGTERM)
        )
        monkeypatch.setattr(run.Report, "attempt", None, raising=False)
        assert shell(counting(tmp_path, 0), "--quiet") == 143
        assert not (tmp_path / "calls").exists()


class TestFromTheTerminal:
    """Ctrl-C reaches the command from the terminal: it is not delivered twice."""

    class Process:
        def __init__(self):
            self.got = []

        def send_signal(self, number):
            self.got.append(number)

        def kill(self):
            self.got.append("kill")

    def test_not_delivered_twice(self):
        """The second one kills, wherever it comes from."""
        signals, signals._process = run.Signals(), self.Process()
        signals._pass_on(signal.SIGINT, command_has_it=True)
        assert signals._process.got == []
        signals._pass_on(signal.SIGINT, command_has_it=True)
        assert signals._process.got == ["kill"]

    def test_which_may_be_from_it(self, monkeypatch):
        """Those of its keys, and only while we are in the foreground."""
        monkeypatch.setattr("os.open", lambda path, flags: 99)
        monkeypatch.setattr("os.close", lambda terminal: None)
        monkeypatch.setattr("os.tcgetpgrp", lambda terminal: os.getpgrp())
        assert run.may_be_from_terminal(signal.SIGINT)
        assert run.may_be_from_terminal(signal.SIGQUIT)
        assert not run.may_be_from_terminal(signal.SIGTERM)
        monkeypatch.setattr("os.tcgetpgrp", lambda terminal: -1)
        assert not run.may_be_from_terminal(signal.SIGINT)

    def test_no_terminal(self, monkeypatch):
        """None is."""

        def fails(path, flags):
            raise OSError

        monkeypatch.setattr("os.open", fails)
        assert not run.may_be_from_terminal(signal.SIGINT)

    def test_a_system_without_process_groups(self, monkeypatch):
        """Windows: the console tells all of its processes."""
        monkeypatch.delattr("os.tcgetpgrp")
        assert run.may_be_from_terminal(signal.SIGINT)
        monkeypatch.setattr(run, "SENDER_IS_KNOWN", False)
        monkeypatch.setattr(run, "PASSED_ON", ("SIGTERM", "SIGINT", "SIGNOTHERE"))
        monkeypatch.delattr("signal.SIGCHLD")
        assert shell("exit 3", "--attempts", "1") == 3

    def test_names(self):
        """A signal without a name has a number."""
        assert run.name_of_signal(15) == "SIGTERM"
        assert run.name_of_signal(1000) == "signal 1000"


class Terminal(io.StringIO):
    """A terminal to write to; ``screen`` is what stands there in the end."""

    def isatty(self):
        return True

    def fileno(self):
        raise OSError

    @property
    def screen(self):
        lines = []
        for line in self.getvalue().split("\n"):
            shown = ""
            for drawn in line.split("\r"):
                shown = drawn + shown[len(drawn) :]
            lines.append(shown.rstrip())
        return lines


@pytest.fixture
def terminal():
    return Terminal()


class TestCountdown:
    """One line per retry, with a live countdown where standard error is a terminal."""

    def test_one_line_in_the_end(self, terminal, tmp_path):
        """Each says what was waited."""
        assert shell(counting(tmp_path, 3, 4, 0), "--wait", "100,2", on=terminal) == 0
        assert terminal.screen == [
            "retrying-elegant: sh: attempt 1: exit status 3, again after 100.00 s",
            "retrying-elegant: sh: attempt 2: exit status 4, again after 2.00 s",
            "",
        ]

    @pytest.mark.parametrize("masks", [True, False])
    def test_it_is_drawn_again_and_again(self, terminal, own_waits, tmp_path, masks):
        """As long as the wait takes; also where threads cannot hold signals back."""
        enough = threading.Event()
        write = terminal.write

        def counted(text):
            if terminal.getvalue().count("again in") > 3:
                enough.set()
            return write(text)

        terminal.write = counted
        own_waits.setattr(run, "TICK", 0)
        own_waits.setattr("time.sleep", lambda seconds: enough.wait(10))
        if not masks:
            own_waits.setattr(run, "SENDER_IS_KNOWN", False)
            own_waits.delattr("signal.pthread_sigmask")
        assert shell(counting(tmp_path, 3, 0), "--wait", "100", on=terminal) == 0
        assert terminal.getvalue().count("exit status 3, again in 100.0 s") > 3
        assert len(terminal.screen) == 2

    def test_a_signal_ends_it(self, terminal, own_waits):
        """The line is left, another says why."""
        own_waits.setattr("time.sleep", lambda seconds: signal.raise_signal(signal.SIGTERM))
        assert shell("exit 3", on=terminal) == 143
        assert terminal.screen == [
            "retrying-elegant: sh: attempt 1: exit status 3, interrupted",
            "retrying-elegant: SIGTERM: sh is not run again",
            "",
        ]

    def test_a_wait_that_took_too_long(self, terminal, own_waits):
        """Then the timeout has passed, and no attempt follows."""
        now = iter([0, 1, 1, 1])
        own_waits.setattr("time.monotonic", lambda: next(now, 99))
        assert shell("exit 3", "--timeout", "5", "--wait", "1", on=terminal) == 3
        assert terminal.screen[0].endswith("exit status 3, but no time is left")
        assert terminal.screen[1].endswith("(no time left): exit status 3")

    def test_the_line_is_no_longer_than_the_terminal(self):
        """Or drawing it again would fill the screen."""
        pty = pytest.importorskip("pty")
        ours, theirs = pty.openpty()
        with open(ours, "rb", 0), open(theirs, "w") as terminal:
            assert run.columns_of(terminal) == 80  # where the terminal does not know
        terminal = Terminal()
        assert run.columns_of(terminal) == 80  # where it is not a real one
        countdown = run.Countdown(run.Report(terminal), "x" * 100, 1, 79)
        countdown.end("y")
        assert set(terminal.getvalue().rstrip().split("\r")) == {"", "x" * 79}


class TestJson:
    """`--json`: one JSON object per event on standard error: retry, give_up, success."""

    def events(self, capsys):
        events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        for event in events:
            assert event.pop("elapsed") >= 0
        return events

    def test_retry_and_success(self, tmp_path, capsys):
        """Every event has the same first keys."""
        assert shell(counting(tmp_path, 3, 0), "--json", "--wait", "2") == 0
        both = {"command": "sh"}
        failure = {"status": 3, "error": "exit status 3"}
        success = {"status": 0, "error": None}
        assert self.events(capsys) == [
            {"event": "retry", **both, "attempt": 1, **failure, "wait": 2},
            {"event": "success", **both, "attempt": 2, **success},
        ]

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            (["--attempts", "1"], "attempts"),
            (["--timeout", "1", "--wait", "2"], "timeout"),
            (["--on-exit", "4"], "not retryable"),
        ],
    )
    def test_give_up(self, options, reason, capsys):
        """With its reason."""
        assert shell("exit 3", "--json", *options) == 3
        (event,) = self.events(capsys)
        assert event["event"] == "give_up"
        assert (event["status"], event["reason"], event["signal"]) == (3, reason, None)

    def test_a_command_that_cannot_be_run(self, capsys):
        """It is an event, not a line of text."""
        assert main.main(["run", "--json", "--", "/no/such/command"]) == 127
        (event,) = self.events(capsys)
        assert (event["event"], event["status"]) == ("give_up", 127)

    def test_a_signal_while_it_runs(self, capsys):
        """The reason is the signal."""
        assert shell("kill -TERM $PPID; while :; do sleep 0.01; done", "--json") == 143
        (event,) = self.events(capsys)
        assert (event["reason"], event["signal"]) == ("signal", "SIGTERM")

    def test_a_signal_while_it_waits(self, own_waits, capsys):
        """Likewise."""
        own_waits.setattr("time.sleep", lambda seconds: signal.raise_signal(signal.SIGTERM))
        assert shell("exit 3", "--json") == 143
        _, event = self.events(capsys)
        assert (event["event"], event["status"]) == ("give_up", 143)
        assert (event["reason"], event["signal"]) == ("signal", "SIGTERM")


@pytest.fixture(scope="module")
def shown():
    """What the demonstration prints, run once, with waits that pass at once."""
    stream = io.StringIO()
    with testing.instant(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "PATIENCE", 0.1)
        patch.setattr("sys.stdout", stream)
        assert main.main([]) == 0
    return stream.getvalue()


class TestDemo:
    """`demo` shows decorator, loop, block, sync and async riding a flaky server out."""

    @pytest.mark.parametrize(
        "line",
        [
            "@retry(net)",
            "for attempt in retrying(net, attempts=3, raises=False, name=path):",
            "if attempt.succeeded:",
            "with retrying(net, timeout=5) as call:",
            "async for attempt in retrying(net, attempt_timeout=0.5, name=path):",
        ],
    )
    def test_the_code_that_runs_is_shown(self, shown, line):
        """Every form, as it stands in the source."""
        assert line in shown

    @pytest.mark.parametrize(
        "what",
        [
            "ConnectionResetError",
            "503 Service Unavailable, Retry-After: 1",
            "TimeoutError",
            "IncompleteRead: 12 bytes are missing",
            "'7 orders, 3 of them new'",
            "-> Ada has 2 books, 1 lamp",
            "-> /weather: none today, after 3 attempts",
        ],
    )
    def test_a_timeline(self, shown, what):
        """Each kind of failure, success, and giving up."""
        assert what in shown

    def test_it_gives_up_honestly(self, shown):
        """The original exception with its note."""
        assert "-> urllib.error.HTTPError: HTTP Error 500: Internal Server Error\n" in shown
        assert "-> retrying_elegant: gave up on Client.get after 3 attempts in " in shown
        (row,) = (
            line for line in shown.splitlines() if "404 Not Found" in line and "->" not in line
        )
        assert row.endswith("not retried")

    def test_no_line_is_too_long(self, shown):
        """It fits the terminal that everybody has."""
        lines = [line for line in shown.splitlines() if not line.startswith("   -> ")]
        assert max(map(len, lines)) <= 80

    def test_colours_on_a_terminal_only(self, monkeypatch):
        """And not where the user does not want them."""
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        assert demo.Screen(Terminal()).paint("x", "red") == "\x1b[31mx\x1b[0m"
        assert demo.Screen(io.StringIO()).paint("x", "red") == "x"
        monkeypatch.setenv("TERM", "dumb")
        assert demo.Screen(Terminal()).paint("x", "red") == "x"
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("NO_COLOR", "1")
        assert demo.Screen(Terminal()).paint("x", "red") == "x"

    def test_ascii_where_there_is_nothing_else(self):
        """What it lacks becomes a question mark."""
        raw = io.BytesIO()
        screen = demo.Screen(io.TextIOWrapper(raw, "ascii"))
        screen.write(screen.marks["ok"] + "\u00e9")
        screen.code(demo.by_block)
        assert raw.getvalue().startswith(b"+?\n  | with retrying(")

    def test_no_source_at_hand(self):
        """As in a frozen program: the rest is shown."""
        code = compile("def f(): pass", "<nowhere>", "exec")
        exec(code, names := {})
        assert demo.body_of(names["f"]) == ["(its source is not at hand)"]

    def test_the_server_survives_its_clients(self):
        """One that leaves, one that leaves before the answer, one that stays and is silent."""
        with contextlib.ExitStack() as stack, demo.FlakyServer() as server:
            socket.create_connection(server.address).close()
            stack.enter_context(socket.create_connection(server.address))
            with socket.create_connection(server.address) as client:
                client.sendall(b"GET")
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with pytest.raises(HTTPError, match="404"):
                demo.Client(*server.address).get("/not-there")
