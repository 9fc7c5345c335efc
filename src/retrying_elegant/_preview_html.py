"""Preview for notebooks: the table in HTML, and a drawing of when attempts can start.

Owns markup and geometry.  Leaves what is shown to ``preview``.  Text and lines
take the colour of the page, so that both read on light and on dark ones.
"""

from __future__ import annotations

from html import escape
from math import floor, inf, log10
from typing import TYPE_CHECKING

from ._preview import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._preview import Preview

_DRAWN = 40  # attempts: more would not fit a screen
_LEFT, _WIDTH, _LINE, _FOOT = 40, 560, 20, 36  # pixels
_BAR = "#4c8dd6"  # in between: it stands out from white and from black


def html(preview: Preview) -> str:
    """Give *preview* as a table and a drawing."""
    head = "<tr><th>attempt<th>wait low, s<th>mean<th>high<th>starts after, s, low<th>high</tr>"
    lines = []
    for number, *times, certain in preview:
        cells = "".join(f"<td>{shown(time)}" for time in times)
        lines.append(f"<tr><td>{number}{'' if certain else '?'}{cells}</tr>")
    notes = "".join(f"<p>{escape(note)}</p>" for note in preview.footnotes())
    return (
        f"<div><p><code>{escape(repr(preview.policy))}</code></p>{_drawing(preview)}"
        f"<table>{head}{''.join(lines)}</table>{notes}</div>"
    )


def _drawing(preview: Preview) -> str:
    rows = preview.rows[:_DRAWN]
    # The timeout is where the drawing ends, if it may cut attempts off.
    certain = rows[-1].certain
    known = [row.elapsed_high for row in rows if row.elapsed_high < inf]
    end = max(known)
    if not certain:
        end = preview.policy.timeout or end
    end = max(end, 1e-9)  # something to divide by, also where nothing is waited

    def x(time: float) -> float:
        return _LEFT + _WIDTH * min(time / end, 1.0)

    marks = []
    mean = 0.0
    for line, row in enumerate(rows):
        y = _LINE * line + 4
        left, right = x(row.elapsed_low), x(row.elapsed_high)
        look = 'fill-opacity=".45"' if row.certain else 'fill-opacity=".15" stroke-dasharray="3 2"'
        told = f"attempt {row.number}: {shown(row.elapsed_low)} to {shown(row.elapsed_high)} s"
        marks.append(
            f'<text x="{_LEFT - 8}" y="{y + 10}" text-anchor="end">{row.number}</text>'
            f'<rect x="{left:.1f}" y="{y}" width="{max(right - left, 2):.1f}" height="12" rx="2" '
            f'fill="{_BAR}" stroke="{_BAR}" {look}><title>{told}</title></rect>'
        )
        mean += row.wait_mean
        if mean <= end:
            marks.append(f'<circle cx="{x(mean):.1f}" cy="{y + 6}" r="2.5"/>')
    bottom = _LINE * len(rows) + 4
    for time in _ticks(end):
        at = f"{x(time):.1f}"
        marks += [
            f'<path d="M{at} 0V{bottom}" stroke="currentColor" stroke-opacity=".2"/>',
            f'<text x="{at}" y="{bottom + 14}" text-anchor="middle">{time:g}</text>',
        ]
    legend = "seconds since the start; a dot is the average" + (
        "" if certain else "; ends at timeout"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 20}" '
        f'height="{bottom + _FOOT}" role="img" aria-label="when each attempt can start" '
        f'fill="currentColor" font-family="sans-serif" font-size="11">{"".join(marks)}'
        f'<text x="{_LEFT}" y="{bottom + 30}">{legend}</text></svg>'
    )


def _ticks(end: float) -> Iterator[float]:
    """Give round numbers from 0 to *end*, some five to ten."""
    power = 10.0 ** floor(log10(end))
    step = next(power * part for part in (0.1, 0.2, 0.5, 1.0) if end <= 10 * power * part)
    for count in range(floor(end / step) + 1):
        yield count * step
