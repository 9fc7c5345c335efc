"""The page for those who come from another library: each row is played, and none is missing.

Needs tenacity, stamina, backoff, retrying, retry2, opnieuw and google-api-core; some rows
prometheus-client and structlog.  No test waits.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest
from freezegun import freeze_time

sys.path.append(str(Path(__file__).parents[1] / "unit"))

import documents
from coming_from import playing, tables
from coming_from.rows import Row

# What theirs warn of, in the newest Pythons, is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

LUCK = 0.5  # where both sides draw the same, whichever end they draw from
ENDS = (0.001, 0.999)

LIBRARIES = tables.libraries()
CASES = [
    pytest.param(library, table, row, id=f"{library.name}-{table.title}-{row.theirs[:50]!r}")
    for library in LIBRARIES
    for table in library.tables
    for row in table.rows
    if isinstance(row, Row)
]


@pytest.fixture(scope="module")
def clock():
    """A clock that only the scripts and the sleeps of theirs move."""
    with freeze_time("2030-01-01", real_asyncio=True, ignore=["_pytest.timing"]) as clock:
        yield clock


@pytest.fixture(scope="module")
def page():
    return tables.PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def names():
    """What the code blocks of the page define."""
    namespace = {"__name__": "coming-from"}
    for block in documents.blocks(tables.PAGE):
        exec(compile(block.code, str(tables.PAGE), "exec"), namespace)
    return namespace


@pytest.fixture
def players(clock, names, library):
    """What plays a row of *library*, if that is installed."""
    for module in library.modules:
        pytest.importorskip(module, reason=f"the package of {module} is not installed")
    library.reset()
    return {"clock": clock, "names": names}


def both(library, table, row, luck, **how):
    return [playing.play(library, table, row, side, luck, **how) for side in (0, 1)]


def compare(row, theirs, ours):
    """Check that the two traces are alike, but for what the row says."""
    for field in ("calls", "pauses", "outcome", "seen", "logged"):
        a, b = getattr(theirs, field), getattr(ours, field)
        if field in row.differ:
            if field == "calls":
                a, b = len(a), len(b)
            assert (field, a, b) == (field, *row.differ[field])
        elif field not in row.ignored:
            assert a == b, field


class TestRows:
    """Both sides of a row do the same, or differ as the row says."""

    @pytest.mark.parametrize(("library", "table", "row"), CASES)
    def test_alike(self, library, table, row, players):
        """The same attempts, waits, outcome, callbacks and log levels."""
        theirs, ours = both(library, table, row, LUCK, **players)
        assert theirs.calls or theirs.seen, "the row does nothing"
        compare(row, theirs, ours)

    @pytest.mark.parametrize(("library", "table", "row"), CASES)
    def test_waits_are_drawn_from_the_same_range(self, library, table, row, players):
        """At the ends of what chance can give; which end is which does not matter."""
        low = both(library, table, row, ENDS[0], **players)
        high = both(library, table, row, ENDS[1], **players)
        theirs, ours = (
            [sorted(pair) for pair in zip(*ends, strict=False)]
            for ends in (
                [each.pauses for each in (low[0], high[0])],
                [each.pauses for each in (low[1], high[1])],
            )
        )
        if not {"pauses", "calls"} & {*row.differ, *row.ignored}:
            assert ours == [pytest.approx(pair, abs=1e-5) for pair in theirs]

    @pytest.mark.parametrize(
        ("library", "table", "row"),
        [
            case
            for case in CASES
            if case.values[0].has_async
            and not case.values[2].sync_only
            and case.values[1].details is None
            and all(
                playing.is_keywords(text) or playing.is_decorator(text)
                for text in (case.values[2].theirs, case.values[2].ours)
            )
        ],
    )
    def test_alike_with_a_coroutine_function(self, library, table, row, players):
        """Keywords and decorators mean the same above an ``async def``."""
        compare(row, *both(library, table, row, LUCK, **players, asynchronous=True))

    @pytest.mark.parametrize(
        ("library", "table", "row"),
        [
            case
            for case in CASES
            if playing.is_keywords(case.values[2].theirs) and case.values[1].details is None
        ],
    )
    def test_the_script_shows_what_the_keywords_do(self, library, table, row, players):
        """Without them it would have gone differently, or they are what holds anyway."""
        with_them = playing.play(library, table, row, 0, LUCK, **players)
        without = playing.play_text(library, row, 0, "", LUCK, **players)
        assert (with_them == without) is row.default


class TestPage:
    """The page and the rows say the same, and leave nothing out."""

    @pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
    def test_its_tables_are_those_of_the_rows(self, library, page):
        """If not: ``python -m coming_from.tables`` in tests/integration writes them."""
        text = tables.section(page, library.name)
        titles = re.findall(r"^### (.+)$", text, re.MULTILINE)
        assert titles == [table.title for table in library.tables]
        for table in library.tables:
            assert tables.found_table(text, table.title) == tables.markdown(library, table)
        assert len(re.findall(r"^\|---", text, re.MULTILINE)) == len(library.tables)

    def test_rows_that_differ_say_so(self):
        """And no others do."""
        rows = [case.values[2] for case in CASES]
        assert [r for r in rows if bool(r.differ) is not r.note.startswith("Not the same")] == []

    @pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
    def test_no_public_name_is_missing(self, library, page, players):
        """All parameters, strategies and attributes of what is installed stand on their side."""
        lines = tables.section(page, library.name).replace(r"\|", " ").splitlines()
        cells = [tables.code_spans(line.split("|")[1]) for line in lines if line.startswith("| ")]
        missing = set()
        for wanted in library.public():
            words = (wanted,) if isinstance(wanted, str) else wanted
            if not any(
                all(re.search(rf"\b{re.escape(word)}\b", cell) for word in words) for cell in cells
            ):
                missing.add(wanted)
        assert missing == set()

    def test_public_names_are_found(self):
        """Looking in the wrong place would find nothing missing."""
        for library in LIBRARIES:
            if all(module in sys.modules for module in library.modules):
                assert len(library.public()) >= 9, library.name


def test_theirs_are_not_waited_for(clock):
    """The stand-ins for sleeping are not left behind."""
    import time

    assert "Stage" not in repr(time.sleep)
    assert "Stage" not in repr(asyncio.sleep)
