"""typer: decorated commands, their options and their exits."""

from __future__ import annotations

import functools
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from retrying_elegant import given_up, retry


class Flaky:
    """What a command calls: fails twice, then works."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.calls <= 2:
            raise ConnectionError("down")


work = Flaky()
network = retry(3, on=ConnectionError, wait=0)


@pytest.fixture(autouse=True)
def two_failures():
    work.calls = 0


def upload(
    path: str,
    times: Annotated[int, typer.Option(help="How many copies.")] = 1,
    quiet: bool = False,
) -> None:
    """Upload a file."""
    work()
    if not quiet:
        typer.echo(f"{path} * {times + 0}")


class Upload:
    """A callable object."""

    def __call__(self, path: str, times: int = 1) -> None:
        """Upload a file."""
        work()
        typer.echo(f"{path} * {times + 0}")


def run(command, *args, name=None):
    """The result of *command* as the only one of an application."""
    app = typer.Typer()
    app.command(name)(command)
    return CliRunner().invoke(app, args)


class TestCommands:
    """A decorated command is a command."""

    @pytest.mark.parametrize(
        "command",
        [upload, functools.partial(upload, quiet=False), Upload()],
        ids=["function", "partial", "object"],
    )
    def test_arguments_and_options(self, command):
        """Parsed by the annotations of what is decorated."""
        result = run(network(command), "a.txt", "--times", "3", name="upload")
        assert result.stdout == "a.txt * 3\n"
        assert work.calls == 3
        assert run(network(command), "a.txt", "--times", "three", name="upload").exit_code == 2

    def test_help(self):
        """The same as without `retry`."""
        plain, retried = run(upload, "--help"), run(network(upload), "--help")
        assert "How many copies." in plain.stdout
        assert retried.stdout == plain.stdout

    def test_names(self):
        """Two commands are told apart by the names of their functions."""
        app = typer.Typer()

        @app.command()
        @network
        def first() -> None:
            typer.echo("one")

        @app.command()
        @network
        def second() -> None:
            typer.echo("two")

        assert CliRunner().invoke(app, ["first"]).stdout == "one\n"
        assert CliRunner().invoke(app, ["second"]).stdout == "two\n"

    def test_the_original_error(self):
        """Reaches whoever runs the application, with the record."""
        result = run(retry(2, on=ConnectionError, wait=0)(upload), "a.txt")
        assert isinstance(result.exception, ConnectionError)
        assert given_up(result.exception).attempts == 2


class TestExit:
    """`typer.Exit` and `typer.Abort` are Exceptions: what is retried has to be named."""

    def asked(self, end, **options):
        """How often a command with such a policy is called that ends so, and its exit status."""
        calls = []

        @retry(3, wait=0, **options)
        def command() -> None:
            calls.append(True)
            raise end

        return len(calls), run(command).exit_code, len(calls)

    @pytest.mark.parametrize(("end", "status"), [(typer.Exit(7), 7), (typer.Abort(), 1)])
    @pytest.mark.parametrize("options", [{"on": ConnectionError}, {"unless": RuntimeError}])
    def test_named(self, end, status, options):
        """`on` or `unless`: one call."""
        assert self.asked(end, **options) == (0, status, 1)

    @pytest.mark.parametrize(("end", "status"), [(typer.Exit(7), 7), (typer.Abort(), 1)])
    def test_neither(self, end, status):
        """The default asks three times for the exit."""
        assert self.asked(end) == (0, status, 3)
