"""What fuzzing looks for in names, texts and records, for a moment: the same cases from few bytes.

``python tests/fuzz/fuzz.py records`` looks longer, and is led by what the library runs through.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[2] / "fuzz"))

import fuzz_record_cases


class TestWhateverComesFromOutside:
    """Folded to one line, cut, and escaped; a forged record is None, and nothing raises."""

    @given(st.binary(max_size=120))
    def test_from_bytes(self, data):
        """Names of classes, functions and policies, texts of errors, and records."""
        fuzz_record_cases.check(data)
