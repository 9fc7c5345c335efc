"""Contract 13: what `run` reports: lines, a countdown on a terminal, and JSON."""

from __future__ import annotations

import json
import signal
import threading

import pytest
from cli_parts import Terminal, counting, shell

from retrying_elegant.cli import main, output, report, signals


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
        own_waits.setattr(report, "TICK", 0)
        # Not the short ones of the standard library.
        own_waits.setattr("time.sleep", lambda seconds: seconds > 50 and enough.wait(10))
        if not masks:
            own_waits.setattr(signals, "SENDER_IS_KNOWN", False)
            own_waits.delattr("signal.pthread_sigmask")
        assert shell(counting(tmp_path, 3, 0), "--wait", "100", on=terminal) == 0
        assert terminal.getvalue().count("exit status 3, again in 100.0 s") > 3
        assert len(terminal.screen) == 2

    def test_a_signal_ends_it(self, terminal, own_waits):
        """The line is left, another says why."""
        own_waits.setattr("time.sleep", lambda seconds: signal.raise_signal(signal.SIGTERM))
        assert shell("exit 3", on=terminal) == -signal.SIGTERM
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
            assert report.columns_of(terminal) == 80  # where the terminal does not know
        terminal = Terminal()
        assert report.columns_of(terminal) == 80  # where it is not a real one
        assert report.fitted("sh: attempt 1: exit status 3, ", "again in 0.5 s", 80) == (
            "retrying-elegant: sh: attempt 1: exit status 3, again in 0.5 s"
        )

    @pytest.mark.parametrize(
        ("columns", "line"),
        [
            (62, "retrying-elegant: sh: attempt 1: exit status 3, again in 0.5 s"),
            (61, "sh: attempt 1: exit status 3, again in 0.5 s"),
            (44, "sh: attempt 1: exit status 3, again in 0.5 s"),
            (43, "sh: attempt 1: exit status... again in 0.5 s"[:25] + "... again in 0.5 s"),
            (19, "s... again in 0.5 s"),
            (18, "again in 0.5 s"),
            (5, "again"),
            (0, ""),
        ],
    )
    def test_what_matters_least_is_cut_first(self, columns, line):
        """Our own name, then what failed, and the time that is left at last."""
        drawn = report.fitted("sh: attempt 1: exit status 3, ", "again in 0.5 s", columns)
        assert drawn == line
        assert len(drawn) <= columns

    @pytest.mark.parametrize("columns", range(40))
    def test_wide_characters(self, columns):
        """They take two columns each; what is written onto another takes none."""
        drawn = report.fitted("\u6570\u636e e\u0301: ", "again in 0.5 s", columns)
        assert output.width(drawn) <= columns
        assert output.width("\u6570\u636e e\u0301: ") == 8

    def test_a_cut_is_between_characters(self):
        """Half of a wide one is left out."""
        text = "\u6570\u636e"
        assert [output.cut(text, n) for n in range(6)] == ["", "", text[0], text[0], text, text]

    def test_what_the_terminal_cannot_show(self):
        """It is counted as it is written: escaped."""

        class Ascii(Terminal):
            encoding = "ascii"

        terminal = Ascii()
        countdown = report.Countdown(report.Report(terminal), terminal, "\u6570: ", 1)
        countdown.end("y")
        assert terminal.screen == ["retrying-elegant: \\u6570: y", ""]

    def test_there_are_no_threads(self, terminal, tmp_path, monkeypatch):
        """The line is drawn once, and is right in the end."""

        def fails(thread):
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", fails)
        assert shell(counting(tmp_path, 3, 0), "--wait", "100", on=terminal) == 0
        assert terminal.getvalue().count("again in") == 1
        assert terminal.screen[0].endswith("exit status 3, again after 100.00 s")


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
        assert shell("kill -TERM $PPID; while :; do sleep 0.01; done", "--json") == -signal.SIGTERM
        (event,) = self.events(capsys)
        assert (event["reason"], event["signal"]) == ("signal", "SIGTERM")

    def test_a_signal_while_it_waits(self, own_waits, capsys):
        """Likewise."""
        own_waits.setattr("time.sleep", lambda seconds: signal.raise_signal(signal.SIGTERM))
        assert shell("exit 3", "--json") == -signal.SIGTERM
        _, event = self.events(capsys)
        assert (event["event"], event["status"]) == ("give_up", 143)
        assert (event["reason"], event["signal"]) == ("signal", "SIGTERM")
