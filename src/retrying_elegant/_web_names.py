"""Web, names: how the errors of each client are recognized, without importing any client.

Owns the tables of classes and reading what is inside an error: its status, its method, and the
error it wraps.  Leaves classifying to ``web`` and ``_unsent``.

Names have the form ``package.Class``, as in ``_reading``.  Of the classes that an error derives
from, the most specific one in a table counts.
"""

from __future__ import annotations

import errno

from ._reading import arguments, entry, first, look, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# --- transient or not -------------------------------------------------------------------------


def names_in(table: str) -> frozenset[str]:
    """Return the words of *table*."""
    return frozenset(table.split())


def _table(answer: bool | None, names: str) -> dict[str, bool | None]:
    """Return a table with one *answer* for many classes."""
    return dict.fromkeys(names_in(names), answer)


# The class alone decides.
SETTLED = {
    **_table(
        True,
        """
        builtins.ConnectionError  builtins.TimeoutError
        ssl.SSLEOFError  ssl.SSLSyscallError  ssl.SSLZeroReturnError
        http.IncompleteRead  urllib.ContentTooShortError
        requests.Timeout
        urllib3.TimeoutError  urllib3.EmptyPoolError
        httpx.TimeoutException  httpcore.TimeoutException
        openai.APITimeoutError  anthropic.APITimeoutError
        botocore.ConnectTimeoutError  botocore.ReadTimeoutError  botocore.IncompleteReadError
        """,
    ),
    # Listed because a base class, or the error around them, would say otherwise.
    **_table(
        False,
        """
        ssl.SSLError  http.HTTPException
        urllib3.ClosedPoolError  urllib3.ResponseNotChunked
        httpx.RequestError  httpx.InvalidURL  httpx.StreamError
        aiohttp.ContentEncodingError  aiohttp.ServerFingerprintMismatch
        """,
    ),
}

# The wrapped error decides; if it is missing or unknown: transient, not transient, or unknown.
WRAPPERS = {
    **_table(
        True,
        """
        requests.ConnectionError  requests.ChunkedEncodingError
        urllib3.NewConnectionError  urllib3.ProtocolError
        httpx.NetworkError  httpx.RemoteProtocolError
        httpcore.NetworkError  httpcore.RemoteProtocolError
        aiohttp.ClientConnectionError  aiohttp.ClientPayloadError
        openai.APIConnectionError  anthropic.APIConnectionError
        botocore.ConnectionError  botocore.ConnectionClosedError  botocore.ResponseStreamingError
        """,
    ),
    **_table(
        False,
        """
        requests.SSLError
        urllib3.NameResolutionError  urllib3.SSLError
        aiohttp.ClientConnectorDNSError  aiohttp.ClientSSLError
        botocore.SSLError
        """,
    ),
    **_table(
        None,
        """
        builtins.OSError
        requests.RetryError
        urllib3.MaxRetryError  urllib3.ProxyError
        botocore.HTTPClientError
        google.api_core.RetryError
        """,
    ),
}

# The status of the response decides: the attribute that holds it, or the words just before it.
STATUS_AT = {
    "urllib.HTTPError": "code",
    "requests.HTTPError": "response.status_code",
    "httpx.HTTPStatusError": "response.status_code",
    "aiohttp.ClientResponseError": "status",
    "openai.APIStatusError": "status_code",
    "anthropic.APIStatusError": "status_code",
    "google.api_core.GoogleAPICallError": "code",
}
STATUS_AFTER = {
    "builtins.OSError": "Tunnel connection failed: ",  # http.client, of a proxy's response
    "httpx.ProxyError": "",
    "httpcore.ProxyError": "",
    "urllib3.ResponseError": "too many ",
}


# The code of the error decides; if it is unknown, the status does, if there is one.
_GRPC_CODES = {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED", "DEADLINE_EXCEEDED"}
# What the standard mode of AWS's SDKs retries: throttling, and the two that mean a timeout.
_AWS_CODES = names_in(
    """
    BandwidthLimitExceeded  EC2ThrottledException  LimitExceededException  PriorRequestNotComplete
    ProvisionedThroughputExceededException  RequestLimitExceeded  RequestThrottled
    RequestThrottledException  SlowDown  ThrottledException  Throttling  ThrottlingException
    TooManyRequestsException  TransactionInProgressException
    RequestTimeout  RequestTimeoutException
    """
)


def _grpc_code(error: Any) -> bool:
    return look(error.code(), "name") in _GRPC_CODES  # a bare RpcError has no code, and raises


def _aws_code(error: BaseException) -> bool:
    return entry(look(error, "response"), "Error", "Code") in _AWS_CODES


CODES: dict[str, Callable[[BaseException], bool]] = {
    "grpc.RpcError": _grpc_code,
    "botocore.ClientError": _aws_code,
    "google.api_core.Aborted": lambda error: True,  # it shares its status, 409, with others
}

# Network errors for which Python has no class.
UNREACHABLE = frozenset(
    getattr(errno, name)
    for name in ("ENETDOWN", "ENETUNREACH", "ENETRESET", "EHOSTDOWN", "EHOSTUNREACH")
    if hasattr(errno, name)  # not every system has all of them
)
_ARES_TEMPORARY = (3, 11, 12)  # c-ares: server failure, no contact with a server, timeout


def _network_trouble(error: BaseException) -> bool | None:
    """Classify an OSError by its number; None without one, as in URLError."""
    number = look(error, "errno")
    if number is not None:
        return number in UNREACHABLE
    return True if every_address_failed(error) else None


def every_address_failed(error: BaseException) -> bool:
    """Return whether asyncio found several addresses of a name, and could connect to none."""
    return text(error).startswith("Multiple exceptions: ")


def _resolver_did_not_answer(error: BaseException) -> bool:
    """Return whether a resolver did not answer; a name that does not exist is permanent."""
    from socket import EAI_AGAIN  # already imported: the error is one of socket's

    return bool(look(error, "errno") == EAI_AGAIN)


def _ares_did_not_answer(error: BaseException) -> bool:
    """Return the same for aiohttp's optional resolver, which has numbers of its own."""
    return first(error) in _ARES_TEMPORARY


def _cut_off(error: BaseException) -> bool:
    """Return whether a response ended early; h11 has the same class for one that is not HTTP."""
    return "closed connection" in text(error)


def _not_http(error: BaseException) -> bool | None:
    """Recognize a response that is not HTTP; of h11's error, urllib3-future keeps only the text."""
    return False if text(error).startswith(("illegal ", "malformed ")) else None


# The class is not enough: a function of the error decides; None leaves it open.
DETAILS: dict[str, Callable[[BaseException], bool | None]] = {
    "builtins.OSError": _network_trouble,
    "socket.gaierror": _resolver_did_not_answer,
    "aiodns.DNSError": _ares_did_not_answer,
    "h11.RemoteProtocolError": _cut_off,
    "urllib3.ProtocolError": _not_http,
}

KNOWN = frozenset({*SETTLED, *WRAPPERS, *STATUS_AT, *STATUS_AFTER, *CODES, *DETAILS})

# --- what is in an error ----------------------------------------------------------------------

_INSIDE = ("reason", "_reason", "original_error", "os_error", "__cause__")
# Release 1 of urllib3 has the origin in the context only.  No other error's context is read: it
# may be any error that was being handled when the call was made.
_INSIDE_OF = {"urllib3.NewConnectionError": ("__cause__", "__context__")}
_METHOD_AT = ("request.method", "request_info.method", "response.request.method", "fp._method")


def inside(name: str, error: BaseException) -> BaseException | None:
    """Return the error that *error*, a *name*, wraps, if any."""
    attributes = [look(error, attribute) for attribute in _INSIDE_OF.get(name, _INSIDE)]
    in_botocore = entry(look(error, "kwargs"), "error")
    for found in (*attributes, in_botocore, *arguments(error)):
        if isinstance(found, BaseException):
            return found
    return None


def status_of(name: str, error: BaseException) -> int | None:
    """Return the HTTP status in *error*, a *name*, if there is one."""
    if name == "botocore.ClientError":
        status = entry(look(error, "response"), "ResponseMetadata", "HTTPStatusCode")
    elif name in STATUS_AFTER:
        words, prefix = text(error), STATUS_AFTER[name]
        digits = words.removeprefix(prefix)[:3]
        number = words.startswith(prefix) and digits.isascii() and digits.isdigit()
        status = int(digits) if number else None
    else:
        status = look(error, STATUS_AT[name]) if name in STATUS_AT else None
    return status if isinstance(status, int) else None


def method_of(error: BaseException) -> str | None:
    """Return the method of the request that failed, in capitals, if *error* knows it."""
    for path in _METHOD_AT:
        method = look(error, path)
        if isinstance(method, str):
            return method.upper()
    return None
