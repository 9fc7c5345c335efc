"""Commands to run, and a terminal to look at: for the tests of the command line."""

from __future__ import annotations

import contextlib
import io
import sys

from retrying_elegant.cli import main


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
