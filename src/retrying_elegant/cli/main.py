"""Main: the options of ``demo``, ``preview`` and ``run``, and how the program ends.

Owns what the options mean as a policy, the drawing of ``preview``, and what happens
when options are wrong or the output cannot be written.  Leaves the rest to the modules
of the sub-commands.  Times are float seconds.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from math import inf

from retrying_elegant import Policy, __version__, backoff
from retrying_elegant._text import one_line

from .output import PROGRAM, OutputError, brief, complain, write
from .report import Json, Lines, Report
from .run import run
from .signals import SIGNALED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from retrying_elegant._preview import Preview

_ROWS = 30  # most attempts that preview shows
_WIDTH = 60  # of its drawing, in characters
_EXPONENTIAL = ("initial", "factor", "cap", "jitter")
_RUN = f"{PROGRAM} run [options] -- COMMAND ..."
_SWITCHES = {"-h", "--help", "--quiet", "--json"}  # the options of run that take no value
_LONGEST = 400  # characters of a message


def script() -> NoReturn:
    """Run the command line of this process, and end the process."""
    status = main()
    sys.exit(status if status >= 0 else die_by(-status))


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command line *argv*, by default that of the process.

    Returns:
        The exit status; -n if signal n ended it, so the process should die by that signal.

    Raises:
        SystemExit: the options are wrong, or request help or the version.
    """
    logger = logging.getLogger("retrying_elegant")
    silent = logging.NullHandler()  # without a handler, logging would print the warnings itself
    logger.addHandler(silent)
    try:
        options = parse(sys.argv[1:] if argv is None else argv)
        status: int = options.act(options)
        if sys.stdout is not None:
            write(sys.stdout, "")  # flush it here, where a failure is handled
    except KeyboardInterrupt:
        return -signal.SIGINT
    except OutputError as error:
        _discard_output()
        if error.has_no_reader:
            return SIGNALED + 13  # as if by SIGPIPE, which Python ignores
        complain(f": standard output: {error}")
        return 1
    finally:
        logger.removeHandler(silent)
    return status


def die_by(number: int) -> int:
    """
    End this process by signal *number*, so that a shell's loop ends as well.

    Returns:
        The exit status to end with if the signal does not end the process: on Windows, and in
        the first process of a container.
    """
    if os.name == "posix":
        import resource

        # A core dump would be that of this program, not of the command.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return SIGNALED + number


def _discard_output() -> None:
    """Discard what is in the buffer of standard output, so that it does not fail again at exit."""
    if sys.stdout is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """
    Read the command line.

    Returns:
        The options, with ``act``, the function that executes them; for ``preview`` and
        ``run`` also ``policy``, for ``run`` also ``command``.

    Raises:
        SystemExit: 2 after a usage line, or 0 after the output of ``--help``.
    """
    command: list[str] = []
    if argv[:1] == ["run"]:
        argv, command = _split(argv)
    options = _parser().parse_args(argv)
    if options.act is not _demo:
        options.policy = _policy(options)
    if options.act is _run:
        if not command:
            _reject(f"a command is missing: write {_RUN}")
        if not command[0]:
            _reject(f"the command is an empty string: write {_RUN}")
        options.command = command
    return options


def _split(argv: Sequence[str]) -> tuple[Sequence[str], list[str]]:
    """Split the command line of ``run`` at its ``--``, into the options and the command."""
    border = list(argv).index("--") if "--" in argv else len(argv)
    options, command = argv[:border], list(argv[border + 1 :])
    words = iter(options[1:])
    for word in words:
        if not word.startswith("-"):
            usage = _RUN.replace("COMMAND", one_line(word))
            _reject(f"options come first, then `--`, then the command: write {usage}")
        if word not in _SWITCHES and "=" not in word:
            next(words, None)  # its value
    return options, command


def _reject(message: str) -> NoReturn:
    """Raise SystemExit after one line that says what to write."""
    complain(f" run: {message}")
    raise SystemExit(2)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with a usage line and *message*, in which control characters are escaped."""
        if sys.stderr is None:
            raise SystemExit(2)  # argparse would write the usage line to standard output
        super().error(one_line(message, _LONGEST))

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End, after flushing the help if it was requested."""
        if sys.stdout is not None:
            write(sys.stdout, "")
        super().exit(status, message)


def _parser() -> argparse.ArgumentParser:
    how = "such as 500ms, 30s, 1m or 2h; a bare number is seconds"
    seconds = _number(f"a duration of 0 or more, {how}", lambda n: 0 <= n < inf, _duration)
    limit = _number(f"a positive duration, {how}", lambda n: 0 < n < inf, _duration)

    policy = _Parser(add_help=False)
    group = policy.add_argument_group(
        "policy", "Durations (S) are seconds, or have a unit: 500ms, 30s, 1m, 2h."
    )
    group.add_argument(
        "--attempts",
        type=_attempts,
        metavar="N",
        help="the maximum number of attempts, including the first; 0: no limit "
        "(default: 5, or no limit with --timeout)",
    )
    group.add_argument(
        "--timeout",
        type=limit,
        metavar="S",
        help="the last attempt starts before this much time has passed",
    )
    group.add_argument(
        "--attempt-timeout",
        type=limit,
        metavar="S",
        help="end an attempt that takes longer; it has failed",
    )
    group.add_argument(
        "--wait",
        type=_waits(seconds),
        metavar="S[,S...]",
        help="the wait before each retry; the last one repeats",
    )
    group.add_argument(
        "--initial", type=seconds, metavar="S", help="the first wait (default: 500ms)"
    )
    group.add_argument(
        "--factor",
        type=_number("a finite number above 0", lambda n: 0 < n < inf),
        metavar="F",
        help="what each wait is multiplied by to get the next (default: 2)",
    )
    group.add_argument("--cap", type=seconds, metavar="S", help="the longest wait (default: 30s)")
    group.add_argument(
        "--jitter",
        type=_number("a share between 0 and 1", lambda n: 0 <= n <= 1),
        metavar="SHARE",
        help="the share of each wait that is random, 0 to 1 (default: 1)",
    )

    parser = _Parser(
        PROGRAM,
        description="Retries: a demonstration, a preview, and retries for any command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    parser.set_defaults(act=_demo)
    commands = parser.add_subparsers(metavar="demo | preview | run", title="commands")

    text = "show the library coping with a server that fails (the default)"
    made = commands.add_parser("demo", help=text, description=text)

    text = "show the waits of a policy, as a table and as a drawing"
    made = commands.add_parser(
        "preview", help=text, description=text, parents=[policy], allow_abbrev=False
    )
    made.set_defaults(act=_preview, parser=made)

    text = "run a command until it exits 0"
    made = commands.add_parser(
        "run",
        help=text,
        description=f"{text}. The exit status is that of its last attempt.",
        usage=_RUN,
        parents=[policy],
        allow_abbrev=False,
    )
    made.set_defaults(act=_run, parser=made)
    made.add_argument(
        "--reset-after",
        type=limit,
        metavar="S",
        help="an attempt that ran this long was healthy: its failure is the first of a new series",
    )
    made.add_argument(
        "--on-exit",
        type=_list(_status),
        metavar="CODES",
        help="the exit statuses to retry, separated by commas (default: all but 0)",
    )
    reports = made.add_mutually_exclusive_group()
    reports.add_argument("--quiet", action="store_true", help="do not report retries")
    reports.add_argument(
        "--json", action="store_true", help="report them in JSON, one object per line"
    )
    return parser


def _policy(options: argparse.Namespace) -> Policy:
    """Return the policy that *options* describe."""
    rule = {name: value for name in _EXPONENTIAL if (value := getattr(options, name)) is not None}
    if options.wait is not None and rule:
        names = ", ".join(f"--{name}" for name in rule)
        options.parser.error(f"not allowed together: --wait and {names}")
    if options.attempts is None:
        attempts = 5 if options.timeout is None else None
    else:
        attempts = options.attempts or None
    return Policy(
        attempts,
        wait=backoff.exponential(**rule) if options.wait is None else options.wait,
        timeout=options.timeout,
        attempt_timeout=options.attempt_timeout,
        reset_after=getattr(options, "reset_after", None),  # preview has no such option
    )


def _number(
    rule: str, fits: Callable[[float], bool], convert: Callable[[str], float] = float
) -> Callable[[str], float]:
    """Return a converter for argparse that rejects numbers that break *rule*."""

    def read(text: str) -> float:
        number = _converted(text, convert)
        if number is None or not fits(number):
            raise argparse.ArgumentTypeError(f"{text!r}: expected {rule}")
        return number

    return read


def _converted(text: str, convert: Callable[[str], float]) -> float | None:
    # Python's own conversions accept too much: 1_0, " 1", and the digits of other scripts.
    if not text.isascii() or "_" in text or text.split() != [text]:
        return None
    try:
        return convert(text)
    except ValueError:
        return None


def _duration(text: str) -> float:
    if text.endswith("ms"):
        return float(text[:-2]) / 1000
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:])
    return float(text) if unit is None else float(text[:-1]) * unit


def _attempts(text: str) -> int:
    number = _converted(text, int)
    if number is None or number < 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number, or 0 for no limit")
    return int(number)


def _status(text: str) -> int:
    number = _converted(text, int)
    if number is None or not 1 <= number <= 255:
        raise argparse.ArgumentTypeError(f"{text!r}: expected exit statuses from 1 to 255")
    return int(number)


def _list(read: Callable[[str], float]) -> Callable[[str], list[float]]:
    return lambda text: [read(item) for item in text.split(",")]


def _waits(read: Callable[[str], float]) -> Callable[[str], float | list[float]]:
    # A single wait stays a number, so that the policy is shown as you would write it.
    return lambda text: _list(read)(text) if "," in text else read(text)


def _demo(options: argparse.Namespace) -> int:
    from .demo import demo  # imports asyncio and urllib, which only it needs

    write(sys.stdout, "")  # fails if it is closed
    return demo(sys.stdout)


def _preview(options: argparse.Namespace) -> int:
    limit = options.policy.attempts
    preview = options.policy.preview(None if limit is None else _ROWS)
    lines = [str(preview)]
    if limit is not None and limit > _ROWS:
        lines.append(f"and so on, {limit} attempts in all")
    lines += drawing(preview, getattr(sys.stdout, "encoding", None))
    write(sys.stdout, "\n".join(lines) + "\n")
    return 0


def drawing(preview: Preview, encoding: str | None) -> list[str]:
    """
    Draw the waits of *preview*: a bar from the shortest to the longest wait before each retry.

    Args:
        encoding: The encoding of the output, which may support ASCII only.
    """
    retries = preview.rows[1:]
    longest = max((row.wait_high for row in retries), default=0)
    if not longest:
        return []
    bar, mean = "\u2591", "\u2588"
    try:
        f"{bar}{mean}".encode(encoding or "ascii")
    except UnicodeEncodeError:
        bar, mean = "-", "|"
    lines = ["", f"retry  waits from 0 to {brief(longest)} s ({mean} = mean)"]
    scale = (_WIDTH - 1) / longest
    for row in retries:
        low, middle, high = (
            round(wait * scale) for wait in (row.wait_low, row.wait_mean, row.wait_high)
        )
        line = " " * low + bar * (high - low + 1)
        lines.append(f"{row.number - 1:>5}  {line[:middle]}{mean}{line[middle + 1 :]}")
    return lines


def _run(options: argparse.Namespace) -> int:
    kind = Json if options.json else Report if options.quiet else Lines
    report = kind(sys.stderr)
    return run(options.command, options.policy, report, on_exit=options.on_exit)
