"""Retry-After: what a server says about retrying, whatever the client.

Owns reading the headers of errors, responses and mappings: ``Retry-After`` and ``Retry-After-Ms``,
``x-should-retry``, and the pushback of gRPC, which is in the trailing metadata.  Leaves to ``web``
whether an error is transient, and which hints are too long.  Hints are float seconds from now.
Whatever a source does when it is read, no exception propagates from here.
"""

from __future__ import annotations

import sys
import time
from itertools import islice

from ._reading import entry, look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

_LONGEST = sys.float_info.max
_MOST = 1000  # headers, or entries of metadata, that are read of one source: some never end
_WANTED = frozenset({"retry-after", "retry-after-ms", "x-should-retry", "date"})
_PUSHBACK = "grpc-retry-pushback-ms"


def retry_after(source: object, /) -> float | None:
    """
    Return when the server wants to be called again, in seconds from now, or None.

    ``Retry-After`` contains either digits, which are seconds, or a date, which is in GMT whatever
    the machine's time zone.  A date is measured against the ``Date`` of the same response, or
    against the machine's clock if there is none.  All three forms of a date are read:
    ``Sun, 06 Nov 1994 08:49:37 GMT``, ``Sunday, 06-Nov-94 08:49:37 GMT`` and
    ``Sun Nov  6 08:49:37 1994``.  A leap second is the second after it, and a wrong day of the
    week is ignored.  ``Retry-After-Ms`` contains digits, which are milliseconds; a valid one takes
    precedence.

    Args:
        source: An error, a response or a mapping of headers, of any client.  Header names may be
            in any case, and may be bytes; the first 1000 are read.  From an error of gRPC, the
            server's pushback is read.

    Returns:
        Seconds, at least 0: a date in the past is 0.0, and a number beyond the range of floats is
        the largest float.  None if the header is missing, appears more than once, or contains
        anything else.

    Source:
        RFC 9110, sections 10.2.3 (Retry-After), 6.6.1 (Date) and 5.6.7 (dates, and the rule that
        a year of two digits lies at most 50 years ahead); gRPC's proposal A6 (pushback).

    >>> retry_after({"retry-after": "120"})
    120.0
    >>> retry_after({"Retry-After": "1", "Retry-After-Ms": "1500"})
    1.5
    >>> retry_after({"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT",
    ...              "Date": "Sun, 06 Nov 1994 08:49:27 GMT"})
    10.0
    >>> retry_after({"Retry-After": "soon"}) is None
    True
    """
    for headers in _headers(source):
        if "retry-after" in headers or "retry-after-ms" in headers:
            return _hint(headers)
    pushback = _pushback(source)
    return None if pushback is None or pushback < 0 else pushback


def told_to_retry(source: object) -> bool | None:
    """
    Return what the server says about another attempt, whatever the status; None if nothing.

    This is ``x-should-retry: true`` or ``false``, or a pushback of gRPC that forbids it.
    """
    for headers in _headers(source):
        told = headers.get("x-should-retry", "").lower()
        if told in {"true", "false"}:
            return told == "true"
    pushback = _pushback(source)
    return False if pushback is not None and pushback < 0 else None


def _headers(source: Any) -> Iterator[dict[str, str]]:
    """Yield the relevant headers of *source*, wherever it may have any, by name in lower case."""
    response = look(source, "response")
    for headers in (
        source,
        look(source, "headers"),
        look(response, "headers"),
        entry(source, "ResponseMetadata", "HTTPHeaders"),  # a response of botocore
        entry(response, "ResponseMetadata", "HTTPHeaders"),
    ):
        try:
            yield _read(headers.items())
        except Exception:  # noqa: BLE001, S112 - not a mapping of headers; the next may be
            continue


def _read(items: Iterable[tuple[Any, Any]]) -> dict[str, str]:
    """Return the relevant *items* that appear once and are text, stripped."""
    found: dict[str, list[str | None]] = {}
    for name, value in islice(items, _MOST):
        raw = isinstance(name, bytes)
        known = (bytes.decode(name, "latin-1") if raw else str(name)).lower()
        if known in _WANTED:
            found.setdefault(known, []).append(_stripped(value, raw))
    return {name: value for name, (value, *more) in found.items() if value is not None and not more}


def _stripped(value: Any, raw: bool) -> str | None:
    """Return *value* as text, bypassing subclasses; bytes are read only if names are bytes too."""
    if raw and isinstance(value, bytes):
        value = bytes.decode(value, "latin-1")
    return str.strip(value, " \t") if isinstance(value, str) else None


def _hint(headers: dict[str, str]) -> float | None:
    milliseconds, value = headers.get("retry-after-ms", ""), headers.get("retry-after", "")
    if _is_number(milliseconds):
        return min(float(milliseconds) / 1000, _LONGEST)
    if _is_number(value):
        return min(float(value), _LONGEST)
    now = time.time()
    sent = _moment(headers.get("date", ""), now)
    now = now if sent is None else sent
    moment = _moment(value, now)
    return None if moment is None else max(0.0, moment - now)


def _pushback(source: Any) -> float | None:
    """
    Return the pushback in an error of gRPC, or in its response, in seconds; -1.0: do not retry.

    The protocol reads anything but a single non-negative number as "do not retry".
    """
    if not issubclass(type(source), BaseException):
        return None
    holders: tuple[Any, Any] = (source, look(source, "response"))
    for error in holders:
        try:
            # A stream is a call and an error in one, and would wait for its own end.
            if not getattr(error, "done", _ended)():
                continue
            metadata = islice(error.trailing_metadata(), _MOST)
            values = [value for key, value in metadata if key == _PUSHBACK]
            if values:
                return _milliseconds(values[0]) if len(values) == 1 else -1.0
        except Exception:  # noqa: BLE001, S112 - not an error of gRPC
            continue
    return None


def _ended() -> bool:
    return True


def _milliseconds(value: Any) -> float:
    """Return the milliseconds in *value* as seconds; -1.0 unless it is digits."""
    valid = isinstance(value, str) and _is_number(value)
    return min(float(value) / 1000, _LONGEST) if valid else -1.0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


# --- dates ------------------------------------------------------------------------------------

_LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_RFC_850_DAYS = tuple(f"{name}," for name in _LONG_DAYS)
_IMF_DAYS = tuple(f"{name[:3]}," for name in _LONG_DAYS)
_DAYS = tuple(name[:3] for name in _LONG_DAYS)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = 719_163  # datetime.date(1970, 1, 1).toordinal()


def _moment(text: str, now: float) -> float | None:
    """Return the HTTP-date *text* in seconds since the epoch; None if it is not one."""
    try:
        return _parsed(text, now)
    except ValueError:
        return None


def _parsed(text: str, now: float) -> float:
    match text.split(" "):
        case [weekday, day, month, year, clock, "GMT"] if weekday in _IMF_DAYS:
            pass  # Sun, 06 Nov 1994 08:49:37 GMT
        case [weekday, date, clock, "GMT"] if weekday in _RFC_850_DAYS:
            day, month, year = date.split("-")  # Sunday, 06-Nov-94 08:49:37 GMT
        case [weekday, month, day, clock, year] if weekday in _DAYS:
            pass  # Sun Nov 16 08:49:37 1994
        case [weekday, month, "", digit, clock, year] if weekday in _DAYS:
            day = f"0{digit}"  # Sun Nov  6 08:49:37 1994
        case _:
            raise ValueError(text)
    hour, minute, second = (_digits(part, 2) for part in clock.split(":"))
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError(text)
    rest = (_MONTHS.index(month) + 1, _digits(day, 2), hour, minute, second)
    if weekday in _RFC_850_DAYS:
        return _seconds_since_epoch(_whole_year(_digits(year, 2), rest, now), *rest)
    return _seconds_since_epoch(_digits(year, 4), *rest)


def _digits(text: str, width: int) -> int:
    if len(text) == width and _is_number(text):
        return int(text)
    raise ValueError(text)


def _whole_year(year: int, rest: tuple[int, ...], now: float) -> int:
    """Return the last year ending in *year* in which *rest* is at most 50 years from *now*."""
    today = time.gmtime(now)
    year += (today.tm_year // 100 + 1) * 100
    while (year, *rest) > (today.tm_year + 50, *today[1:6]):
        year -= 100
    return year


def _seconds_since_epoch(
    year: int, month: int, day: int, hour: int, minute: int, second: int
) -> float:
    from datetime import date  # imported only when a server has sent a date

    days = date(year, month, day).toordinal() - _EPOCH
    return days * 86_400.0 + hour * 3600 + minute * 60 + second
