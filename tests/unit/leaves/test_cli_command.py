"""Contract 13: `run` starts a command as timeout(1) does, and knows when nothing of it runs."""

from __future__ import annotations

import io
import os
import signal
import subprocess

import pytest

from retrying_elegant.cli import main, process


@pytest.fixture(params=[True, False], ids=["group of its own", "our group"])
def has_own_group(request, monkeypatch):
    """Where stdin is not a terminal, and where it is one."""
    monkeypatch.setattr("os.isatty", lambda file: not request.param)
    return request.param


class TestGroup:
    """Where stdin is not a terminal the command has a process group of its own."""

    def test_which(self, has_own_group):
        """A terminal can be read from one group only."""
        command = process.Command(["sleep", "60"])
        assert (os.getpgid(command.pid) == command.pid) is has_own_group
        command.kill()
        command.wait(None)
        assert command.status() == -signal.SIGKILL
        assert command.is_gone()

    def test_none_on_windows(self, monkeypatch):
        """There the command is ended alone."""
        monkeypatch.setattr(process.os, "name", "nt")
        command = process.Command(["sleep", "60"])
        assert not command.has_own_group
        command.end(signal.SIGTERM)
        command.wait(None)
        command = process.Command(["sleep", "60"])
        command.kill()
        command.wait(None)
        assert command.status() == -signal.SIGKILL

    def test_nothing_is_sent_after_the_end(self, has_own_group):
        """Its number may be that of another process by now."""
        command = process.Command(["sleep", "0"])
        command.wait(None)
        command.end(signal.SIGTERM)
        command.kill()
        assert command.status() == 0

    def test_what_may_not_be_signaled(self, has_own_group, monkeypatch):
        """As under sudo: it is not an error."""

        def fails(*args):
            raise PermissionError

        command = process.Command(["sleep", "60"])
        with monkeypatch.context() as patch:
            patch.setattr("os.kill", fails)
            patch.setattr("os.killpg", fails)
            command.end(signal.SIGTERM)
            assert not command.has_ended()
        command.kill()
        command.wait(None)

    def test_a_wait_that_is_over_first(self):
        """It still runs."""
        command = process.Command(["sleep", "60"])
        command.wait(0)
        assert not command.has_ended()
        assert not command.is_gone()
        command.kill()
        command.wait(None)


class TestNothingOfItRuns:
    """No attempt starts while the last one runs."""

    def test_as_long_as_a_member_runs(self, monkeypatch):
        """The command itself may have ended before."""
        monkeypatch.setattr("os.isatty", lambda file: False)
        reading, writing = os.pipe()
        os.set_inheritable(writing, True)
        command = process.Command(["sh", "-c", "sleep 60 &"])
        os.close(writing)
        command.wait(None)
        assert command.has_ended()
        assert not command.is_gone()
        command.kill()
        assert os.read(reading, 1) == b""  # the end of the last that had it open
        os.close(reading)
        while not command.is_gone():
            pass  # until its parent has collected it, or Linux calls it a zombie

    def test_no_such_group(self, monkeypatch):
        """All have ended."""

        def fails(group, number):
            raise ProcessLookupError

        monkeypatch.setattr("os.killpg", fails)
        assert not process.group_is_alive(1)

    @pytest.mark.parametrize(
        ("states", "is_alive"),
        [
            ([("Z", 7), ("S", 8)], False),
            ([("Z", 7), ("S", 7)], True),
            ([("X", 7), ("T", 7)], True),
            ([("S", 8)], True),
            ([], True),
        ],
        ids=["zombie", "one runs", "one is stopped", "hidden", "all hidden"],
    )
    @pytest.mark.parametrize("error", [None, PermissionError], ids=["ours", "another user's"])
    def test_a_zombie_does_not_run(self, monkeypatch, states, is_alive, error):
        """Its parent may never collect it."""

        def send(group, number):
            if error:
                raise error

        monkeypatch.setattr("os.killpg", send)
        monkeypatch.setattr("sys.platform", "linux")
        monkeypatch.setattr(process, "_processes", lambda: states)
        assert process.group_is_alive(7) is is_alive

    def test_other_systems(self, monkeypatch):
        """They show no states."""
        monkeypatch.setattr("os.killpg", lambda group, number: None)
        monkeypatch.setattr("sys.platform", "darwin")
        assert process.group_is_alive(7)

    def test_what_linux_shows(self, monkeypatch):
        """Names with parentheses and spaces, and processes that end meanwhile."""
        files = {
            "/proc/1/stat": b"1 (init) S 0 1 1 0",
            "/proc/2/stat": b"2 (a) Z 9 9) R 1 7 7 0",
            "/proc/4/stat": b"",
        }

        def opened(path, mode):
            if path not in files:
                raise FileNotFoundError
            return io.BytesIO(files[path])

        monkeypatch.setattr("os.listdir", lambda path: ["1", "2", "3", "4", "self", "version"])
        monkeypatch.setattr("builtins.open", opened)
        found = process._processes()
        monkeypatch.undo()
        assert found == [("S", 1), ("R", 7)]


class TestStart:
    """Inherited descriptors stay open; a script without `#!` is run by `/bin/sh`."""

    @pytest.fixture
    def script(self, tmp_path):
        path = tmp_path / "some-script"
        path.write_text("exit $1\n")
        path.chmod(0o755)
        return path

    def test_by_its_path(self, script):
        """With its arguments."""
        assert main.main(["run", "--attempts", "1", "--", str(script), "7"]) == 7

    def test_on_the_path(self, script, monkeypatch, tmp_path):
        """The first that can be executed, as shells find it: not the program behind it."""
        for name in ("not-executable", "folder", "behind"):
            (tmp_path / name).mkdir()
        (tmp_path / "not-executable" / "some-script").write_text("exit 1")
        (tmp_path / "folder" / "some-script").mkdir()
        (tmp_path / "behind" / "some-script").write_text("#!/bin/sh\nexit 2\n")
        (tmp_path / "behind" / "some-script").chmod(0o755)
        folders = [tmp_path / "not-executable", tmp_path / "folder", tmp_path, tmp_path / "behind"]
        monkeypatch.setenv("PATH", os.pathsep.join(map(str, [*folders, os.environ["PATH"]])))
        assert main.main(["run", "--attempts", "1", "--", "some-script", "7"]) == 7

    def test_in_this_folder(self, script, monkeypatch, tmp_path):
        """An empty entry of the path is the working directory."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PATH", "")
        assert process.path_of("some-script") == "./some-script"
        assert process.path_of("no-such-script") == "no-such-script"

    def test_on_windows(self, monkeypatch):
        """The system finds it, with its suffixes."""
        monkeypatch.setattr(process.os, "name", "nt")
        assert process.path_of("sleep") == "sleep"

    def test_bytes_of_another_machine(self, script, capsys):
        """A shell would take them for commands: 126."""
        script.write_bytes(b"\x7fELF\0")
        assert main.main(["run", "--", str(script)]) == 126
        assert capsys.readouterr().err.endswith(": cannot be run: Exec format error\n")

    def test_what_cannot_be_read(self, script):
        """It may be executable all the same."""
        assert process.is_text(str(script))
        assert not process.is_text(str(script.parent))

    def test_descriptors(self):
        """Of whoever started us; ours are not inheritable."""
        reading, writing = os.pipe()
        os.set_inheritable(writing, True)
        assert main.main(["run", "--", "sh", "-c", f"echo hello >/dev/fd/{writing}"]) == 0
        os.close(writing)
        assert os.read(reading, 10) == b"hello\n"
        os.close(reading)


STATUS = "Name:\t{name}\nGroups:\t \nSigIgn:\t{ignored:016x}\n"
PIPE = 1 << (signal.SIGPIPE - 1)


class TestBrokenPipe:
    """`trap '' PIPE` holds for the command, too: Python, which ignores it, hides it."""

    @pytest.mark.parametrize(
        ("text", "was_ignored"),
        [
            (STATUS.format(name="sh", ignored=PIPE), True),
            (STATUS.format(name="bash", ignored=PIPE | 1), True),
            (STATUS.format(name="sh", ignored=0), False),
            (STATUS.format(name="sh", ignored=PIPE << 1), False),
            (STATUS.format(name="python3", ignored=PIPE), False),
            ("Name:\tsh\n", False),
            ("Name:\tsh\nSigIgn:\tnothing\n", False),
        ],
        ids=["sh", "bash", "not ignored", "another", "not a shell", "no field", "no number"],
    )
    def test_a_shell_shows_it(self, monkeypatch, text, was_ignored):
        """Others ignore it for themselves, and not for what they start."""
        monkeypatch.setattr("builtins.open", lambda *args, **options: io.StringIO(text))
        answer = process.sigpipe_was_ignored()
        monkeypatch.undo()
        assert answer is was_ignored

    def test_other_systems(self, monkeypatch):
        """They do not show it."""

        def fails(*args, **options):
            raise FileNotFoundError

        monkeypatch.setattr("builtins.open", fails)
        answer = process.sigpipe_was_ignored()
        monkeypatch.undo()
        assert answer is False

    @pytest.mark.parametrize("was_ignored", [True, False])
    def test_the_command_has_it(self, monkeypatch, was_ignored):
        """Ignored or not."""
        monkeypatch.setattr(process, "sigpipe_was_ignored", lambda: was_ignored)
        status = main.main(["run", "--attempts", "1", "--", "sh", "-c", "kill -PIPE $$; exit 7"])
        assert status == (7 if was_ignored else 128 + signal.SIGPIPE)


class TestOrphans:
    """As the first process of a container it collects what others have left behind."""

    @pytest.mark.usefixtures("no_signal_is_ignored", "no_collector")
    def test_they_are_collected(self, monkeypatch):
        """And the command's own end is not lost."""
        if not hasattr(os, "waitid"):
            pytest.skip("this system has no waitid")
        orphans = [subprocess.Popen(["sleep", "0"]) for _ in range(3)]
        for orphan in orphans:
            os.waitid(os.P_PID, orphan.pid, os.WEXITED | os.WNOWAIT)
        command = process.Command(["sh", "-c", "exit 7"])
        os.waitid(os.P_PID, command.pid, os.WEXITED | os.WNOWAIT)
        process.reap_orphans(command)
        assert command.status() == 7
        for orphan in orphans:
            with pytest.raises(ChildProcessError):
                os.waitpid(orphan.pid, os.WNOHANG)
            orphan.wait()

    def test_none_has_ended(self):
        """Nothing is waited for."""
        command = process.Command(["sleep", "60"])
        process.reap_orphans(command)
        assert not command.has_ended()
        command.kill()
        command.wait(None)
