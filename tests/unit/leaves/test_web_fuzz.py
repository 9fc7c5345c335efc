"""What fuzzing looks for in ``web``, for a moment: the same cases, made from a few hundred bytes.

``python tests/fuzz/fuzz.py`` looks longer, and is led by what the library runs through.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[2] / "fuzz"))

import fuzz_cases
import fuzz_oracle

from retrying_elegant import web

some_bytes = st.binary(max_size=400)


class TestRetryAfter:
    """Seconds from an error, a response or a mapping of headers, or None; and nothing else."""

    @given(some_bytes)
    def test_any_source(self, data):
        """The answer is that of another reading of the standard, whatever holds the header."""
        fuzz_cases.check_retry_after(fuzz_cases.retry_after_case(data))


class TestTransient:
    """A verdict on any error, and nothing that it does when it is looked at gets out."""

    @given(some_bytes)
    def test_any_error(self, data):
        """True, False, or a hint that is not above the limit; asked twice, the same twice."""
        fuzz_cases.check_transient(data)


class TestTheFuzzing:
    """A search that could find nothing would pass everything."""

    def test_answers_of_every_kind_are_looked_for(self):
        """No hint, one in the past, and seconds; and errors that are transient, or are not."""
        chance = random.Random(1)
        data = [chance.randbytes(60) for _ in range(1_000)]
        hints = [fuzz_cases.retry_after_case(some).expected for some in data]
        assert min(hints.count(None), hints.count(0.0)) >= 50
        assert sum(1 for hint in hints if hint) >= 50
        errors = [fuzz_cases.a_failure(fuzz_cases.Choices(some)) for some in data]
        verdicts = [bool(web.transient(error)) for error in errors]
        assert min(verdicts.count(True), verdicts.count(False)) >= 50

    def test_a_wrong_answer_is_found(self, monkeypatch):
        """One second too many, in a case that has an answer."""
        case = fuzz_cases.Case(0.0, "7", {"Retry-After": "7"}, 7.0)
        fuzz_cases.check_retry_after(case)
        right = web.retry_after
        monkeypatch.setattr(web, "retry_after", lambda source: right(source) + 1)
        with pytest.raises(AssertionError):
            fuzz_cases.check_retry_after(case)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("120", 120.0),
            (" \t7\t", 7.0),
            ("9" * 5_000, sys.float_info.max),
            ("Thu, 01 Jan 1970 00:00:10 GMT", 10.0),
            ("Thursday, 01-Jan-70 00:00:10 GMT", 10.0),
            ("Thu Jan  1 00:00:10 1970", 10.0),
            ("Wed, 31 Dec 1969 23:59:60 GMT", 0.0),
            ("Friday, 31-Dec-71 23:59:60 GMT", 2 * 365 * 86_400.0),
            ("Wednesday, 01-Jan-20 00:00:00 GMT", 50 * 365 * 86_400.0 + 12 * 86_400.0),
            ("Thursday, 01-Jan-20 00:00:01 GMT", 0.0),
            ("Thu, 29 Feb 1970 00:00:10 GMT", None),
            ("Thu, 1 Jan 1970 00:00:10 GMT", None),
            ("+7", None),
            ("7\n", None),
            ("²", None),
        ],
    )  # fmt: skip
    def test_the_other_reading_is_right(self, text, expected):
        """Worked out by hand, seen from the beginning of 1970."""
        assert fuzz_oracle.seconds(text, 0.0) == expected
