"""Web: which failures on the wire may pass by themselves, whatever the client.

Owns reading the errors of HTTP clients and of the standard library: may another
attempt fare better, and when does the server ask for it.  Leaves counting attempts
and waiting to the policy that asks.  No client is imported: a class is known by its
name, ``package.Class``.  Hints are float seconds from now.

Three rules of the room: an error that is not in the tables is not transient; of an error
that wraps another, the inner one is asked first; and whatever an error or a response does
when it is looked at (it raises, it has no such attribute), nothing gets out of here.
"""

from __future__ import annotations

import errno
import sys
import time

from ._checks import refuse, seconds
from ._errors import TryAgain
from ._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta
    from typing import Any

__all__ = ["Transient", "retry_after", "transient"]

_STATUSES = (408, 425, 429, 500, 502, 503, 504)


def _table(answer: bool | None, names: str) -> dict[str, bool | None]:
    """One *answer* for many classes, each written ``package.Class``."""
    return dict.fromkeys(names.split(), answer)


# What the classes mean, written ``package.Class``: of the classes that an error derives from,
# the most specific one in any table counts.  The package is the first part of the module's
# name only, for clients move their classes from module to module between releases.

# The class alone tells.
_SETTLED = {
    **_table(
        True,
        """
        builtins.ConnectionError  builtins.TimeoutError
        ssl.SSLEOFError  ssl.SSLSyscallError  ssl.SSLZeroReturnError
        http.IncompleteRead  urllib.ContentTooShortError
        requests.Timeout
        urllib3.TimeoutError  urllib3.EmptyPoolError
        httpx.TimeoutException
        """,
    ),
    # Named where a base class, or the error wrapped around it, would say otherwise.
    **_table(
        False,
        """
        ssl.SSLError  http.HTTPException
        urllib3.ClosedPoolError  urllib3.ResponseNotChunked
        aiohttp.ContentEncodingError  aiohttp.ServerFingerprintMismatch
        """,
    ),
}

# What the error wraps tells; where that tells nothing: transient, not, or no answer either.
_WRAPPERS = {
    **_table(
        True,
        """
        requests.ConnectionError  requests.ChunkedEncodingError
        urllib3.NewConnectionError  urllib3.ProtocolError
        httpx.NetworkError  httpx.RemoteProtocolError
        httpcore.NetworkError  httpcore.RemoteProtocolError
        aiohttp.ClientConnectionError  aiohttp.ClientPayloadError
        """,
    ),
    **_table(
        False,
        """
        requests.SSLError
        urllib3.NameResolutionError  urllib3.SSLError
        aiohttp.ClientConnectorDNSError  aiohttp.ClientSSLError
        """,
    ),
    **_table(
        None,
        """
        builtins.OSError
        requests.RetryError
        urllib3.MaxRetryError  urllib3.ProxyError
        """,
    ),
}
_INSIDE = ("reason", "_reason", "original_error", "os_error", "__cause__")
# Release 1 of urllib3 says where it comes from in the context only.  No other error is asked
# for its context: that may be any error which was being handled when the call was made.
_INSIDE_OF = {"urllib3.NewConnectionError": ("__cause__", "__context__")}

# The status of the answer tells: where the error keeps it, or the words just before it.
_STATUS_AT = {
    "urllib.HTTPError": "code",
    "requests.HTTPError": "response.status_code",
    "httpx.HTTPStatusError": "response.status_code",
    "aiohttp.ClientResponseError": "status",
}
_STATUS_AFTER = {
    "builtins.OSError": "Tunnel connection failed: ",  # http.client, of a proxy's answer
    "httpx.ProxyError": "",
    "urllib3.ResponseError": "too many ",
}
_METHOD_AT = ("request.method", "request_info.method", "response.request.method", "fp._method")

# Network trouble for which Python has no class of its own.
_ERRNOS = [
    getattr(errno, name, None)  # not every system has them all
    for name in ("ENETDOWN", "ENETUNREACH", "ENETRESET", "EHOSTDOWN", "EHOSTUNREACH")
]
_ARES_TEMPORARY = (3, 11, 12)  # c-ares: server failure, no contact with a server, timeout


def _network_trouble(error: BaseException) -> bool | None:
    """An OSError goes by its number; one without (URLError, too) goes by what it wraps."""
    number = _look(error, "errno")
    if number is not None:
        return number in _ERRNOS
    # asyncio, where none of a name's several addresses could be connected to.
    return True if _text(error).startswith("Multiple exceptions: ") else None


def _resolver_did_not_answer(error: BaseException) -> bool:
    """A name that does not exist is permanent; a resolver that did not answer is not."""
    from socket import EAI_AGAIN  # long imported: the error is socket's

    return bool(_look(error, "errno") == EAI_AGAIN)


def _ares_did_not_answer(error: BaseException) -> bool:
    """The same for aiohttp's optional resolver, which has numbers of its own."""
    code, *_ = _look(error, "args") or (None,)
    return code in _ARES_TEMPORARY


def _cut_off(error: BaseException) -> bool:
    """h11 has one class for an answer that ended early and for one that is no HTTP."""
    return "closed connection" in _text(error)


# The class is not enough: a function on the error tells, or leaves it open with None.
_DETAILS = {
    "builtins.OSError": _network_trouble,
    "socket.gaierror": _resolver_did_not_answer,
    "aiodns.DNSError": _ares_did_not_answer,
    "h11.RemoteProtocolError": _cut_off,
}

_KNOWN = {*_SETTLED, *_WRAPPERS, *_STATUS_AT, *_STATUS_AFTER, *_DETAILS}
_DEEPEST = 16  # layers of wrapping; real errors have six at the most, a cycle has no end


def _look(thing: Any, path: str) -> Any:
    """What *thing* has at the dotted *path*; None where it has not, or raises."""
    for name in path.split("."):
        try:
            thing = getattr(thing, name, None)
        except Exception:  # noqa: BLE001 - httpx raises where no request is known; others may
            return None
    return thing


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ tells nothing, and must not get out
        return ""


def _known_as(error: BaseException) -> str:
    """The name in the tables that fits *error* best, or an empty one."""
    for cls in type(error).__mro__:
        name = f"{str(cls.__module__).partition('.')[0]}.{cls.__name__}"
        if name in _KNOWN:
            return name
    return ""


def _inside(name: str, error: BaseException) -> BaseException | None:
    """The error that *error*, known by *name*, wraps, if any."""
    attributes = [_look(error, attribute) for attribute in _INSIDE_OF.get(name, _INSIDE)]
    for found in (*attributes, *(_look(error, "args") or ())):
        if isinstance(found, BaseException):
            return found
    return None


def _status(name: str, error: BaseException) -> int | None:
    """The HTTP status that *error*, known by *name*, stands for, if it does."""
    if name in _STATUS_AT:
        status = _look(error, _STATUS_AT[name])
        return status if isinstance(status, int) else None
    if name in _STATUS_AFTER:
        text, words = _text(error), _STATUS_AFTER[name]
        digits = text.removeprefix(words)[:3]
        if text.startswith(words) and digits.isascii() and digits.isdigit():
            return int(digits)
    return None


def _method(error: BaseException) -> str | None:
    """The method of the request that failed, in capitals, if *error* knows it."""
    for path in _METHOD_AT:
        method = _look(error, path)
        if isinstance(method, str):
            return method.upper()
    return None


class Transient(Value):
    """
    A filter for ``on``: retry what another attempt may cure.

    Called with an error, it says True, or ``TryAgain(after=seconds)`` where the
    server said when to come back, or False.  Transient are: connections refused,
    reset, aborted or closed early; networks and hosts out of reach; timeouts;
    answers cut short; a resolver that did not answer; and the *statuses*.  Not
    transient are certificates that fail, bad URLs, names that do not exist, other
    statuses, answers that are no HTTP, and every error it does not know.  Of an
    exception group, every member has to be transient; the longest hint counts.

    Errors of urllib, http.client, socket, ssl, requests, urllib3, httpx and aiohttp
    are known; none of them is imported.

    Args:
        statuses: HTTP statuses to retry, each from 100 to 599.
        methods: Request methods that may be sent twice, in any case; None for all.
            An error that is known to come from another method is not transient,
            for its request may have been carried out.  Not every error knows its
            method; see the guide.
        max_retry_after: Seconds, at least 0.  Where the server asks for more, the
            error is not transient: to come back sooner would be to hammer it.

    Raises:
        TypeError: *statuses* or *methods* is no collection, or holds something other
            than ints or strings; *max_retry_after* is no number of seconds.
        ValueError: a status or a method that cannot be, or *max_retry_after* is
            negative or not finite.

    Source:
        RFC 9110, sections 9.2.2 (which methods are idempotent), 10.2.3 (Retry-After)
        and 15 (statuses); RFC 6585, section 4 (429); RFC 8470, section 5.2 (425).

    >>> safe = Transient(methods=("GET", "HEAD"), max_retry_after=30)
    >>> safe
    Transient(methods=('GET', 'HEAD'), max_retry_after=30.0)
    >>> safe(ConnectionResetError()), safe(FileNotFoundError())
    (True, False)
    """

    statuses: tuple[int, ...] = _STATUSES
    methods: tuple[str, ...] | None = None
    max_retry_after: float = 120.0

    def __init__(
        self,
        statuses: Iterable[int] = _STATUSES,
        methods: Iterable[str] | None = None,
        max_retry_after: float | timedelta = 120,
    ) -> None:
        self.__dict__.update(
            statuses=_checked_statuses(statuses),
            methods=None if methods is None else _checked_methods(methods),
            max_retry_after=seconds("max_retry_after", max_retry_after),
        )

    def __repr__(self) -> str:
        fields = self.__dict__.items()
        changed = [
            f"{name}={value!r}" for name, value in fields if value != getattr(Transient, name)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __call__(self, error: BaseException, /) -> bool | TryAgain:
        """Tell whether *error* is transient: True, ``TryAgain`` with a hint, or False."""
        try:
            return self._judge(error, _DEEPEST) or False
        except Exception:  # noqa: BLE001 - what fights being looked at is nothing that is known
            return False

    def _judge(self, error: BaseException, depth: int) -> bool | TryAgain | None:
        """The verdict on *error*, or None where nothing is known of it."""
        if depth == 0:
            return None
        if isinstance(error, BaseExceptionGroup):
            members = _look(error, "exceptions")
            return _together([self._judge(member, depth - 1) for member in members])
        if self.methods is not None and _method(error) not in (None, *self.methods):
            return False
        name = _known_as(error)
        status = _status(name, error)
        if status is not None:
            return self._judge_answer(status, error)
        verdict = _DETAILS[name](error) if name in _DETAILS else _SETTLED.get(name)
        if verdict is not None or name not in _WRAPPERS:
            return verdict
        inside = _inside(name, error)
        inner = None if inside is None else self._judge(inside, depth - 1)
        return _WRAPPERS[name] if inner is None else inner

    def _judge_answer(self, status: int, error: BaseException) -> bool | TryAgain:
        if status not in self.statuses:
            return False
        after = retry_after(error)
        if after is None:
            return True
        return TryAgain(after=after) if after <= self.max_retry_after else False


def _together(verdicts: list[bool | TryAgain | None]) -> bool | TryAgain:
    """One verdict for errors that came together: retry only if all of them may pass."""
    if not all(verdicts):
        return False
    hints = [verdict.after or 0.0 for verdict in verdicts if isinstance(verdict, TryAgain)]
    return TryAgain(after=max(hints)) if hints else True


def _checked_statuses(value: Any) -> tuple[int, ...]:
    rule = "HTTP statuses, ints from 100 to 599"
    statuses = _checked_collection("statuses", value, rule)
    for status in statuses:
        if isinstance(status, bool) or not isinstance(status, int):
            refuse(TypeError, "statuses", status, rule)
        if not 100 <= status <= 599:
            refuse(ValueError, "statuses", status, rule)
    return tuple(sorted({int(status) for status in statuses}))


def _checked_methods(value: Any) -> tuple[str, ...]:
    rule = "names of HTTP methods, such as ('GET', 'PUT'), or None for all"
    methods = _checked_collection("methods", value, rule)
    for method in methods:
        if not isinstance(method, str):
            refuse(TypeError, "methods", method, rule)
        if method.split() != [method]:
            refuse(ValueError, "methods", method, rule)
    return tuple(sorted({method.upper() for method in methods}))


def _checked_collection(name: str, value: Any, rule: str) -> tuple[Any, ...]:
    # A lone string is a collection too, of its letters: surely not what was meant.
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        refuse(TypeError, name, value, rule)
    return tuple(value)


transient = Transient()
"""The ``Transient`` with nothing changed: ``on=web.transient``."""


_LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_RFC_850_DAYS = tuple(f"{name}," for name in _LONG_DAYS)
_IMF_DAYS = tuple(f"{name[:3]}," for name in _LONG_DAYS)
_DAYS = tuple(name[:3] for name in _LONG_DAYS)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = 719_163  # datetime.date(1970, 1, 1).toordinal()


def retry_after(source: object, /) -> float | None:
    """
    Read when the server asks to be called again: seconds from now, or None.

    ``Retry-After`` holds either digits, which are seconds, or a date, which is in
    GMT whatever the machine's zone and is held against the machine's clock.  All
    three forms of a date are read: ``Sun, 06 Nov 1994 08:49:37 GMT``,
    ``Sunday, 06-Nov-94 08:49:37 GMT`` and ``Sun Nov  6 08:49:37 1994``.  A leap
    second is the second after it, and a wrong day of the week is overlooked.

    Args:
        source: An error, a response or a mapping of headers, of any client; names
            of headers in any case.

    Returns:
        Seconds, at least 0: a date in the past is 0.0, a number beyond the range of
        floats is the largest float.  None where there is no such header, or more
        than one, or it holds anything else.

    Source:
        RFC 9110, sections 10.2.3 (Retry-After) and 5.6.7 (dates, and the rule that a
        year of two digits lies at most 50 years ahead).

    >>> retry_after({"retry-after": "120"})
    120.0
    >>> retry_after({"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"})
    0.0
    >>> retry_after({"Retry-After": "soon"}) is None
    True
    """
    value = _header(source)
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return min(float(value), sys.float_info.max)
    now = time.time()
    try:
        return max(0.0, _moment(value, now) - now)
    except ValueError:
        return None


def _header(source: Any) -> str | None:
    """The one Retry-After in *source*, its headers, or the headers of its response, stripped."""
    for headers in (source, _look(source, "headers"), _look(source, "response.headers")):
        try:
            found = [value for name, value in headers.items() if str(name).lower() == "retry-after"]
            if len(found) == 1 and isinstance(found[0], str):
                return str.strip(found[0], " \t")  # past any method of a subclass
        except Exception:  # noqa: BLE001, S112 - no mapping of headers; perhaps the next is
            continue
    return None


def _moment(text: str, now: float) -> float:
    """The HTTP-date *text* in seconds since the epoch; ValueError where it is none."""
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
    if len(text) == width and text.isascii() and text.isdigit():
        return int(text)
    raise ValueError(text)


def _whole_year(year: int, rest: tuple[int, ...], now: float) -> int:
    """The last year ending in *year* in which *rest* is at most 50 years from *now*."""
    today = time.gmtime(now)
    year += (today.tm_year // 100 + 1) * 100
    while (year, *rest) > (today.tm_year + 50, *today[1:6]):
        year -= 100
    return year


def _seconds_since_epoch(
    year: int, month: int, day: int, hour: int, minute: int, second: int
) -> float:
    from datetime import date  # only a server that sends dates makes us import it

    days = date(year, month, day).toordinal() - _EPOCH
    return days * 86_400.0 + hour * 3600 + minute * 60 + second
