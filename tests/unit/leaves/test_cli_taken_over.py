"""Contract 13: which signals `run` takes over, who gets them, and what they end."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from cli_parts import shell

from retrying_elegant.cli import report, signals

# A handler that runs in a callback of the collector, as Hypothesis has one, cannot raise.
pytestmark = pytest.mark.usefixtures("no_signal_is_ignored", "no_collector")


class FakeCommand:
    """A command that notes what it gets."""

    pid = 1

    def __init__(self, *, has_own_group):
        self.has_own_group = has_own_group
        self.got = []

    def end(self, number):
        self.got.append(("end", number))

    def kill(self):
        self.got.append("kill")

    def send(self, number, *, to_group):
        self.got.append((number, to_group))


class TestFromTheTerminal:
    """Ctrl-C reaches the command from the terminal: it is not delivered twice."""

    def taken_over(self, number, *, has_own_group, from_terminal=True):
        """What a command gets of signal *number*."""
        taken, command = signals.Signals(), FakeCommand(has_own_group=has_own_group)
        taken.start(lambda: command)
        taken._take(number, from_terminal=from_terminal)
        return taken, command

    def test_not_delivered_twice(self):
        """The second one kills, wherever it comes from."""
        taken, command = self.taken_over(signal.SIGINT, has_own_group=False)
        assert command.got == []
        taken._take(signal.SIGINT, from_terminal=True)
        assert command.got == ["kill"]

    def test_a_command_in_the_background(self):
        """It has a group of its own, which the terminal does not know."""
        _, command = self.taken_over(signal.SIGINT, has_own_group=True)
        assert command.got == [("end", signal.SIGINT)]

    def test_sent_by_a_process(self):
        """Then the command has not got it."""
        _, command = self.taken_over(signal.SIGINT, has_own_group=False, from_terminal=False)
        assert command.got == [("end", signal.SIGINT)]

    def test_which_may_be_from_it(self, monkeypatch):
        """Those of its keys, and only while we are in the foreground."""
        monkeypatch.setattr("os.open", lambda path, flags: 99)
        monkeypatch.setattr("os.close", lambda terminal: None)
        monkeypatch.setattr("os.tcgetpgrp", lambda terminal: os.getpgrp())
        assert signals.may_be_from_terminal(signal.SIGINT)
        assert signals.may_be_from_terminal(signal.SIGQUIT)
        assert not signals.may_be_from_terminal(signal.SIGTERM)
        monkeypatch.setattr("os.tcgetpgrp", lambda terminal: -1)
        assert not signals.may_be_from_terminal(signal.SIGINT)

    def test_no_terminal(self, monkeypatch):
        """None is; nor where it has just hung up."""

        def fails(*_):
            raise OSError

        with monkeypatch.context() as patch:
            patch.setattr("os.open", fails)
            assert not signals.may_be_from_terminal(signal.SIGINT)
        monkeypatch.setattr("os.open", lambda path, flags: 99)
        monkeypatch.setattr("os.close", lambda terminal: None)
        monkeypatch.setattr("os.tcgetpgrp", fails)
        assert not signals.may_be_from_terminal(signal.SIGINT)

    def test_a_system_without_process_groups(self, monkeypatch):
        """Windows: the console tells all of its processes."""
        monkeypatch.delattr("os.tcgetpgrp")
        assert signals.may_be_from_terminal(signal.SIGINT)
        monkeypatch.setattr(signals, "SENDER_IS_KNOWN", False)
        monkeypatch.setattr(signals, "ENDING", ("SIGTERM", "SIGINT", "SIGNOTHERE"))
        monkeypatch.delattr("signal.SIGCHLD")
        assert shell("exit 3", "--attempts", "1") == 3

    def test_names(self):
        """A signal without a name has a number."""
        assert signals.name_of_signal(15) == "SIGTERM"
        assert signals.name_of_signal(1000) == "signal 1000"


class TestOthers:
    """All signals are the command's; TERM, INT, HUP and QUIT end the retries, too."""

    @pytest.mark.parametrize("is_first", [True, False])
    def test_only_the_command_gets_them(self, monkeypatch, is_first):
        """What it has started may not know them."""
        monkeypatch.setattr(signals, "is_first_process", lambda: is_first)
        taken, command = signals.Signals(), FakeCommand(has_own_group=True)
        taken.start(lambda: command)
        taken._take(signal.SIGUSR1, from_terminal=False)
        assert command.got == [(signal.SIGUSR1, False)]
        assert taken.received == []

    def test_the_first_process_ends_the_command_alone(self, monkeypatch):
        """All else of the container ends with it."""
        monkeypatch.setattr(signals, "is_first_process", lambda: True)
        taken, command = signals.Signals(), FakeCommand(has_own_group=True)
        taken.start(lambda: command)
        taken._take(signal.SIGTERM, from_terminal=False)
        assert command.got == [(signal.SIGTERM, False)]
        assert taken.received == [signal.SIGTERM]

    def test_while_the_command_is_being_started(self):
        """It gets them as soon as it is there."""
        taken, command = signals.Signals(), FakeCommand(has_own_group=True)

        def start():
            taken._take(signal.SIGUSR1, from_terminal=False)
            taken._take(signal.SIGTERM, from_terminal=False)
            return command

        taken._take(signal.SIGUSR2, from_terminal=False)  # before: it is for no command
        taken.start(start)
        assert command.got == [(signal.SIGUSR1, False), ("end", signal.SIGTERM)]
        assert taken.outcome(3) == 3

    def test_what_is_taken_over(self, monkeypatch):
        """Neither faults of our own, nor what is ignored, or handled by something else."""
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with signals.Signals() as taken:
                numbers = set(taken._taken)
                assert signal.getsignal(signal.SIGUSR1) == taken._came_in
        finally:
            signal.signal(signal.SIGHUP, before)
        assert {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGWINCH} <= numbers
        assert not numbers & {signal.SIGHUP, signal.SIGSEGV, signal.SIGPIPE, signal.SIGCHLD}
        assert not numbers & {signal.SIGKILL, signal.SIGSTOP, signal.SIGXFSZ, signal.SIGCONT}

    def test_on_windows(self, monkeypatch):
        """There are but two of them."""
        monkeypatch.setattr(signals.os, "name", "nt")
        monkeypatch.setattr(signals, "ENDING", ("SIGTERM", "SIGINT", "SIGNOTHERE"))
        with signals.Signals() as taken:
            assert taken._taken == [signal.SIGINT, signal.SIGTERM]

    @pytest.mark.parametrize("is_terminal", [True, False])
    def test_ctrl_z_is_taken_over_where_it_would_miss_the_command(self, monkeypatch, is_terminal):
        """A terminal stops both where they are in one group."""
        monkeypatch.setattr("os.isatty", lambda file: is_terminal)
        with signals.Signals() as taken:
            assert (signal.SIGTSTP in taken._taken) is not is_terminal


class TestSuspension:
    """Ctrl-Z stops the command with us, and it continues with us."""

    def suspended(self, monkeypatch, *, command=None, is_first=False):
        """What happens, in order."""
        monkeypatch.setattr(signals, "is_first_process", lambda: is_first)
        taken = signals.Signals()
        events = command.got if command else []

        def kill(pid, number):
            assert pid == os.getpid()
            assert signal.getsignal(number) is signal.SIG_DFL
            events.append(("we", number))

        monkeypatch.setattr("os.kill", kill)
        with taken:
            if command:
                taken.start(lambda: command)
            taken._came_in(signal.SIGTSTP, None)
            assert signal.getsignal(signal.SIGTSTP) == taken._came_in
        assert taken.received == []
        return events

    def test_the_order(self, monkeypatch):
        """The command first: when we have stopped, it is too late."""
        command = FakeCommand(has_own_group=True)
        assert self.suspended(monkeypatch, command=command) == [
            (signal.SIGTSTP, True),
            ("we", signal.SIGTSTP),
            (signal.SIGCONT, True),
        ]

    def test_without_a_command(self, monkeypatch):
        """During a wait."""
        assert self.suspended(monkeypatch) == [("we", signal.SIGTSTP)]

    def test_the_first_process_cannot_stop(self, monkeypatch):
        """It only passes that on."""
        command = FakeCommand(has_own_group=True)
        events = self.suspended(monkeypatch, command=command, is_first=True)
        assert events == [(signal.SIGTSTP, True)]


class TestFirstProcess:
    """As the first process of a container: orphans are reaped while a command runs, and after."""

    @pytest.mark.parametrize("known", [True, False])
    def test_when(self, monkeypatch, known):
        """On each signal that tells of the end of a child; where none does, at the end."""
        if known and not sys.platform.startswith("linux"):
            pytest.skip("this system does not tell")
        reaped, answers = [], [False, False, True]
        monkeypatch.setattr(signals, "SENDER_IS_KNOWN", known)
        monkeypatch.setattr(signals, "is_first_process", lambda: True)
        monkeypatch.setattr(signals, "reap_orphans", reaped.append)
        taken, command = signals.Signals(), FakeCommand(has_own_group=True)
        command.has_ended = lambda: True
        with taken:
            taken.start(lambda: command)
            taken.wait_until(lambda: answers.pop(0), float("inf"), 0)
            taken.end()
        assert reaped == [command] * (3 if known else 1)

    def test_which_it_is(self, monkeypatch):
        """Number 1."""
        assert not signals.is_first_process()
        monkeypatch.setattr("os.getpid", lambda: 1)
        assert signals.is_first_process()


class TestWaitUntil:
    """What ends without a signal is looked at every now and then, until its deadline."""

    @pytest.mark.parametrize("known", [True, False])
    def test_looked_at_again_and_again(self, monkeypatch, known):
        """As the members of a group that are no children of ours."""
        if known and not sys.platform.startswith("linux"):
            pytest.skip("this system does not tell")
        monkeypatch.setattr(signals, "SENDER_IS_KNOWN", known)
        taken, command = signals.Signals(), FakeCommand(has_own_group=True)
        command.has_ended = lambda: True
        answers = [False, False, False, True]
        with taken:
            taken.start(lambda: command)
            assert taken.wait_until(lambda: answers.pop(0), float("inf"), 0.001)
            assert not taken.wait_until(lambda: False, 0, 0.001)
        assert answers == []

    @pytest.mark.parametrize(
        "memory",
        [
            (-1958380800, -1951036599, 32655),  # as seen on 3.11
            (6, -699678400, 0),  # as seen on 3.13
            (0, 0, 0),
            (signal.SIGTERM, 0, 32767),
            (signal.SIGTERM, signals.SI_KERNEL + 1, 0),
        ],
    )
    def test_what_python_returns_after_a_stop(self, monkeypatch, memory):
        """Memory that nothing was written to is not a signal."""
        if not sys.platform.startswith("linux"):
            pytest.skip("this system does not tell")
        returned = [signal.struct_siginfo((*memory, 0, 0, 0, 0)), None]
        monkeypatch.setattr("signal.sigtimedwait", lambda *_: returned.pop(0))
        taken, command = signals.Signals(), FakeCommand(has_own_group=True)
        with taken:
            taken.start(lambda: command)
            taken.wait_until(lambda: not returned, float("inf"))
        assert command.got == taken.received == []

    @pytest.mark.parametrize("code", [0, -1, -6, signals.SI_KERNEL])
    def test_a_signal(self, monkeypatch, code):
        """By a process, queued, by a thread, by the kernel: the command gets it."""
        if not sys.platform.startswith("linux"):
            pytest.skip("this system does not tell")
        returned = [signal.struct_siginfo((signal.SIGTERM, code, 0, 0, 0, 0, 0))]
        monkeypatch.setattr("signal.sigtimedwait", lambda *_: returned.pop(0))
        taken, command = signals.Signals(), FakeCommand(has_own_group=True)
        with taken:
            taken.start(lambda: command)
            taken.wait_until(lambda: not returned, float("inf"))
        assert command.got == [("end", signal.SIGTERM)]


class TestWhileItCannotWrite:
    """A signal ends `run` even if nobody reads its standard error."""

    @pytest.fixture
    def full(self):
        """A pipe that is full, and a stream to it."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, b"x" * 4096)
        except BlockingIOError:
            pass
        with open(writing, "w") as stream:
            yield stream
        os.close(reading)

    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch):
        """Nothing is waited for that takes time."""
        monkeypatch.setattr(report, "TICK", 0)

    @pytest.mark.parametrize("options", [[], ["--json"], ["--attempts", "1"]])
    def test_a_signal_ends_it(self, full, options, monkeypatch):
        """While it waits for a reader; and the last word is not waited for."""
        look, looks = report.is_writable, []

        def looked(file, seconds):
            looks.append(look(file, seconds))
            if len(looks) == 3:
                signal.raise_signal(signal.SIGTERM)
            return looks[-1]

        monkeypatch.setattr(report, "is_writable", looked)
        assert shell("exit 3", *options, on=full) == -signal.SIGTERM
        assert looks[:3] == [False] * 3
        assert len(looks) <= 4

    def test_a_second_signal(self, full, monkeypatch):
        """While the last word is tried: no traceback."""
        monkeypatch.setattr(
            report, "is_writable", lambda *_: signal.raise_signal(signal.SIGTERM) or False
        )
        assert shell("exit 3", on=full) == -signal.SIGTERM

    def test_another_process_fills_it(self, full, monkeypatch):
        """Between the look and the write: it is tried again."""
        answers = iter([True, False, True])

        def answer(*_):
            try:
                return next(answers)
            except StopIteration:
                signal.raise_signal(signal.SIGTERM)
                return False

        monkeypatch.setattr(report, "is_writable", answer)
        assert shell("exit 3", on=full) == -signal.SIGTERM

    def test_a_reader(self):
        """All of it arrives, and the countdown where it is a terminal."""
        reading, writing = os.pipe()
        with open(writing, "w") as stream:
            assert shell("exit 3", "--attempts", "1", on=stream) == 3
        told = os.read(reading, 65536)
        os.close(reading)
        assert told.startswith(b"retrying-elegant: gave up on sh after 1 attempt in ")

    def test_the_reader_has_left(self):
        """The command runs all the same."""
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w") as stream:
            assert shell("exit 3", "--wait", "0", on=stream) == 3

    def test_the_countdown(self, full):
        """It is not drawn where it would block; nor where nobody listens."""
        report.Report(full).write_if_ready("x")
        report.Report(None).write_if_ready("x")
        reading, writing = os.pipe()
        with open(writing, "w") as stream:
            report.Report(stream).write_if_ready("x")
            assert os.read(reading, 10) == b"x"
            os.close(reading)
            report.Report(stream).write_if_ready("x")
