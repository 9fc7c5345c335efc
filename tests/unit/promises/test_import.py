"""Contract 15: what importing the package costs others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import retrying_elegant

SOURCE = Path(retrying_elegant.__file__).parent.parent

USES = {
    "import": "",
    "decorate": "retrying_elegant.retry(3)(print)",
    "call": "retrying_elegant.retry(lambda: None)()",
    "loop": "for attempt in retrying_elegant.retrying():\n    with attempt: pass",
    "block": "with retrying_elegant.retrying() as call: call(int)",
}


def imported_by(code):
    """The modules that a bare interpreter has after *code* and had not before."""
    program = f"""
import json, sys
sys.path.insert(0, {str(SOURCE)!r})
before = set(sys.modules)
import retrying_elegant
{code}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    bare = [sys.executable, "-I", "-S", "-c", program]
    answer = subprocess.run(bare, check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)


@pytest.mark.parametrize("code", USES.values(), ids=USES)
class TestImport:
    """Import: no third-party package, and no asyncio until async is used."""

    def test_no_third_party_module(self, code):
        """The standard library and the package itself."""
        foreign = {name.partition(".")[0] for name in imported_by(code)}
        assert foreign - sys.stdlib_module_names == {"retrying_elegant"}

    def test_no_slow_module(self, code):
        """Those that take more than a few milliseconds wait until they are needed."""
        slow = {"asyncio", "logging", "typing", "dataclasses", "inspect", "enum"}
        assert slow.isdisjoint(imported_by(code))


class TestNames:
    """The package lists what it imports only when it is used."""

    def test_completion(self):
        """`dir` has every public name once, and imports none of these modules."""
        listed = """
names = dir(retrying_elegant)
assert {*retrying_elegant.__all__, "__version__"} < {*names}
assert len({*names}) == len(names)
"""
        assert "retrying_elegant.web" not in imported_by(listed)
