"""Cases for fuzzing ``web``: what any bytes, those of a fuzzer above all, come to.

Owns the making of texts, dates, sources of headers and errors from bytes, and what has to hold of
the library's answers to them.  Leaves the right reading of a text to ``fuzz_oracle``, and where
the bytes come from to who calls: ``fuzz`` (coverage-guided) or the unit tests (hypothesis).

Each case is made of choices, one after the other; where the bytes end, the first choice is taken.
"""

from __future__ import annotations

import email.message
import email.utils
import http.client
import io
import math
import types
import urllib.error
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

import fuzz_oracle as oracle

from retrying_elegant import TryAgain, web

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Stubborn:
    """Refuses to be compared, tested, shown, gone through or counted."""

    def refuse(self, *args: Any) -> Any:
        raise RuntimeError("no")

    __eq__ = __bool__ = __str__ = __repr__ = __iter__ = __len__ = __contains__ = refuse
    __hash__ = refuse


class StubbornStr(str):
    """A text that cannot be read by its own methods."""

    __slots__ = ()
    __eq__ = strip = lower = upper = startswith = isdigit = isascii = split = Stubborn.refuse
    __hash__ = str.__hash__


class StubbornInt(int):
    """A number that cannot be compared."""

    __eq__ = __lt__ = Stubborn.refuse
    __hash__ = int.__hash__


STUBBORN = [Stubborn(), StubbornStr("503"), StubbornInt(503), mock.Mock(), mock.Mock(spec=str)]
STUBBORN += [mock.MagicMock(spec=int), 5, None]

# Characters that some reading of a number, though not that of the standard, would take.
ODD = [*"+-._eExX,:;'\"() \t\n\r\v\f\x00\xa0\u2003\u200b", *"²¹½Ⅷ٠١٢०１２〇𝟙", "\ud800"]
SHORT_DAYS = [day[:3] for day in oracle.DAYS]
TOKENS = [*oracle.DAYS, *SHORT_DAYS, *oracle.MONTHS, "GMT", "UTC", "gmt", "+0000", *", -:0159"]
TOKENS += ["00", "06", "29", "30", "31", "59", "60", "1994", "2026", "9999", "94", ", ", "  ", *ODD]


class Choices:
    """What *data* chooses; when it has run out, the first of everything."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, below: int) -> int:
        """A number from 0 up to but not including *below*."""
        width = (max(below - 1, 1).bit_length() + 7) // 8
        taken = self._data[self._at : self._at + width]
        self._at += width
        return int.from_bytes(taken, "big") % below

    def one_of(self, things: Sequence[Any]) -> Any:
        return things[self.number(len(things))]

    def some_of(self, things: Sequence[str], most: int) -> str:
        return "".join(self.one_of(things) for _ in range(self.number(most + 1)))

    def rest(self) -> bytes:
        taken = self._data[self._at :]
        self._at = len(self._data)
        return taken


class Text(NamedTuple):
    """What a header says; *moment* where it was written from one."""

    value: str
    moment: datetime | None = None


class Case(NamedTuple):
    """A *source* to show to ``web.retry_after``, with *text* in it, and the right answer."""

    now: float
    text: str
    source: Any
    expected: float | None


# --- texts ------------------------------------------------------------------------------------


def imf_fixdate(moment: datetime) -> str:
    return email.utils.format_datetime(moment, usegmt=True)


def rfc_850(moment: datetime) -> str:
    day, month = oracle.DAYS[moment.weekday()], oracle.MONTHS[moment.month - 1]
    return f"{day}, {moment.day:02}-{month}-{moment.year % 100:02} {moment:%H:%M:%S} GMT"


def asctime(moment: datetime) -> str:
    day, month = oracle.DAYS[moment.weekday()][:3], oracle.MONTHS[moment.month - 1]
    return f"{day} {month} {moment.day:2} {moment:%H:%M:%S} {moment.year:04}"


def a_moment(choices: Choices, low: datetime, high: datetime) -> datetime:
    """A moment in whole seconds, from *low* to *high*."""
    return low + timedelta(seconds=choices.number(int((high - low).total_seconds()) + 1))


def a_now(choices: Choices) -> float:
    """What the clock says: from 1970 to 9900, in quarters of a second."""
    low, high = oracle.EPOCH, datetime(9900, 1, 1, tzinfo=UTC)
    moment = a_moment(choices, datetime(2026, 11, 20, tzinfo=UTC), high)
    if choices.number(4) == 3:
        moment = a_moment(choices, low, high)
    return (moment - oracle.EPOCH).total_seconds() + choices.number(4) / 4


def a_date(choices: Choices, now: float) -> Text:
    """One of the three forms of any moment that it can hold."""
    form = choices.one_of([imf_fixdate, rfc_850, asctime])
    today = oracle.EPOCH + timedelta(seconds=int(now))
    if choices.number(2):  # near the clock, where the answer is not just 0
        far = 86_400 * 400
        moment = today + timedelta(seconds=choices.number(2 * far + 1) - far)
    elif form is rfc_850:  # a century, and of the 100 years that two digits tell apart the latest
        years = 365 * 49
        moment = today + timedelta(days=choices.number(2 * years) - years)
    else:
        low = datetime(1, 1, 1, tzinfo=UTC)
        moment = a_moment(choices, low, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    if form is rfc_850 and not 1 <= moment.year <= 9950:
        moment = today
    return Text(form(moment), moment)


def digits(choices: Choices, now: float) -> Text:
    return Text(choices.some_of("0123456789", choices.one_of([3, 12, 400])) or "0")


def nearly_digits(choices: Choices, now: float) -> Text:
    number = digits(choices, now).value[:20]
    place = choices.number(len(number) + 1)
    return Text(number[:place] + choices.one_of(ODD) + number[place + choices.number(2) :])


def nearly_a_date(choices: Choices, now: float) -> Text:
    text = a_date(choices, now).value
    for _ in range(1 + choices.number(3)):
        place = choices.number(len(text) + 1)
        end = place + choices.number(6)
        text = text[:place] + choices.one_of(["", *TOKENS]) + text[end:]
    return Text(text)


def parts_of_dates(choices: Choices, now: float) -> Text:
    return Text(choices.some_of(TOKENS, 12))


def with_blanks(choices: Choices, now: float) -> Text:
    text = choices.one_of([digits, a_date])(choices, now)
    before, after = (choices.some_of(" \t", 3) for _ in range(2))
    return text._replace(value=before + text.value + after)


def as_it_comes(choices: Choices, now: float) -> Text:
    codec = choices.one_of(["latin-1", "utf-8"])
    return Text(choices.rest().decode(codec, "surrogateescape"))


TEXTS = [as_it_comes, digits, nearly_digits, a_date, nearly_a_date, parts_of_dates, with_blanks]


# --- sources ----------------------------------------------------------------------------------


class Trap:
    """Raises whatever is looked at, but for what it is given."""

    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class NamelessError(Exception):
    """The name of a header that cannot be told."""

    def __str__(self) -> str:
        raise RuntimeError("no name")


class Items:
    """Headers that give whatever *items* are."""

    def __init__(self, items: Any) -> None:
        self._items = items

    def items(self) -> Any:
        if isinstance(self._items, Exception):
            raise self._items
        return self._items


def a_message(name: str, value: Any, kind: type[email.message.Message]) -> Any:
    message = kind()
    message["Server"] = "x"
    message[name] = value
    return message


def an_answer(headers: Any) -> urllib.error.HTTPError:
    error = urllib.error.HTTPError("http://x/", 503, "", headers, io.BytesIO())
    error.close()  # it is a response as well
    return error


def an_error(**attributes: Any) -> Exception:
    error = Exception("what a client raises")
    error.__dict__.update(attributes)
    return error


# What holds one header, and is read.
HEADERS: list[Callable[[str, Any], Any]] = [
    lambda name, value: {name: value},
    lambda name, value: {"Server": "x", name: value, b"bytes": b"", None: 1},
    lambda name, value: a_message(name, value, email.message.Message),
    lambda name, value: a_message(name, value, http.client.HTTPMessage),
    lambda name, value: types.MappingProxyType({name: value}),
    lambda name, value: Items(iter([("a", "1"), (name, value)])),
    lambda name, value: {name: StubbornStr(value)},
    lambda name, value: {name.encode(): value, "retry-after-ms": "1.5"},
    lambda name, value: {"Date": "now", name: value, b"date": b"now"},
    lambda name, value: {"x-should-retry": "true", name: value},
]
HOLDERS: list[Callable[[Any], Any]] = [
    lambda headers: headers,
    lambda headers: types.SimpleNamespace(headers=headers),
    lambda headers: types.SimpleNamespace(response=types.SimpleNamespace(headers=headers)),
    lambda headers: an_error(headers=headers),
    lambda headers: an_error(response=types.SimpleNamespace(headers=headers)),
    lambda headers: an_error(headers=None, response=Trap(headers=headers)),
    lambda headers: Trap(headers=headers),
    an_answer,
]
# What holds none that can be read: two, none, in other clothes, or behind something broken.
UNREADABLE: list[Callable[[str, str], Any]] = [
    lambda name, value: {name: value, "RETRY-after": "1", "retry-AFTER": "1"},
    lambda name, value: [(name, value)],
    lambda name, value: ((name, value),),
    lambda name, value: f"{name}: {value}",
    lambda name, value: value,
    lambda name, value: {name: value.encode("utf-8", "surrogatepass")},
    lambda name, value: {name: value, name.encode(): value.encode("utf-8", "surrogatepass")},
    lambda name, value: {name.encode(): bytearray(b"7")},
    lambda name, value: {name: [value]},
    lambda name, value: {name: None},
    lambda name, value: {name: 7},
    lambda name, value: {name: Trap()},
    lambda name, value: {f" {name}": value, f"{name}:": value},
    lambda name, value: Items(RuntimeError()),
    lambda name, value: Items(None),
    lambda name, value: Items([name, value]),
    lambda name, value: Items([(name, value, value)]),
    lambda name, value: Items([(NamelessError(), "1"), (name, value)]),
    lambda name, value: Items(_broken_off(name, value)),
    lambda name, value: {name: mock.Mock(spec=str)},
    lambda name, value: {name: Stubborn()},
    lambda name, value: {StubbornStr(" "): value},
    lambda name, value: Stubborn(),
    lambda name, value: Trap(),
    lambda name, value: NamelessError(value),
    lambda name, value: None,
    lambda name, value: int,
]


def _broken_off(name: str, value: str) -> Any:
    yield name, value
    raise RuntimeError("the rest cannot be had")


def retry_after_case(data: bytes) -> Case:
    """The case that *data* stands for."""
    choices = Choices(data)
    readable = choices.number(4) != 3
    make = choices.one_of(TEXTS)
    source = choices.one_of(HEADERS if readable else UNREADABLE)
    holder = choices.one_of(HOLDERS)
    letters = [(str.upper, str.lower)[choices.number(2)](letter) for letter in "Retry-After"]
    now = a_now(choices)
    text = make(choices, now)
    name = "".join(letters)
    thing = holder(source(name, text.value))
    if not readable:
        return Case(now, text.value, thing, None)
    beside = choices.number(8)
    if beside == 6:  # the clock of the server, which is not ours
        there = a_now(choices) // 1
        date = imf_fixdate(oracle.EPOCH + timedelta(seconds=there))
        thing = holder({name: text.value, "Date": date})
        return Case(now, text.value, thing, oracle.seconds(text.value, there))
    if beside == 7:
        milliseconds = digits(choices, now).value
        thing = holder({name: text.value, "Retry-After-Ms": milliseconds})
        return Case(now, text.value, thing, oracle.thousandths(milliseconds))
    expected = oracle.seconds(text.value, now)
    if text.moment is not None:  # the oracle is not to be believed either
        since_epoch = (text.moment - oracle.EPOCH) // timedelta(seconds=1)
        assert expected == max(0.0, since_epoch - now), (text, now, expected)
    return Case(now, text.value, thing, expected)


def check_retry_after(case: Case) -> None:
    """It never raises, and gives the right answer: None, or a finite number of seconds >= 0."""
    with oracle.clock_at(case.now):
        answer = web.retry_after(case.source)
    assert answer is None or (type(answer) is float and math.isfinite(answer) and answer >= 0)
    assert answer == case.expected, (case, answer)


# --- errors -----------------------------------------------------------------------------------

# The names in the tables of web, and some that are in none.
NAMES = [
    *("x.Error", "builtins.OSError", "builtins.ConnectionError", "builtins.TimeoutError"),
    *("socket.gaierror", "ssl.SSLError", "ssl.SSLEOFError", "ssl.SSLCertVerificationError"),
    *("http.client.HTTPException", "http.client.IncompleteRead", "http.client.BadStatusLine"),
    *("urllib.error.HTTPError", "urllib.error.URLError", "urllib.error.ContentTooShortError"),
    *("requests.HTTPError", "requests.ConnectionError", "requests.Timeout", "requests.SSLError"),
    *("requests.exceptions.ChunkedEncodingError", "requests.ProxyError", "requests.RetryError"),
    *("urllib3.MaxRetryError", "urllib3.ProtocolError", "urllib3.ResponseError"),
    *("urllib3.NewConnectionError", "urllib3.NameResolutionError", "urllib3.ProxyError"),
    *("httpx.HTTPStatusError", "httpx.ProxyError", "httpx.NetworkError", "httpx.TimeoutException"),
    *("httpx.RemoteProtocolError", "h11.RemoteProtocolError", "httpcore.ConnectError"),
    *("aiohttp.ClientResponseError", "aiohttp.ClientConnectorError", "aiohttp.ClientPayloadError"),
    *("aiohttp.ClientConnectorDNSError", "aiohttp.ClientSSLError", "aiodns.DNSError"),
    *("httpx2.ConnectError", "httpcore2.ReadTimeout", "niquests.ConnectTimeout", "grpc.RpcError"),
    *("openai.APIConnectionError", "openai.APIStatusError", "anthropic.APITimeoutError"),
    *("botocore.exceptions.ClientError", "botocore.exceptions.EndpointConnectionError"),
    *("google.api_core.exceptions.Aborted", "google.api_core.exceptions.GoogleAPICallError"),
]
BASES = [Exception, OSError, ConnectionResetError, TimeoutError, ExceptionGroup]
ATTRIBUTES = ["code", "status", "response", "headers", "errno", "reason", "args", "os_error"]
ATTRIBUTES += ["request", "request_info", "fp", "__cause__", "__context__"]
ATTRIBUTES += ["status_code", "kwargs", "trailing_metadata", "__traceback__"]
OF_CLASSES = [*ATTRIBUTES, "exceptions", "__str__", "__module__", "__class__", "__bool__"]
VALUES = [None, True, 0, 3, 11, 101, 407, 408, 429, 503, -2, 10**30, 1.5, math.nan, "", "503"]
VALUES += ["GET", "post", b"GET", (), (None,), ("11",), [], {}, object(), int]
# What SDKs keep: AWS's response, what botocore wraps, and gRPC's code and trailing metadata.
AWS = {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
VALUES += [AWS, {**AWS, "Error": {"Code": []}}, {"ResponseMetadata": {"HTTPHeaders": {"date": 1}}}]
VALUES += [{"error": ConnectionRefusedError()}, {"error": 7}]
VALUES += [lambda: types.SimpleNamespace(name="UNAVAILABLE"), list, lambda: 7]
VALUES += [lambda: [("grpc-retry-pushback-ms", "1500")], lambda: [("grpc-retry-pushback-ms", "-1")]]
TEXTS_OF_ERRORS = ["", "503", "503 Service", "Tunnel connection failed: 502", "too many 503 x"]
TEXTS_OF_ERRORS += ["peer closed connection", "Multiple exceptions: x", "²²²", "5", "\ud800"]
FILTERS = [
    web.transient,
    web.Transient(max_retry_after=0),
    web.Transient(methods=["GET"]),
    web.Transient(methods=(), max_retry_after=1e300),
    web.Transient(statuses=(), max_retry_after=7),
]


def a_value(choices: Choices, depth: int) -> Any:
    """What an attribute of an error may hold."""
    kind = choices.number(7)
    if kind == 6:
        return choices.one_of(STUBBORN)
    if kind == 0:
        return choices.one_of(VALUES)
    if kind == 1 and depth:
        return a_failure(choices, depth - 1)
    if kind == 2:
        return Trap()
    if kind == 3:
        status = choices.one_of(VALUES)
        method = choices.one_of(VALUES)
        headers = retry_after_case(bytes([0, choices.number(len(TEXTS))])).source
        request = types.SimpleNamespace(method=method)
        return Trap(status_code=status, headers=headers, request=request, _method=method)
    if kind == 4 and depth:
        return (a_failure(choices, depth - 1), choices.one_of(VALUES))
    return types.SimpleNamespace(method=choices.one_of(VALUES), status_code=choices.one_of(VALUES))


def a_failure(choices: Choices, depth: int = 3) -> BaseException:
    """An error in the clothes of some client's, whose attributes hold or do anything."""
    module, _, name = choices.one_of(NAMES).rpartition(".")
    base = choices.one_of(BASES)
    body: dict[str, Any] = {"__module__": module}
    if choices.number(4) == 3:
        attribute, value = choices.one_of(OF_CLASSES), choices.one_of(STUBBORN)
        as_property = property(lambda self: value)
        made = {"__str__": lambda self: value, "__class__": as_property, "exceptions": as_property}
        body[attribute] = made.get(attribute, value)
    cls: Any = type(name, (base,), body)
    text = choices.one_of(TEXTS_OF_ERRORS)
    if base is ExceptionGroup:
        members = range(1 + choices.number(3))
        error = cls(text, [a_failure(choices, depth - 1) if depth else OSError() for _ in members])
    else:
        error = cls(text)
    for _ in range(choices.number(4)):
        attribute = choices.one_of(ATTRIBUTES)
        value = error if choices.number(8) == 7 else a_value(choices, depth)
        try:
            setattr(error, attribute, value)
        except (TypeError, AttributeError, RuntimeError):
            setattr(cls, attribute, property(lambda self: self.nothing))  # raises when looked at
    return error


def check_transient(data: bytes) -> None:
    """
    A result for any error, and twice the same: True, False, or a hint within its limit.

    A hint beyond it is why an error is not transient, and ``unsent`` has an answer as well.
    """
    choices = Choices(data)
    judge = choices.one_of(FILTERS)
    error = a_failure(choices)
    with oracle.clock_at(0):
        verdict, again = judge(error), judge(error)
    assert type(verdict) in (bool, TryAgain), verdict
    if isinstance(verdict, TryAgain):
        assert 0 <= verdict.after <= judge.max_retry_after
        verdict, again = verdict.after, again.after
    assert verdict == again
    with oracle.clock_at(0):
        refused, unsent = judge._refused_hint(error), web.unsent(error)
    assert refused is None or (verdict is False and refused > judge.max_retry_after)
    assert type(unsent) is bool
    assert unsent is web.unsent(error)


def check(data: bytes) -> None:
    """Both, as the first byte says."""
    if data[:1] == b"\xff":
        check_transient(data[1:])
    else:
        check_retry_after(retry_after_case(data))
