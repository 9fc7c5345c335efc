"""Contract 13: `run` behaves like timeout(1), with real processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest
from cli_programs import (
    PATIENCE,
    AtTerminal,
    Started,
    environment,
    finished,
    processes,
    python,
)

pytestmark = pytest.mark.usefixtures("no_signal_is_ignored")
OURS = f"'{sys.executable}' -m retrying_elegant"  # in a shell's script


def shell(script, name="sh", **options):
    """Run *script* by a shell, the program being its child, and return what came of it."""
    return subprocess.run(
        [name, "-c", script],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        start_new_session=True,
        **options,
    )


class TestDescriptors:
    """Inherited descriptors stay open."""

    def test_process_substitution(self):
        """`diff <(a) <(b)`: bash hands descriptors over by their numbers."""
        if not shutil.which("bash"):
            pytest.skip("needs bash")
        done = shell(f"{OURS} run --attempts 1 -- diff <(echo a) <(echo b)", "bash")
        assert (done.returncode, done.stdout) == (1, "1c1\n< a\n---\n> b\n")

    def test_one_of_the_users_own(self, tmp_path):
        """As with `3<file`, at each attempt."""
        (tmp_path / "file").write_text("first\nsecond\n")
        script = "read line <&3; echo $line; exit 3"
        done = shell(
            f"{OURS} run --quiet --attempts 2 --wait 0 -- sh -c '{script}' 3<{tmp_path}/file"
        )
        assert (done.returncode, done.stdout) == (3, "first\nsecond\n")

    def test_none_of_ours(self):
        """And no other comes to them."""
        names = "import os; print(*(name for name in os.listdir('/proc/self/fd')))"
        done = shell(f'{OURS} run -- {sys.executable} -c "{names}" 3</dev/null')
        assert done.stdout.split()[:4] == ["0", "1", "2", "3"]
        assert len(done.stdout.split()) == 5  # the last one is of the listing itself


class TestScripts:
    """A script without `#!` is run by `/bin/sh`."""

    @pytest.fixture
    def script(self, tmp_path):
        (tmp_path / "script").write_text("echo $1 from $0; exit 3\n")
        (tmp_path / "script").chmod(0o755)
        return tmp_path / "script"

    def test_by_its_path(self, script):
        """With its arguments."""
        status, out, _ = finished("run", "--attempts", "1", "--", str(script), "hello")
        assert (status, out) == (3, f"hello from {script}\n")

    def test_from_the_path(self, script, monkeypatch):
        """As any other command; our lines name it as it was written."""
        monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
        status, out, told = finished("run", "--attempts", "1", "--", "script", "hello")
        assert (status, out) == (3, f"hello from {script}\n")
        assert told.startswith("retrying-elegant: gave up on script after")

    def test_an_empty_one(self, script):
        """It does nothing, and succeeds."""
        script.write_text("")
        assert finished("run", "--", str(script))[0] == 0

    def test_not_text(self, script):
        """126: a shell would take bytes of another machine's program for commands."""
        script.write_bytes(b"\x7fELF\0\0")
        status, _, told = finished("run", "--", str(script))
        assert status == 126
        assert told == f"retrying-elegant: {script}: cannot be run: Exec format error\n"


class TestTheWholeGroup:
    """`--attempt-timeout` ends the whole group, so that nothing of an attempt outlives it."""

    def test_a_pipeline(self, tmp_path):
        """Its two ends, which a shell has started."""
        log = tmp_path / "log"
        # Both ends write as long as they live; the shell waits for them.
        script = f"n=$(cat {tmp_path}/n); echo $((n + 1)) > {tmp_path}/n; "
        writes = f"while :; do echo $n >> {log}; sleep 0.01; done"
        script += f"({writes}) | ({writes})"
        (tmp_path / "n").write_text("0")
        options = ["--attempt-timeout", "300ms", "--attempts", "3", "--wait", "0"]
        with Started("run", *options, "--", "sh", "-c", script) as started:
            assert started.ends()[0] == 124
            assert processes(started.process.pid) == {}
        attempts = log.read_text().split()
        assert set(attempts) == {"0", "1", "2"}
        assert attempts == sorted(attempts)  # none writes beside the next

    @pytest.mark.slow
    def test_what_ignores_the_end(self):
        """KILL, two seconds later, though the command itself has ended at once."""
        script = "(trap '' TERM; while :; do sleep 0.1; done) & wait"
        options = ["--attempt-timeout", "300ms", "--attempts", "1"]
        with Started("run", *options, "--", "sh", "-c", script) as started:
            assert started.ends()[0] == 124
            assert processes(started.process.pid) == {}

    def test_what_is_stopped(self):
        """It gets its end at once: CONT follows TERM."""
        code = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit("got its end"))
os.kill(os.getpid(), signal.SIGSTOP)
signal.pause()
"""
        options = ["--attempt-timeout", "500ms", "--attempts", "1"]
        status, _, told = finished("run", *options, "--", *python(code))
        assert status == 124
        assert "got its end" in told

    def test_what_an_attempt_leaves_behind_by_itself(self):
        """A command that starts something and ends is not one that took too long."""
        options = ["--attempt-timeout", "60", "--attempts", "2", "--wait", "0"]
        with Started("run", *options, "--", "sh", "-c", "sleep 60 & exit 3") as started:
            started.process.wait(PATIENCE)
            assert started.process.returncode == 3
            assert len(processes(started.process.pid)) == 2


class TestAnotherUsersCommand:
    """A command it may not signal (sudo) is waited for."""

    def test_it_is_waited_for(self):
        """No traceback, and no attempt beside it."""
        if os.getuid() != 0:
            pytest.skip("needs to be root, to start a command that another user may not signal")
        code = """
import os, sys, shutil
from retrying_elegant.cli import main
os.setgroups([])
os.setgid(65500)
os.setuid(65500)
sys.exit(main.main(sys.argv[1:]))
"""
        script = "echo begins $(id -u); sleep 0.7; echo ends"
        options = ["--attempt-timeout", "200ms", "--attempts", "2", "--wait", "0"]
        with tempfile.TemporaryDirectory() as folder:
            # It becomes root, as sudo does: neither its real nor its saved user is the caller.
            sudo = shutil.copy(shutil.which("setpriv"), f"{folder}/sudo")
            os.chmod(folder, 0o755)
            os.chmod(sudo, 0o4755)
            command = [sudo, "--reuid", "0", "--regid", "0", "--clear-groups", "sh", "-c", script]
            done = subprocess.run(
                python(code, "run", *options, "--", *command),
                env=environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
        assert "Traceback" not in done.stderr
        assert done.stdout == "begins 0\nends\n" * 2
        assert done.returncode == 124
        assert done.stderr.count("timed out after 0.2 s") == 2


class TestDeathBySignal:
    """It dies by the signal that ended it, after the last line (`$?` is still 128 + n)."""

    @pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT"])
    def test_while_the_command_runs(self, name):
        """The command has died by it, too."""
        with Started("run", "--", "sh", "-c", "echo up; exec sleep 60") as started:
            started.reads("up")
            started.process.send_signal(signal.Signals[f"SIG{name}"])
            status, told = started.ends()
        assert status == -signal.Signals[f"SIG{name}"]
        assert told == (f"retrying-elegant: SIG{name}: sh is not run again: killed by SIG{name}\n")

    def test_what_a_shell_sees(self):
        """143, as from a program without handlers."""
        done = shell(f"{OURS} run -- sh -c 'kill -TERM $PPID; exec sleep 60'; echo $?; exit 0")
        assert done.stdout == "143\n"

    def test_a_command_that_ends_well(self):
        """Its own status, where it ends in its own way."""
        # The signal may come before the shell's child is a sleep of its own, which then lives on.
        script = "trap 'exit 7' TERM; echo up; sleep 20 > /dev/null 2>&1 & wait"
        with Started("run", "--", "sh", "-c", script) as s:
            s.reads("up")
            s.process.terminate()
            assert s.ends()[0] == 7

    def test_a_command_that_dies_of_something_else(self):
        """128 + n as an exit status: that signal has ended the command alone."""
        script = "kill -KILL $$"
        assert finished("run", "--attempts", "1", "--", "sh", "-c", script)[0] == 137

    def test_ctrl_c_ends_a_shells_loop(self):
        """Not one iteration of it only."""
        if not shutil.which("bash"):
            pytest.skip("needs bash")
        script = f"while :; do {OURS} run --wait 1000 -- false; echo and again; done"
        with AtTerminal(script, program=["bash", "-c"]) as there:
            there.reads("again in 99")
            there.types(b"\x03")
            there.ends()
        assert "and again" not in there.told

    def test_no_core_dump_of_ours(self, tmp_path):
        """QUIT would leave one, beside that of the command."""
        with Started("run", "--wait", "1000", "--", "false", cwd=tmp_path) as started:
            started.reads("again in")
            started.process.send_signal(signal.SIGQUIT)
            started.ends()
        assert os.listdir(tmp_path) == []


class TestIgnoredSignals:
    """What is ignored when it starts stays ignored, for itself and for the command."""

    def test_an_interrupt_in_the_background(self):
        """A script's shell ignores INT and QUIT for what it starts with `&`."""
        script = "kill -INT $PPID; kill -INT $$; kill -QUIT $$; exit 7"
        done = shell(f"{OURS} run --attempts 1 -- sh -c '{script}' & wait $!")
        assert done.returncode == 7
        assert "exit status 7" in done.stderr

    @pytest.mark.parametrize("name", ["INT", "HUP", "USR1"])
    def test_each(self, name):
        """As `trap '' INT` or nohup leave it."""
        script = f"kill -{name} $PPID; kill -{name} $$; exit 7"
        done = shell(f"trap '' {name}\n{OURS} run --attempts 1 -- sh -c '{script}'\nexit $?")
        assert done.returncode == 7
        assert "exit status 7" in done.stderr

    def test_broken_pipes(self):
        """`trap '' PIPE` of a shell; Python, which ignores that signal itself, is not asked."""
        script = f"{OURS} run --quiet --attempts 1 -- sh -c 'kill -PIPE $$; exit 7'\nexit $?"
        assert shell(f"trap '' PIPE\n{script}").returncode == 7
        assert shell(script).returncode == 128 + signal.SIGPIPE

    def test_files_too_large(self):
        """Likewise: Python ignores that signal, the command does not."""
        script = "kill -XFSZ $$; exit 7"
        done = shell(f"trap '' PIPE\n{OURS} run --attempts 1 -- sh -c '{script}'\nexit $?")
        assert done.returncode == 128 + signal.SIGXFSZ
