"""Preview: what a policy would do, without doing it.

Owns the rows of the table (the wait before each attempt, and when it can start),
their text, and the table and drawing that notebooks show.  Imported only when a preview
is requested, so it may import modules that the core avoids.  All times are float seconds.
"""

from __future__ import annotations

from html import escape
from math import floor, fsum, inf, log10, nan
from typing import TYPE_CHECKING, NamedTuple

from . import _checks, _clock, backoff
from ._attempt import Attempt
from ._giveup import brief
from ._value import Value, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ._policy import Policy, Seconds

    # The shortest, the average and the longest wait before one retry.
    Spread = tuple[float, float, float]

_UNLIMITED = 10  # attempts shown of a policy without a limit
_RUNS = 500  # calls that are simulated to find out what a callable returns
_PARTS = 32  # equally likely parts of a distribution
_UNKNOWN: Spread = (0.0, nan, inf)

# The drawing.  Text and lines take the page's color, and are readable on light and dark pages.
_DRAWN = 40  # attempts: more would not fit on a screen
_LEFT, _WIDTH, _LINE, _FOOT = 40, 560, 20, 36  # pixels
_BAR = "#4c8dd6"  # visible on white and on black


class Row(NamedTuple):
    """
    One attempt of a preview.

    Attributes:
        number: Which attempt, counted from 1.
        wait_low: The shortest wait before it.
        wait_mean: The average wait before it.
        wait_high: The longest wait before it.
        elapsed_low: The earliest time at which it can start, since the start of the call.
        elapsed_high: The latest time, never past the policy's ``timeout``.
        certain: Whether it starts in any case; False if the timeout may have passed.
    """

    number: int
    wait_low: float
    wait_mean: float
    wait_high: float
    elapsed_low: float
    elapsed_high: float
    certain: bool


@frozen
class Preview(Value):
    """
    The attempts of a policy as a table: iterate over it, index it, print it.

    A notebook shows it with a drawing.

    Attributes:
        policy: The policy.
        rows: A :class:`Row` for each attempt that can start.
        note: How accurate the waits are, unless they are exact; otherwise ``""``.
    """

    policy: Policy
    rows: tuple[Row, ...]
    note: str

    def __init__(self, policy: Policy, rows: tuple[Row, ...], note: str) -> None:
        self.__dict__.update(policy=policy, rows=rows, note=note)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.rows[index]

    def footnotes(self) -> list[str]:
        """Return the remarks below the table."""
        notes = [self.note] if self.note else []
        if not self.rows[-1].certain:
            notes.append(
                f"?: may not start, as the timeout of {self.policy.timeout:.15g} s may have passed"
            )
        return notes

    def __repr__(self) -> str:
        lines = [
            repr(self.policy),
            "attempt       wait before it, s       starts after, s",
            "             low     mean     high      low     high",
        ]
        for number, *times, certain in self.rows:
            mark = f"{number}" if certain else f"{number}?"
            lines.append(f"{mark:>7}" + "".join(f"{shown(time):>9}" for time in times))
        return "\n".join(lines + self.footnotes())

    def _repr_html_(self) -> str:
        return _html(self)


def preview(policy: Policy, n: int | None = None) -> Preview:
    """
    Return a table of the first *n* attempts of *policy*.

    All attempts are assumed to fail immediately: only waits take time, no hint is given, and the
    budget has tokens.  Attempts that can no longer start within the policy's ``timeout`` are left
    out.  Waits are those of the rule, even if the policy would not begin one that ends too late.

    Bounds and averages are exact if ``wait`` is a number, a sequence or a backoff, except for the
    average of ``decorrelated``, which is accurate to about one percent.  Any other callable is
    evaluated in 500 simulated calls, so its true bounds may be wider.  It receives attempts without
    an error, and draws from ``random`` as in a real call.  If it raises, its waits are unknown:
    between 0 and infinity, nan on average.

    Args:
        n: The maximum number of attempts; None: all, or 10 of a policy without a limit.

    Raises:
        TypeError: *n* is neither an int nor None.
        ValueError: *n* is less than 1.
    """
    retries = _count(policy.attempts, n) - 1
    rule, note = policy.wait, ""
    spreads: Iterable[Spread]
    if isinstance(rule, backoff.Backoff) and type(rule).__call__ is not backoff.Backoff.__call__:
        rule = rule.__call__  # a subclass that does not call its rule
    if isinstance(rule, backoff.decorrelated):
        spreads = _decorrelated(rule, retries)
    elif isinstance(rule, backoff.Backoff):
        spreads = (_uniform(*rule.bounds(retry)) for retry in range(1, retries + 1))
    elif callable(rule):
        try:
            spreads = _played(rule, policy, retries)
            note = f"waits as seen in {_RUNS} simulated calls; others are possible"
        except Exception as error:  # noqa: BLE001 - it may need what is not there yet
            spreads = [_UNKNOWN] * retries
            note = f"waits unknown: for an attempt without an error, wait raised {brief(error)}"
    else:
        waits = rule if isinstance(rule, tuple) else (rule,)
        last = len(waits) - 1
        spreads = ((wait, wait, wait) for wait in (waits[min(i, last)] for i in range(retries)))
    return Preview(policy, tuple(_rows(spreads, policy.timeout)), note)


def shown(time: float) -> str:
    """Return *time* in the few characters that a table has room for."""
    if not 0 <= time < inf:
        return "?"
    if time < 10_000:
        return f"{time:.3f}"
    return f"{time:.0f}" if time < 1e8 else f"{time:.3g}"


def _count(limit: int | None, n: int | None) -> int:
    rule = "an int of 1 or more, or None for all attempts"
    if n is None:
        return _UNLIMITED if limit is None else limit
    if isinstance(n, bool) or not isinstance(n, int):
        _checks.reject(TypeError, "n", n, rule)
    if n < 1:
        _checks.reject(ValueError, "n", n, rule)
    return n if limit is None else min(n, limit)


def _rows(spreads: Iterable[Spread], timeout: float | None) -> Iterator[Row]:
    yield Row(1, 0.0, 0.0, 0.0, 0.0, 0.0, True)
    limit = inf if timeout is None else timeout
    earliest = latest = 0.0
    for number, (low, mean, high) in enumerate(spreads, 2):
        earliest += low
        latest += high
        if timeout is not None and earliest >= timeout:
            return
        certain = timeout is None or latest < timeout
        yield Row(number, low, mean, high, earliest, min(latest, limit), certain)


def _uniform(low: float, high: float) -> Spread:
    return low, low + (high - low) / 2, high


def _decorrelated(rule: backoff.decorrelated, retries: int) -> Iterator[Spread]:
    """Yield the spread of each wait, from a distribution that is kept as equally likely values."""
    initial = rule.initial
    shares = [(part + 0.5) / _PARTS for part in range(_PARTS)]
    values = [initial]
    for retry in range(1, retries + 1):
        drawn = sorted(
            min(rule.cap, initial + (3 * previous - initial) * share)
            for previous in values
            for share in shares
        )
        low, high = rule.bounds(retry)
        yield low, fsum(drawn) / len(drawn), high
        step = len(drawn) // _PARTS
        values = drawn[step // 2 :: step]


def _played(rule: Callable[[Attempt], Seconds], policy: Policy, retries: int) -> list[Spread]:
    """Simulate calls in which only waits take time; return the spreads of what *rule* returned."""
    answers: list[list[float]] = [[] for _ in range(retries)]
    for _ in range(_RUNS):
        attempt = Attempt(policy, policy.name or "preview", _clock.time.monotonic())
        for seen in answers:
            wait = rule(attempt)
            if _checks.is_infinite(wait):
                break
            wait = _checks.seconds("wait(...)", wait)
            seen.append(wait)
            attempt = attempt._following(wait)
            if policy.timeout is not None and attempt._elapsed(attempt._start) >= policy.timeout:
                break
    return [(min(seen), fsum(seen) / len(seen), max(seen)) for seen in answers if seen]


def _html(preview: Preview) -> str:
    """Return *preview* as a table and a drawing."""
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
    # The drawing ends at the timeout if that may prevent attempts.
    certain = rows[-1].certain
    known = [row.elapsed_high for row in rows if row.elapsed_high < inf]
    end = max(known)
    if not certain:
        end = preview.policy.timeout or end
    end = max(end, 1e-9)  # it is divided by, even if all waits are 0

    def x(time: float) -> float:
        return _LEFT + _WIDTH * min(time / end, 1.0)

    marks = []
    mean = 0.0
    for line, row in enumerate(rows):
        y = _LINE * line + 4
        left, right = x(row.elapsed_low), x(row.elapsed_high)
        look = 'fill-opacity=".45"' if row.certain else 'fill-opacity=".15" stroke-dasharray="3 2"'
        title = f"attempt {row.number}: {shown(row.elapsed_low)} to {shown(row.elapsed_high)} s"
        marks.append(
            f'<text x="{_LEFT - 8}" y="{y + 10}" text-anchor="end">{row.number}</text>'
            f'<rect x="{left:.1f}" y="{y}" width="{max(right - left, 2):.1f}" height="12" rx="2" '
            f'fill="{_BAR}" stroke="{_BAR}" {look}><title>{title}</title></rect>'
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
    """Yield about five to ten round numbers from 0 to *end*."""
    power = 10.0 ** floor(log10(end))
    step = next(power * part for part in (0.1, 0.2, 0.5, 1.0) if end <= 10 * power * part)
    for count in range(floor(end / step) + 1):
        yield count * step
