"""What ``web.retry_after`` must answer, read from a header's text by other means.

Owns a second reading of RFC 9110's Retry-After: one regular expression for each form, ``datetime``
and ``decimal`` for the arithmetic.  Leaves making texts to ``fuzz_cases``.  Shares no line with
the library, so that both would have to be wrong in the same way.  Seconds are floats.
"""

from __future__ import annotations

import re
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_LONG = "|".join(DAYS)
_SHORT = "|".join(day[:3] for day in DAYS)
_MONTH = rf"(?P<month>{'|'.join(MONTHS)})"
_CLOCK = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DAY = "(?P<day>[0-9]{2})"
_FORMS = [
    re.compile(rf"(?:{_SHORT}), {_DAY} {_MONTH} (?P<year>[0-9]{{4}}) {_CLOCK} GMT"),
    re.compile(rf"(?:{_LONG}), {_DAY}-{_MONTH}-(?P<short_year>[0-9]{{2}}) {_CLOCK} GMT"),
    re.compile(rf"(?:{_SHORT}) {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_CLOCK} (?P<year>[0-9]{{4}})"),
]


def seconds(text: str, now: float) -> float | None:
    """The seconds from *now* that a header of *text* asks for; None where it asks for none."""
    text = re.fullmatch("[ \t]*(.*?)[ \t]*", text, re.DOTALL)[1]
    if re.fullmatch("[0-9]+", text):
        return _as_float(int(Decimal(text)))
    for form in _FORMS:
        match = form.fullmatch(text)
        if match:
            return _until(match.groupdict(), now)
    return None


def thousandths(digits: str) -> float:
    """The seconds in so many milliseconds, each rounding as IEEE 754 has it."""
    number = Decimal(digits)
    return _as_float(int(number)) / 1000 if number < 2**1024 - 2**970 else sys.float_info.max


def _as_float(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return sys.float_info.max


def _until(part: dict[str, str], now: float) -> float | None:
    month = MONTHS.index(part["month"]) + 1
    day, hour, minute, second = (int(part[name]) for name in ("day", "hour", "minute", "second"))
    leap = timedelta(seconds=1) if second == 60 else timedelta()
    rest = (month, day, hour, minute)
    if "short_year" in part:
        year = whole_year(int(part["short_year"]), (*rest, second), now)
    else:
        year = int(part["year"])
    try:
        moment = datetime(year, *rest, second - leap.seconds, tzinfo=UTC)
    except ValueError:
        return None
    # As a number, for the second after the last one of the year 9999 is no datetime.
    since_epoch = (moment - EPOCH) // timedelta(seconds=1) + leap.seconds
    return max(0.0, since_epoch - now)


def whole_year(short: int, rest: tuple[int, ...], now: float) -> int:
    """The latest year that ends in *short* in which *rest* is no more than 50 years from *now*."""
    today = EPOCH + timedelta(seconds=now)
    limit = (today.month, today.day, today.hour, today.minute, today.second)
    latest = today.year + 50
    candidates = [year for year in range(latest, latest - 101, -1) if year % 100 == short]
    return next(year for year in candidates if (year, *rest) <= (latest, *limit))


@contextmanager
def clock_at(now: float) -> Iterator[None]:
    """The wall clock stands at *now*, in seconds since the epoch; cheaper than a mock."""
    before = time.time
    time.time = lambda: now
    try:
        yield
    finally:
        time.time = before
