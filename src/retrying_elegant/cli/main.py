"""Command line: ``demo``, ``preview`` and ``run``.

Owns the options and what they mean as a policy, the drawing of ``preview``, and
how the program ends when its options are wrong or nobody reads on.  Leaves the
rest to the modules of the sub-commands.  Times are float seconds.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from math import inf

from retrying_elegant import Policy, __version__, backoff

from .run import PROGRAM, SIGNALLED, Json, Lines, Report, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from retrying_elegant._preview import Preview

_ROWS = 30  # most attempts that preview shows
_WIDTH = 60  # of its drawing, in characters
_EXPONENTIAL = ("initial", "factor", "cap", "jitter")


def main(argv: Sequence[str] | None = None) -> int:
    """
    Carry out the command line *argv*, by default that of the process.

    Returns:
        The exit status.

    Raises:
        SystemExit: the options are wrong, or ask for help or the version.
    """
    options = parse(sys.argv[1:] if argv is None else argv)
    logger = logging.getLogger("retrying_elegant")
    nobody = logging.NullHandler()  # without any, logging itself would print the warnings
    logger.addHandler(nobody)
    try:
        status: int = options.act(options)
        print(end="", flush=True)  # here, where it may fail
    except KeyboardInterrupt:
        return SIGNALLED + signal.SIGINT
    except BrokenPipeError:
        # Who read has left.  What is still in the buffer must not fail again at exit.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return SIGNALLED + 13  # as if SIGPIPE had ended it, which Python ignores
    finally:
        logger.removeHandler(nobody)
    return status


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """
    Read the command line.

    Returns:
        The options, with ``act``, the function that carries them out; for ``preview``
        and ``run`` also ``policy``, for ``run`` also ``command``.

    Raises:
        SystemExit: 2 after a usage line, or 0 after what ``--help`` asked for.
    """
    command: list[str] = []
    if argv[:1] == ["run"] and "--" in argv:
        border = list(argv).index("--")
        argv, command = argv[:border], list(argv[border + 1 :])
    options = _parser().parse_args(argv)
    if options.act is not _demo:
        options.policy = _policy(options)
    if options.act is _run:
        if options.words or not command:
            options.parser.error("write `--` and the command after the options")
        options.command = command
    return options


def _parser() -> argparse.ArgumentParser:
    seconds = _number("a number of seconds, 0 or more", lambda n: 0 <= n < inf)
    limit = _number("a positive number of seconds", lambda n: 0 < n < inf)

    policy = argparse.ArgumentParser(add_help=False)
    group = policy.add_argument_group("policy")
    group.add_argument(
        "--attempts",
        type=_attempts,
        metavar="N",
        help="most attempts, the first included; 0: no limit "
        "(default: 5, or no limit where --timeout is given)",
    )
    group.add_argument(
        "--timeout",
        type=limit,
        metavar="S",
        help="seconds within which the last attempt must start",
    )
    group.add_argument(
        "--attempt-timeout",
        type=limit,
        metavar="S",
        help="seconds after which a running attempt is ended, and has failed",
    )
    group.add_argument(
        "--wait",
        type=_waits(seconds),
        metavar="S[,S...]",
        help="seconds to wait before each retry; the last repeats",
    )
    group.add_argument(
        "--initial", type=seconds, metavar="S", help="first wait, in seconds (default: 0.5)"
    )
    group.add_argument(
        "--factor",
        type=_number("a finite number above 0", lambda n: 0 < n < inf),
        metavar="F",
        help="what each wait is multiplied by to give the next (default: 2)",
    )
    group.add_argument(
        "--cap", type=seconds, metavar="S", help="longest wait, in seconds (default: 30)"
    )
    group.add_argument(
        "--jitter",
        type=_number("a share between 0 and 1", lambda n: 0 <= n <= 1),
        metavar="SHARE",
        help="how much of each wait is random, 0 to 1 (default: 1)",
    )

    parser = argparse.ArgumentParser(
        PROGRAM, description="Retries: shown, drawn, and for any command.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    parser.set_defaults(act=_demo)
    commands = parser.add_subparsers(metavar="demo | preview | run", title="commands")

    text = "show the library riding out a server that fails (the default)"
    made = commands.add_parser("demo", help=text, description=text)

    text = "show what a policy would wait, as a table and as a drawing"
    made = commands.add_parser(
        "preview", help=text, description=text, parents=[policy], allow_abbrev=False
    )
    made.set_defaults(act=_preview, parser=made)

    text = "run a command until it exits 0"
    made = commands.add_parser(
        "run",
        help=text,
        description=f"{text}. The exit status is that of its last attempt.",
        usage=f"{PROGRAM} run [options] -- COMMAND ...",
        parents=[policy],
        allow_abbrev=False,
    )
    made.set_defaults(act=_run, parser=made)
    made.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    made.add_argument(
        "--on-exit",
        type=_list(_status),
        metavar="CODES",
        help="the exit statuses to retry, separated by commas (default: all but 0)",
    )
    told = made.add_mutually_exclusive_group()
    told.add_argument("--quiet", action="store_true", help="do not tell of retries")
    told.add_argument(
        "--json", action="store_true", help="tell of them in JSON, one object on each line"
    )
    return parser


def _policy(options: argparse.Namespace) -> Policy:
    """Give the policy that *options* spell out."""
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
    )


def _number(rule: str, fits: Callable[[float], bool]) -> Callable[[str], float]:
    """Give a reader of numbers for argparse that refuses those that break *rule*."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = -inf
        if not fits(number):
            raise argparse.ArgumentTypeError(f"{text!r}: expected {rule}")
        return number

    return read


def _attempts(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number, or 0 for no limit")
    return number


def _status(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= 255:
        raise argparse.ArgumentTypeError(f"{text!r}: expected exit statuses from 1 to 255")
    return number


def _list(read: Callable[[str], float]) -> Callable[[str], list[float]]:
    return lambda text: [read(item) for item in text.split(",")]


def _waits(read: Callable[[str], float]) -> Callable[[str], float | list[float]]:
    # One wait is a number, so that the policy shows as one would write it.
    return lambda text: _list(read)(text) if "," in text else read(text)


def _demo(options: argparse.Namespace) -> int:
    from .demo import demo  # with asyncio and urllib, which only it needs

    return demo(sys.stdout)


def _preview(options: argparse.Namespace) -> int:
    limit = options.policy.attempts
    preview = options.policy.preview(None if limit is None else _ROWS)
    print(preview)
    if limit is not None and limit > _ROWS:
        print(f"and so on, {limit} attempts in all")
    for line in drawing(preview, getattr(sys.stdout, "encoding", None)):
        print(line)
    return 0


def drawing(preview: Preview, encoding: str | None) -> list[str]:
    """
    Draw the waits of *preview*: a bar from the least to the greatest wait before each retry.

    Args:
        encoding: Of where it is shown; ASCII does where this has nothing better.
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
    lines = ["", f"retry  waits from 0 to {longest:g} s ({mean} = mean)"]
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
