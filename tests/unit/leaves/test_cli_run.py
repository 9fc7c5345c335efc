"""Contract 13: `run`, in process; with real signals and terminals it is an integration test.

Commands are real children that end at once; the waits between them pass at once as everywhere.
"""

from __future__ import annotations

import io
import signal
import subprocess
import sys

import pytest
from cli_parts import calls, counting, shell

from retrying_elegant.cli import main, report, run, signals


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

    def test_messages_name_the_command_as_it_was_written(self, tmp_path, capsys, monkeypatch):
        """On one line, cut, its control characters escaped."""
        monkeypatch.chdir(tmp_path)
        assert main.main(["run", "--", "./no/\x1b[31m\nname" + "x" * 1000]) == 127
        told = capsys.readouterr().err
        assert told.startswith("retrying-elegant: ./no/\\x1b[31m namexxx")
        assert len(told) < 300

    def test_on_exit_at_the_first_attempt(self, capsys):
        """Likewise."""
        assert shell("exit 3", "--on-exit", "69") == 3
        assert "after 1 attempt in" in capsys.readouterr().err

    def test_not_found(self, capsys):
        """127, without retrying; it is told whatever the options."""
        for quiet in ([], ["--quiet"]):
            assert main.main(["run", *quiet, "--", "/no/such/command", "secret"]) == 127
            message = (
                "retrying-elegant: /no/such/command: cannot be run: No such file or directory\n"
            )
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
    monkeypatch.setattr(signals, "SENDER_IS_KNOWN", request.param)


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

    def test_long_limits(self, monkeypatch, capsys):
        """In seconds that people read: not 3.6e+03."""

        def never(self, is_over, *_):
            command.wait(None)
            return False

        def started(argv):
            nonlocal command
            command = start(argv)
            return command

        command, start = None, run.Command
        monkeypatch.setattr(run, "Command", started)
        monkeypatch.setattr(signals.Signals, "wait_until", never)
        options = ["--attempt-timeout", "1h", "--attempts", "1"]
        assert main.main(["run", *options, "--", "sleep", "0"]) == 124
        assert capsys.readouterr().err.endswith(": timed out after 3600 s\n")

    def test_in_time(self):
        """It changes nothing."""
        assert shell("exit 3", "--attempt-timeout", "60", "--attempts", "1") == 3


class TestResetAfter:
    """`--reset-after`: the failure of an attempt that ran this long begins a new series."""

    @pytest.fixture
    def lasting(self, monkeypatch, clock):
        """Let each attempt last one of these times, and fail, until none is left."""

        def attempts(*seconds):
            left = list(seconds)

            def run_once(argv, timeout, signals):
                if left:
                    clock.tick(left.pop(0))
                    if timeout is not None:
                        raise run.CommandError("timed out", 124, retryable=True)
                    raise run.CommandError("exit status 3", 3)

            monkeypatch.setattr(run, "run_once", run_once)

        return attempts

    OPTIONS = ("--attempts", "2", "--wait", "0", "--reset-after", "1m")

    def test_healthy_attempts_do_not_count(self, lasting, capsys):
        """A link that breaks once a day does not run out of attempts."""
        lasting(60, 60, 60, 60, 60)
        assert shell("", *self.OPTIONS) == 0
        assert capsys.readouterr().err.count("attempt 1: exit status 3") == 5

    def test_others_do(self, lasting):
        """The healthy one was the first of two."""
        lasting(60, 60, 59)
        assert shell("", *self.OPTIONS) == 3

    def test_one_that_hung_was_not_healthy(self, lasting):
        """However long `--attempt-timeout` lets it."""
        lasting(100, 100)
        assert shell("", *self.OPTIONS, "--attempt-timeout", "100") == 124


@pytest.mark.usefixtures("system", "no_signal_is_ignored", "no_collector")
class TestSignals:
    """Signals reach the command; after one, no further attempt is made."""

    @pytest.mark.parametrize("name", ["TERM", "HUP", "QUIT", "INT"])
    def test_while_it_runs(self, name, tmp_path, monkeypatch, capsys):
        """The status is the command's."""
        monkeypatch.setattr(signals, "may_be_from_terminal", lambda number: False)
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
        """A command that ignores the first; then we die of it."""
        monkeypatch.setattr(signals, "may_be_from_terminal", lambda number: False)
        script = "trap 'kill -INT $PPID' INT; kill -INT $PPID; while :; do sleep 0.01; done"
        assert shell(script) == -signal.SIGINT
        assert capsys.readouterr().err.endswith("killed by SIGKILL\n")

    def test_while_it_is_being_started(self, monkeypatch):
        """It gets the signal as soon as it is there."""
        start = subprocess.Popen

        def interrupted(*args, **options):
            signal.raise_signal(signal.SIGTERM)
            return start(*args, **options)

        monkeypatch.setattr("subprocess.Popen", interrupted)
        assert main.main(["run", "--", "sleep", "60"]) == -signal.SIGTERM

    def test_as_it_ends(self, monkeypatch):
        """The signal has ended the retries, if not the command."""
        monkeypatch.setattr(
            report.Lines, "on_give_up", lambda *_: signal.raise_signal(signal.SIGTERM)
        )
        assert shell("exit 3", "--attempts", "1") == -signal.SIGTERM

    def test_during_the_grace(self, monkeypatch):
        """A command that took too long, and then a signal: that is what has ended it."""
        monkeypatch.setattr(signals, "may_be_from_terminal", lambda number: False)
        script = "trap 'kill -INT $PPID' TERM; while :; do sleep 0.01; done"
        assert shell(script, "--attempt-timeout", "0.05") == -signal.SIGINT

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
        assert shell("exit 3", *options) == -signal.SIGTERM
        end = "" if options else "retrying-elegant: SIGTERM: sh is not run again\n"
        assert capsys.readouterr().err.endswith(end)

    def test_just_before_the_wait(self, monkeypatch, waits):
        """It is not begun."""
        monkeypatch.setattr(
            report.Lines, "on_retry", lambda *_: signal.raise_signal(signal.SIGTERM)
        )
        assert shell("exit 3") == -signal.SIGTERM
        assert waits == []

    def test_just_after_the_wait(self, monkeypatch, tmp_path):
        """The command is not started."""
        monkeypatch.setattr(
            report.Report, "wait_ends", lambda self, attempt: signal.raise_signal(signal.SIGTERM)
        )
        monkeypatch.setattr(report.Report, "attempt", None, raising=False)
        assert shell(counting(tmp_path, 0), "--quiet") == -signal.SIGTERM
        assert not (tmp_path / "calls").exists()
