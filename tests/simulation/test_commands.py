"""The commands that make the tables and figures of the documentation."""

from pathlib import Path
from xml.etree import ElementTree

import charts
import contention
import failure_rates
import jitter
import layers
import outage
import pytest
import report

DOCS = Path(__file__).parents[2] / "docs"

# The commands, their figures and pages, and what of a long one is run here.
COMMANDS = [
    pytest.param(contention, "contention", "backoff.md", {"CLIENTS": (10, 40)}, id="contention"),
    pytest.param(jitter, "jitter", "backoff.md", {}, id="jitter"),
    pytest.param(outage, "outage", "budgets.md", {}, id="outage"),
    pytest.param(failure_rates, "failure-rates", "budgets.md", {"PERCENT": (10, 50)}, id="rates"),
    pytest.param(layers, "layers", "layers.md", {}, id="layers"),
]


@pytest.mark.parametrize(("command", "figure", "page", "part"), COMMANDS)
class TestCommand:
    """Each simulation is also a command: it prints its table and draws its figure."""

    def test_the_documentation_shows_what_it_prints(
        self, monkeypatch, tmp_path, capsys, command, figure, page, part
    ):
        """Every row of the table stands in the page, and so does the figure."""
        figures = tmp_path / "docs" / "figures"
        monkeypatch.setattr(report, "FIGURES", figures)
        for name, value in part.items():
            monkeypatch.setattr(command, name, value)
        command.main()
        printed = capsys.readouterr().out
        rows = [line.replace(" ", "") for line in printed.splitlines() if line[-2:] == " |"]
        text = (DOCS / page).read_text(encoding="utf-8")
        assert len(rows) >= 3
        assert set(rows[:1] + rows[2:]) <= set(text.replace(" ", "").splitlines())
        assert "Seed 20241120" in printed
        assert f"(figures/{figure}.svg)" in text
        drawn = (figures / f"{figure}.svg").read_text(encoding="utf-8")
        if not part:
            assert drawn == (DOCS / "figures" / f"{figure}.svg").read_text(encoding="utf-8")


class TestFigure:
    """A figure is well-formed, brings its own paper, and has colours for light and dark."""

    @pytest.mark.parametrize("log", [False, True])
    def test_lines(self, log):
        """One path for each line of each panel and the legend, and the names escaped."""
        series = {"a & b": [(0, 1), (1, 10)], "c": [(0, 2), (1, 200)]}
        text = charts.svg("x < y", [charts.Panel("title", "x", series, log=log)] * 2)
        root = ElementTree.fromstring(text)
        drawn = [
            path for path in root.findall(".//{*}path") if path.get("class").startswith("line")
        ]
        assert len(drawn) == 2 + 2 * 2
        assert "prefers-color-scheme:dark" in text

    def test_dots(self):
        """One dot for each time of each line, in its place, and one for each name of a series."""
        bands = [charts.Band("a & b", [[1, 2], [5]]), charts.Band("c", [[10]])]
        root = ElementTree.fromstring(charts.timelines("x < y", "s", ["one", "two"], bands))
        dots = [
            (dot.get("class"), float(dot.get("cx"))) for dot in root.findall(".//{*}g/{*}circle")
        ]
        tenth = charts.WIDTH / 10
        expected = [("d0", 1), ("d1", 2), ("d0", 5), ("d0", 10)]
        assert dots == [(name, pytest.approx(time * tenth, abs=0.1)) for name, time in expected]
        assert len(root.findall(".//{*}circle")) == len(dots) + 2

    def test_paper(self):
        """It covers the whole figure, below everything else."""
        root = ElementTree.fromstring(charts.page("x < y", 100, ["<path/>"]))
        paper = root.find("{*}rect")
        assert [paper.get(side) for side in ("width", "height")] == root.get("viewBox").split()[2:]
        assert [child.tag.rpartition("}")[2] for child in root][2:] == ["rect", "text", "path"]
