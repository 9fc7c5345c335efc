"""Contract 10: reentrant.  The stress command, for seconds, on every interpreter that is here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import retrying_elegant

STRESS = Path(__file__).with_name("stress.py")
SOURCE = Path(retrying_elegant.__file__).parents[1]
VERSIONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]
SECONDS = 3


def interpreter(version: str) -> str | None:
    """The path of that Python, from where .ci/run looks for it."""
    if version == "{}.{}".format(*sys.version_info):
        return sys.executable
    pyenv = sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python"))
    for candidate in (f"python{version}", *pyenv, f"/opt/pythons/bin/python{version}"):
        found = shutil.which(candidate)
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            return found
    return None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
class TestReentrancy:
    """Handlers, finalizers, threads and forked children on one budget."""

    @pytest.mark.parametrize("version", VERSIONS)
    def test_no_token_is_lost_and_nothing_hangs(self, version):
        """Each of them has retried, and what is left is known to the thousandth."""
        python = interpreter(version)
        if python is None:
            pytest.skip(f"no Python {version} here")
        done = subprocess.run(
            [python, "-W", "ignore", str(STRESS), str(SECONDS)],
            env={**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.fullmatch(
            rf"CPython {re.escape(version)}\.\S+, {SECONDS} s: \d+ retries of calls .*; "
            r"\d+ forks and \d+ by handlers, 0 of them failed; 0 tokens lost\n",
            done.stdout,
        )
