"""The page for those who come from retries of HTTP clients: each row is played over the wire.

Needs requests, aiohttp, aiohttp-retry, httpx, httpx-retries and boto3.  No test waits.
"""

from __future__ import annotations

import dataclasses
import re

import pytest
from coming_from import tables
from coming_from.http_playing import CUT, Answer, HttpLibrary, HttpRow, play

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

LIBRARIES = tables.http_libraries()
CASES = [
    pytest.param(library, row, id=f"{library.name}-{row.theirs[:60]}-{number}")
    for library in LIBRARIES
    for table in library.tables
    for number, row in enumerate(table.rows)
    if isinstance(row, HttpRow)
]


def compare(row, theirs, ours):
    """Check that the two traces are alike, but for what the row says."""
    for field in dataclasses.fields(theirs):
        a, b = getattr(theirs, field.name), getattr(ours, field.name)
        if field.name == "waits":  # one of no time is none
            a, b = [wait for wait in a if wait], [wait for wait in b if wait]
        expected = row.differ.get(field.name, (a, a))
        assert (a, b) == tuple(expected), field.name


@pytest.fixture
def installed(library):
    """Skip a row whose packages are missing."""
    for module in library.modules:
        pytest.importorskip(module, reason=f"the package of {module} is not installed")


class TestRows:
    """Both sides of a row send as many requests, wait as long and end alike, or as the row says."""

    @pytest.mark.parametrize(("library", "row"), CASES)
    @pytest.mark.usefixtures("installed")
    def test_alike(self, library, row):
        """Against a server that fails as the row says."""
        theirs, ours = (play(library, row, side) for side in (0, 1))
        assert theirs.sent
        compare(row, theirs, ours)

    @pytest.mark.parametrize(("library", "row"), CASES)
    @pytest.mark.usefixtures("installed")
    def test_waits_are_drawn_from_the_same_range(self, library, row):
        """Also at the upper end of what chance can give."""
        if "waits" not in row.differ and "sent" not in row.differ:
            theirs, ours = (play(library, row, side, luck=0.999) for side in (0, 1))
            shown = [wait for wait in ours.waits if wait]
            other = [wait for wait in theirs.waits if wait]
            # Ours are drawn downward from the limit, some of theirs upward.
            low = [wait for wait in play(library, row, 1, luck=0.001).waits if wait]
            assert other == pytest.approx(shown, rel=0.01) or other == pytest.approx(low, rel=0.01)


class TestPage:
    """The page and the rows say the same."""

    @pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
    def test_its_tables_are_those_of_the_rows(self, library):
        """If not: ``python -m coming_from.tables`` in tests/integration writes them."""
        text = tables.section(tables.PAGE.read_text(encoding="utf-8"), library.name)
        titles = re.findall(r"^### (.+)$", text, re.MULTILINE)
        assert titles == [table.title for table in library.tables]
        for table in library.tables:
            assert tables.found_table(text, table.title) == tables.markdown(library, table)

    def test_rows_that_differ_say_so(self):
        """And no others do."""
        rows = [case.values[1] for case in CASES]
        assert [r for r in rows if bool(r.differ) is not r.note.startswith("Not the same")] == []


class TestPlaying:
    """What is compared is what happened."""

    LIBRARY = HttpLibrary(
        name="by hand",
        modules=(),
        imports="import time\nfrom urllib.request import urlopen",
        templates=("{}", "{}"),
        tables=(),
    )

    def test_requests_waits_and_status(self):
        """All of them, in order."""
        code = (
            "for seconds in (1, 2):\n"
            "    try:\n"
            "        response = urlopen(url)\n"
            "    except OSError as error:\n"
            "        getattr(error, 'close', list)()\n"
            "        time.sleep(seconds)\n"
            "response = urlopen(url)\n"
            "response.close()"
        )
        row = HttpRow(code, code, script=(Answer(503), CUT, Answer(200)))
        trace = play(self.LIBRARY, row, 0)
        assert (trace.sent, trace.waits, trace.ended) == (3, [1, 2], 200)

    def test_an_error(self):
        """It ends a side."""
        row = HttpRow("response = urlopen(url + 'x')", "", script=(CUT,))
        assert play(self.LIBRARY, row, 0).ended == "an error"
