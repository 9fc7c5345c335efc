"""The figures of the documentation as they stand there."""

from xml.etree import ElementTree

import architecture
import charts
import figures
import pytest
import report

COMMITTED = [report.FIGURES / f"{name}.svg" for name in figures.COMMANDS]
PAPER_AND_INKS = {
    "light": (charts.LIGHT_PAPER, charts.LIGHT_INK, charts.LIGHT),
    "dark": (charts.DARK_PAPER, charts.DARK_INK, charts.DARK),
}


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2, from 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


class TestCommitted:
    """What the pages show is what the commands draw."""

    @pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
    def test_each_looks_like_the_others(self, path):
        """Drawn with the style of today: also those that take too long to be drawn in a test."""
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        assert root.find("{*}style").text == charts.style()
        assert root.find("{*}rect").get("class") == "paper"

    def test_the_architecture_is_that_of_today(self):
        """If this fails, run ``python tests/simulation/architecture.py``."""
        assert architecture.svg() == (report.FIGURES / "architecture.svg").read_text(
            encoding="utf-8"
        )


class TestArchitecture:
    """The drawing shows the import graph, and leaves out only what follows from the rest."""

    def test_what_is_drawn_reaches_what_is_imported(self):
        """Over the arrows, every module gets to exactly what it imports, near and far."""
        inside = set().union(*architecture.LAYERS)
        drawn, imported = set(architecture.arrows()), set()
        for name in inside:
            imported |= {(name, other) for other in architecture.imports(name) & inside}
        assert drawn < imported
        assert closure(drawn) == closure(imported)

    def test_no_arrow_is_one_too_many(self):
        """Without any one of them, something would not be reached."""
        drawn = set(architecture.arrows())
        assert all(arrow not in closure(drawn - {arrow}) for arrow in drawn)

    def test_every_module_has_its_box(self):
        """Layers and leaves alike."""
        root = ElementTree.fromstring(architecture.svg())
        boxes = {text.text for text in root.findall(".//{*}text[@class='code']")}
        assert boxes == set().union(*architecture.LAYERS) | architecture.LEAVES


def closure(arrows: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """All pairs of which the first reaches the second."""
    found = set(arrows)
    while more := {(a, d) for a, b in found for c, d in arrows if b == c} - found:
        found |= more
    return found


class TestColours:
    """Readable on their own paper, whatever the page around it is."""

    @pytest.mark.parametrize("system", ["light", "dark"])
    def test_contrast(self, system):
        """WCAG 2.2: at least 4.5 for text, and 3 for lines and dots."""
        paper, ink, colours = PAPER_AND_INKS[system]
        assert contrast(paper, ink) >= 4.5
        assert min(contrast(paper, colour) for colour in colours) >= 3

    def test_both_are_in_the_figure(self):
        """The reader's system chooses between them."""
        light, dark = charts.style().split("@media(prefers-color-scheme:dark)")
        for text, (paper, ink, colours) in (
            (light, PAPER_AND_INKS["light"]),
            (dark, PAPER_AND_INKS["dark"]),
        ):
            assert all(colour in text for colour in (paper, ink, *colours))
