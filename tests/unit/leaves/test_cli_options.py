"""Contract 13: the options of the command line, how it ends, and `preview`."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import runpy
import shlex
import signal
import sys

import documents
import pytest

from retrying_elegant import Policy, __version__, backoff
from retrying_elegant.cli import main

POLICY_OPTIONS = {
    "": Policy(),
    "--attempts 3": Policy(3),
    "--attempts 0": Policy(None),
    "--timeout 60": Policy(None, timeout=60),
    "--timeout 1m": Policy(None, timeout=60),
    "--timeout 60 --attempts 3": Policy(3, timeout=60),
    "--attempt-timeout 2.5": Policy(attempt_timeout=2.5),
    "--wait 2": Policy(wait=2),
    "--wait 0": Policy(wait=0),
    "--wait 1,2.5,30": Policy(wait=(1, 2.5, 30)),
    "--wait 250ms,30s,2h": Policy(wait=(0.25, 30, 7200)),
    "--initial 500ms --cap 1m": Policy(wait=backoff.exponential(0.5, cap=60)),
    "--initial 1": Policy(wait=backoff.exponential(1)),
    "--initial 1 --factor 3 --cap 9 --jitter 0": Policy(
        wait=backoff.exponential(1, 3, cap=9, jitter=0)
    ),
}

UNITS = "such as 500ms, 30s, 1m or 2h; a bare number is seconds"
WRONG_OPTIONS = {
    "--attempts -1": "argument --attempts: '-1': expected a whole number, or 0 for no limit",
    "--attempts x": "argument --attempts: 'x': expected a whole number, or 0 for no limit",
    "--timeout 0": f"argument --timeout: '0': expected a positive duration, {UNITS}",
    "--timeout -3": f"argument --timeout: '-3': expected a positive duration, {UNITS}",
    "--timeout nan": f"argument --timeout: 'nan': expected a positive duration, {UNITS}",
    "--timeout soon": f"argument --timeout: 'soon': expected a positive duration, {UNITS}",
    "--attempt-timeout inf": f"--attempt-timeout: 'inf': expected a positive duration, {UNITS}",
    "--wait -1": f"argument --wait: '-1': expected a duration of 0 or more, {UNITS}",
    "--wait 1,,2": f"argument --wait: '': expected a duration of 0 or more, {UNITS}",
    "--cap inf": f"argument --cap: 'inf': expected a duration of 0 or more, {UNITS}",
    "--factor 0": "argument --factor: '0': expected a finite number above 0",
    "--jitter 1.5": "argument --jitter: '1.5': expected a share between 0 and 1",
    "--wait 1 --cap 2 --jitter 0": "not allowed together: --wait and --cap, --jitter",
    "--time 3": "unrecognized arguments: --time 3",
}

WRONG_RUNS = {
    "--on-exit 0 -- true": "argument --on-exit: '0': expected exit statuses from 1 to 255",
    "--on-exit 256 -- true": "argument --on-exit: '256': expected exit statuses from 1 to 255",
    "--on-exit 3,x -- true": "argument --on-exit: 'x': expected exit statuses from 1 to 255",
    "--quiet --json -- true": "argument --json: not allowed with argument --quiet",
    "--wait": "argument --wait: expected one argument",
}

MISSING = "a command is missing: write retrying-elegant run [options] -- COMMAND ..."
ORDER = "options come first, then `--`, then the command: write retrying-elegant run [options] --"
NO_COMMANDS = {
    "": MISSING,
    "--": MISSING,
    "--attempts 3": MISSING,
    "-- ''": MISSING.replace("a command is missing", "the command is an empty string"),
    "make": f"{ORDER} make ...",
    "make --attempts 3": f"{ORDER} make ...",
    "make -j4 -- clean": f"{ORDER} make ...",
    "--attempts 3 make": f"{ORDER} make ...",
    "--attempts=3 --quiet make -k": f"{ORDER} make ...",
    "--json make": f"{ORDER} make ...",
    "'\x1b[31mred\nline'": f"{ORDER} \\x1b[31mred line ...",
}


class TestPolicyOptions:
    """Policy options: --attempts N (0 = no limit), --timeout, --attempt-timeout, --wait, or..."""

    @pytest.mark.parametrize(("words", "policy"), POLICY_OPTIONS.items())
    @pytest.mark.parametrize("command", [["preview"], ["run"]], ids=lambda words: words[0])
    def test_they_spell_out_a_policy(self, command, words, policy):
        """The same words for both sub-commands."""
        end = ["--", "true"] if command == ["run"] else []
        assert main.parse([*command, *words.split(), *end]).policy == policy

    @pytest.mark.parametrize(("words", "message"), WRONG_OPTIONS.items())
    def test_wrong_ones_are_rejected(self, words, message, capsys):
        """Exit status 2, a usage line, and what is wrong."""
        with pytest.raises(SystemExit) as end:
            main.main(["preview", *words.split()])
        told = capsys.readouterr().err
        assert end.value.code == 2
        assert told.startswith("usage: retrying-elegant")
        assert message in told

    @pytest.mark.parametrize(("words", "message"), WRONG_RUNS.items())
    def test_wrong_ones_of_run(self, words, message, capsys):
        """Likewise."""
        with pytest.raises(SystemExit) as end:
            main.main(["run", *words.split()])
        told = capsys.readouterr().err
        assert end.value.code == 2
        assert told.startswith("usage: retrying-elegant run [options] -- COMMAND ...\n")
        assert message in told

    def test_messages_cannot_write_to_the_terminal(self, capsys):
        """What they quote is on one line, cut, its control characters escaped."""
        with pytest.raises(SystemExit):
            main.main(["preview", "--\x1b[31m\n" + "x" * 1000])
        assert (
            capsys.readouterr()
            .err.splitlines()[-1]
            .startswith("retrying-elegant: error: unrecognized arguments: --\\x1b[31m xxx")
        )

    def test_all_after_two_dashes_is_the_command(self):
        """Whatever it looks like."""
        options = main.parse(["run", "--wait", "1", "--", "make", "--wait", "--", "x"])
        assert options.command == ["make", "--wait", "--", "x"]


class TestDurations:
    """Durations accept units: 500ms, 30s, 1m, 2h; a bare number is seconds."""

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("9ms", 0.009),
            ("500ms", 0.5),
            ("30s", 30),
            ("1m", 60),
            ("1.5m", 90),
            ("2h", 7200),
            ("30", 30),
            (".5", 0.5),
            ("1e3", 1000),
            ("1e3ms", 1),
        ],
    )
    def test_units(self, text, seconds):
        """Exactly what people mean."""
        assert main.parse(["preview", "--timeout", text]).policy.timeout == seconds

    @pytest.mark.parametrize(
        "text",
        ["", "s", "ms", "1d", "1min", "1 m", " 1", "1_0", "1M", "\u0663", "0x1", "1m30s", "infs",
         "nanms", "1e308h", "-1s", "0ms"],
    )  # fmt: skip
    def test_nothing_else(self, text, capsys):
        """Neither other units nor other ways to write a number."""
        with pytest.raises(SystemExit):
            main.parse(["preview", f"--timeout={text}"])
        assert f"{text!r}: expected a positive duration, {UNITS}\n" in capsys.readouterr().err

    @pytest.mark.parametrize("option", ["--attempts=\u0663", "--attempts=1_0", "--attempts= 1"])
    def test_whole_numbers(self, option):
        """Likewise."""
        with pytest.raises(SystemExit):
            main.parse(["preview", option])


class TestNoCommand:
    """A missing or empty command, or options after it without `--`: one line says what to write."""

    @pytest.mark.parametrize(("words", "message"), NO_COMMANDS.items())
    def test_one_line(self, words, message, capsys):
        """Without a usage line, and without the arguments, which may hold secrets."""
        with pytest.raises(SystemExit) as end:
            main.main(["run", *shlex.split(words)])
        assert end.value.code == 2
        assert capsys.readouterr().err == f"retrying-elegant run: {message}\n"


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
        assert importlib.import_module("retrying_elegant.__main__").script is main.script

    def test_version(self, capsys):
        """It is the package's."""
        with pytest.raises(SystemExit) as end:
            main.main(["--version"])
        assert end.value.code == 0
        assert capsys.readouterr().out == f"retrying-elegant {__version__}\n"

    def test_interrupted(self, monkeypatch):
        """It is to die by that signal, without a traceback."""

        def interrupted(options):
            raise KeyboardInterrupt

        monkeypatch.setattr(main, "_demo", interrupted)
        assert main.main([]) == -signal.SIGINT

    def test_it_dies_by_the_signal(self, monkeypatch):
        """In the end, by the system's own hand, and without a core dump."""
        resource = pytest.importorskip("resource")
        limits, numbers, handler = [], [], signal.getsignal(signal.SIGQUIT)
        monkeypatch.setattr(main, "main", lambda: -signal.SIGQUIT)
        monkeypatch.setattr(resource, "setrlimit", lambda *limit: limits.append(limit))
        monkeypatch.setattr("os.kill", lambda *number: numbers.append(number))
        try:
            with pytest.raises(SystemExit) as end:
                main.script()
            assert signal.getsignal(signal.SIGQUIT) is signal.SIG_DFL
        finally:
            signal.signal(signal.SIGQUIT, handler)
        assert numbers == [(os.getpid(), signal.SIGQUIT)]
        assert [(what, soft) for what, (soft, _) in limits] == [(resource.RLIMIT_CORE, 0)]
        assert end.value.code == 131  # where that signal does not end it

    def test_it_ends_with_a_status_on_windows(self, monkeypatch):
        """128 + n, where no process dies by a signal."""
        monkeypatch.setattr(main.os, "name", "nt")
        assert main.die_by(2) == 130

    def test_the_output_is_no_longer_read(self, monkeypatch):
        """As if SIGPIPE had ended it, without a traceback."""
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w") as deaf:
            monkeypatch.setattr("sys.stdout", deaf)
            assert main.main(["preview"]) == 141

    @pytest.mark.parametrize("words", [["preview"], ["--help"], ["--version"]], ids=" ".join)
    def test_the_output_cannot_be_written(self, monkeypatch, capsys, words):
        """One line says why, and the exit status is 1."""
        if not os.path.exists("/dev/full"):
            pytest.skip("this system has no full device")
        with open("/dev/full", "w") as full:
            monkeypatch.setattr("sys.stdout", full)
            assert main.main(words) == 1
        message = "retrying-elegant: standard output: No space left on device\n"
        assert capsys.readouterr().err == message

    def test_the_output_is_closed(self, monkeypatch, capsys):
        """Likewise; what writes nothing does not need it."""
        monkeypatch.setattr("sys.stdout", None)
        assert main.main(["preview"]) == 1
        assert capsys.readouterr().err == "retrying-elegant: standard output: it is closed\n"
        assert main.main(["run", "--", "sh", "-c", ":"]) == 0
        with pytest.raises(SystemExit):
            main.main(["run"])
        with pytest.raises(SystemExit):
            main.main(["preview", "--wait"])

    @pytest.mark.parametrize(
        ("words", "status"),
        [("run", 2), ("run --wait", 2), ("preview --jitter 2", 2), ("preview", 1)],
    )
    @pytest.mark.parametrize("closed", [True, False])
    def test_standard_error_cannot_be_written(self, monkeypatch, words, status, closed):
        """What is wrong remains unsaid, also on standard output; the exit status is the same."""
        if not os.path.exists("/dev/full"):
            pytest.skip("this system has no full device")
        spoken = io.StringIO()
        with open("/dev/full", "w", buffering=1) as full:
            monkeypatch.setattr("sys.stderr", None if closed else full)
            monkeypatch.setattr("sys.stdout", None if words == "preview" else spoken)
            try:
                ended = main.main(words.split())
            except SystemExit as end:
                ended = end.code
            with contextlib.suppress(OSError):
                full.close()
        assert ended == status
        assert spoken.getvalue() == ""


class TestGuide:
    """What the guide shows can be typed."""

    GUIDE = documents.ROOT / "docs" / "command-line.md"

    def test_its_examples(self):
        """Each command line is accepted."""
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

    def test_long_waits(self, capsys):
        """No exponents: 10800, not 1.08e+04."""
        assert main.main(["preview", "--wait", "3h", "--attempts", "3"]) == 0
        told = capsys.readouterr().out
        assert "waits from 0 to 10800 s" in told
        assert "      3    10800    10800    10800    21600    21600\n" in told

    def test_very_many_attempts(self, capsys):
        """The first are shown, and how many there are."""
        assert main.main(["preview", "--attempts", "1000000"]) == 0
        told = capsys.readouterr().out
        assert "and so on, 1000000 attempts in all\n" in told
        assert len(told.splitlines()) < 100
