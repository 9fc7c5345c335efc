"""Charts: lines in a frame and dots on time lines, as an SVG for light and for dark pages.

Owns geometry and colours.  Series of the same place have the same colour and
the same dashes in every panel, so that they are told apart without colours too.
A figure brings its own paper, light or dark as the reader's system is: on a page
that is switched to the other it is a card, and its ink stays readable.
"""

from __future__ import annotations

from html import escape
from math import ceil, floor, log10
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Points = Sequence[tuple[float, float]]

LEFT, TOP, WIDTH, HEIGHT, GAP, BOTTOM = 48, 84, 744, 220, 64, 48  # pixels
STEP, SPACE = 5, 34  # between two time lines, and between two bands of them
# Paper, ink and the lines: for systems that are set to light and to dark.
LIGHT_PAPER, LIGHT_INK, DARK_PAPER, DARK_INK = "#ffffff", "#24292f", "#131416", "#e6edf3"
LIGHT = ("#8a5a00", "#b3261e", "#1a7f37", "#0b57d0", "#7b3fa0")
DARK = ("#e3b341", "#ff8a80", "#56d364", "#79b8ff", "#d2a8ff")
DASHES = ("2 3", "7 3", "10 3 2 3", "none", "4 2 1 2")


class Panel(NamedTuple):
    """
    One frame of a figure.

    Attributes:
        title: What the y axis tells.
        x: What the x axis tells.
        series: The points of each line, by its name.
        log: Whether the y axis is logarithmic; then no value may be 0.
    """

    title: str
    x: str
    series: Mapping[str, Points]
    log: bool = False


class Band(NamedTuple):
    """
    The time lines of one kind, below each other.

    Attributes:
        title: What they have in common.
        lines: The times of each one's dots; the n-th dots of all lines are a series.
    """

    title: str
    lines: Sequence[Sequence[float]]


def svg(title: str, panels: Sequence[Panel]) -> str:
    """Give the text of a figure of *panels* side by side."""
    wide = (WIDTH + GAP) // len(panels) - GAP
    parts = _legend(list(panels[0].series))
    for place, panel in enumerate(panels):
        parts += [f'<g transform="translate({LEFT + place * (wide + GAP)} {TOP})">']
        parts += [*_panel(panel, wide), "</g>"]
    return page(title, TOP + HEIGHT + BOTTOM, parts)


def timelines(title: str, x: str, names: Sequence[str], bands: Sequence[Band]) -> str:
    """Give the text of a figure of *bands* below each other; *names* are those of the series."""
    end = max(time for band in bands for line in band.lines for time in line)
    ticks = _round(0, end)
    scale = WIDTH / max(end, ticks[-2])
    parts, top = _legend(names, dots=True), TOP
    for band in bands:
        height = STEP * (len(band.lines) + 1)
        parts.append(f'<g transform="translate({LEFT} {top})">')
        parts.append(f'<text x="0" y="-8">{escape(band.title)}</text>')
        parts += [_upright(tick * scale, height) for tick in ticks if tick * scale <= WIDTH]
        for row, line in enumerate(band.lines, 1):
            y = STEP * row
            parts.append(f'<path class="grid" d="M0 {y}H{WIDTH}"/>')
            parts += [
                f'<circle class="d{i}" cx="{time * scale:.1f}" cy="{y}" r="3"/>'
                for i, time in enumerate(line)
            ]
        parts.append("</g>")
        top += height + SPACE
    top += 16 - SPACE
    for tick in ticks:
        if tick * scale <= WIDTH:
            place = f'x="{LEFT + tick * scale:.1f}" y="{top}"'
            parts.append(f'<text {place} text-anchor="middle">{_label(tick)}</text>')
    middle = f'x="{LEFT + WIDTH // 2}" y="{top + 20}" text-anchor="middle"'
    parts.append(f"<text {middle}>{escape(x)}</text>")
    return page(title, top + 32, parts)


def page(title: str, height: int, parts: Sequence[str]) -> str:
    """Put *parts* on paper, below *title*."""
    width = LEFT + WIDTH + 24
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
        f'width="{width}" height="{height}" role="img" aria-labelledby="title">',
        f'<title id="title">{escape(title)}</title>',
        f"<style>{style()}</style>",
        f'<rect class="paper" width="{width}" height="{height}" rx="6"/>',
        f'<text class="head" x="{LEFT}" y="22">{escape(title)}</text>',
    ]
    return "\n".join([*head, *parts, "</svg>", ""])


def style() -> str:
    """The rules for all figures, whichever of them it needs."""

    def rules(paper: str, ink: str, colours: Sequence[str]) -> str:
        lines = "".join(
            f".s{i}{{stroke:{colour}}}.d{i}{{fill:{colour}}}" for i, colour in enumerate(colours)
        )
        return (
            f".paper{{fill:{paper}}}text{{fill:{ink}}}.grid{{stroke:{ink}}}"
            f".arrow,.room{{stroke:{ink}}}.tip{{fill:{ink}}}.room{{fill:{paper}}}{lines}"
        )

    dashes = "".join(f".s{i}{{stroke-dasharray:{dash}}}" for i, dash in enumerate(DASHES))
    return (
        "text{font:12px sans-serif}.head{font-weight:bold;font-size:14px}"
        ".code{font-family:monospace}.arrow{fill:none;stroke-opacity:.6}"
        ".grid{stroke-opacity:.18}.line{fill:none;stroke-width:2;stroke-linejoin:round}"
        f"{dashes}{rules(LIGHT_PAPER, LIGHT_INK, LIGHT)}"
        f"@media(prefers-color-scheme:dark){{{rules(DARK_PAPER, DARK_INK, DARK)}}}"
    )


def _legend(names: Sequence[str], *, dots: bool = False) -> list[str]:
    parts, x = [], LEFT
    for i, name in enumerate(names):
        if dots:
            parts.append(f'<circle class="d{i}" cx="{x + 4}" cy="40" r="4"/>')
            x += 14
        else:
            parts.append(f'<path class="line s{i}" d="M{x} 40h26"/>')
            x += 32
        parts.append(f'<text x="{x}" y="44">{escape(name)}</text>')
        x += 7 * len(name) + 20
    return parts


def _upright(x: float, height: int) -> str:
    return f'<path class="grid" d="M{x:.1f} 0V{height}"/>'


def _panel(panel: Panel, wide: int) -> list[str]:
    points = [point for series in panel.series.values() for point in series]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x_ticks, y_ticks = (
        _round(min(xs), max(xs)),
        (_powers if panel.log else _round)(*_span(ys, panel)),
    )

    def right(x: float) -> float:
        return wide * (x - min(xs)) / (max(xs) - min(xs))

    def down(y: float) -> float:
        low, high = y_ticks[0], y_ticks[-1]
        if panel.log:
            return HEIGHT * (1 - log10(y / low) / log10(high / low))
        return HEIGHT * (1 - (y - low) / (high - low))

    parts = [f'<text x="0" y="-14">{escape(panel.title)}</text>']
    for y, text in ((down(tick), _label(tick)) for tick in y_ticks):
        parts += [
            f'<path class="grid" d="M0 {y:.1f}H{wide}"/>',
            f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">{text}</text>',
        ]
    for x, text in ((right(tick), _label(tick)) for tick in x_ticks):
        if 0 <= x <= wide:
            parts += [
                _upright(x, HEIGHT),
                f'<text x="{x:.1f}" y="{HEIGHT + 16}" text-anchor="middle">{text}</text>',
            ]
    parts.append(
        f'<text x="{wide // 2}" y="{HEIGHT + 36}" text-anchor="middle">{escape(panel.x)}</text>'
    )
    # The first lines are drawn last: where lines meet, theirs have the wider gaps to look through.
    for i, (name, series) in reversed(list(enumerate(panel.series.items()))):
        path = "L".join(f"{right(x):.1f} {down(y):.1f}" for x, y in series)
        parts.append(f'<path class="line s{i}" d="M{path}"><title>{escape(name)}</title></path>')
    return parts


def _span(ys: Sequence[float], panel: Panel) -> tuple[float, float]:
    return (min(ys), max(ys)) if panel.log else (min(0.0, *ys), max(ys))


def _round(low: float, high: float) -> list[float]:
    """Round numbers, some four to eight, from at most *low* to at least *high*."""
    power = 10.0 ** floor(log10(high - low))
    step = next(power * part for part in (0.2, 0.5, 1.0, 2.0) if high - low <= 7 * power * part)
    return [step * count for count in range(floor(low / step), ceil(high / step) + 1)]


def _powers(low: float, high: float) -> list[float]:
    """Powers of ten, from at most *low* to at least *high*."""
    return [10.0**power for power in range(floor(log10(low)), ceil(log10(high)) + 1)]


def _label(number: float) -> str:
    return f"{number:,.0f}".replace(",", " ") if number >= 1000 else f"{number:g}"
