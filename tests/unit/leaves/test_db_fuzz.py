"""What fuzzing looks for in ``db``, for a moment: the same cases, made from a few hundred bytes.

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
import fuzz_db_cases
from db_parts import WRAPPERS, made, meaning

from retrying_elegant import db

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


class TestAnyError:
    """Never both, nothing unknown, and nothing that an error does when it is looked at gets out."""

    @given(st.binary(max_size=300))
    def test_from_bytes(self, data):
        """Asked twice, the same twice; through a wrapper and in a group, the same."""
        fuzz_db_cases.check(data)

    @given(names, names, st.integers() | st.text() | st.none())
    def test_nothing_unknown(self, package, name, code):
        """Any class of a package that is not in the tables, whatever its code."""
        args = (code, code)
        error = made(f"{package}_.{name}", args=args, sqlstate=code, pgcode=code, errno=code)
        assert meaning(error) == "neither"

    @given(st.text("0123456789ABCDEFHPSY", min_size=5, max_size=5))
    def test_any_state_means_the_same_everywhere(self, state):
        """In each driver, and through each wrapper."""
        inside = made("psycopg.Error", sqlstate=state)
        expected = meaning(inside)
        assert meaning(made("asyncpg.PostgresError", sqlstate=state)) == expected
        assert meaning(made("psycopg2.Error", pgcode=state)) == expected
        assert {meaning(wrap(inside)) for wrap in WRAPPERS} == {expected}


class TestTheFuzzing:
    """A search that could find nothing would pass everything."""

    def test_errors_of_every_kind_are_looked_for(self):
        """Conflicts, disconnects and neither."""
        chance = random.Random(1)
        data = [chance.randbytes(60) for _ in range(2_000)]
        errors = [fuzz_db_cases.an_error(fuzz_cases.Choices(some)) for some in data]
        found = [meaning(error) for error in errors]
        assert min(map(found.count, ("conflict", "disconnected", "neither"))) >= 50

    @pytest.mark.parametrize("predicate", ["conflict", "disconnected"])
    def test_a_wrong_answer_is_found(self, predicate, monkeypatch):
        """A predicate that is true of everything."""
        monkeypatch.setattr(db, predicate, lambda error: True)
        chance = random.Random(1)
        with pytest.raises(AssertionError):
            for _ in range(100):
                fuzz_db_cases.check(chance.randbytes(60))
