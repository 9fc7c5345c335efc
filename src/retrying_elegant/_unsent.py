"""Unsent: which errors mean that the request was certainly never sent.

Owns ``web.unsent`` and its tables.  Leaves recognizing classes and looking inside errors to
``_web_names``.  Where an error can come from connecting and from sending alike, it does not
count: a request that may have been sent may have been executed.
"""

from __future__ import annotations

from ._reading import look
from ._web_names import DEEPEST, UNREACHABLE, every_address_failed, inside, known_as, names_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Each class comes from connecting, or from waiting for a place in the pool, alone.
_NEVER_SENT = names_in(
    """
    builtins.ConnectionRefusedError  socket.gaierror  ssl.SSLCertVerificationError
    requests.ConnectTimeout
    urllib3.NewConnectionError  urllib3.ConnectTimeoutError  urllib3.EmptyPoolError
    httpx.ConnectError  httpx.ConnectTimeout  httpx.PoolTimeout
    httpcore.ConnectError  httpcore.ConnectTimeout  httpcore.PoolTimeout
    aiohttp.ClientConnectorError  aiohttp.ConnectionTimeoutError  aiohttp.ServerFingerprintMismatch
    botocore.ConnectTimeoutError
    """
)

# What the error wraps decides; if there is none, or none that is known, this does.  aiobotocore
# raises EndpointConnectionError for connections that broke, too: it wraps what happened.
_WRAPPERS = {
    "urllib.URLError": False,
    "requests.ConnectionError": False,
    "urllib3.MaxRetryError": False,
    "urllib3.ProxyError": False,
    "urllib3.SSLError": False,
    "openai.APIConnectionError": False,
    "anthropic.APIConnectionError": False,
    "botocore.EndpointConnectionError": True,
    "botocore.ProxyConnectionError": False,
    "botocore.SSLError": False,
    "botocore.HTTPClientError": False,
}

# Reasons of OpenSSL, and alerts of the server, that occur only in a handshake.  Not among them is
# WRONG_VERSION_NUMBER: it is what anything but TLS looks like, in the middle of a connection too.
_HANDSHAKE = names_in(
    """
    CERTIFICATE_VERIFY_FAILED  DH_KEY_TOO_SMALL  NO_CIPHERS_AVAILABLE  NO_PROTOCOLS_AVAILABLE
    NO_SUITABLE_SIGNATURE_ALGORITHM  SSLV3_ALERT_HANDSHAKE_FAILURE
    TLSV1_ALERT_INSUFFICIENT_SECURITY  TLSV1_ALERT_PROTOCOL_VERSION  TLSV1_UNRECOGNIZED_NAME
    UNKNOWN_CIPHER_RETURNED  UNSAFE_LEGACY_RENEGOTIATION_DISABLED  UNSUPPORTED_PROTOCOL
    WRONG_CIPHER_RETURNED  WRONG_CURVE  WRONG_SIGNATURE_TYPE
    """
)

# Read past any attribute of a subclass: a real traceback has an end.
_TRACEBACK = vars(BaseException)["__traceback__"]


def _failed_handshake(error: BaseException) -> bool:
    return look(error, "reason") in _HANDSHAKE


def _could_not_connect(error: BaseException) -> bool:
    """A timeout, or a host out of reach: of those, only what was raised by connecting itself."""
    out_of_reach = isinstance(error, TimeoutError) or look(error, "errno") in UNREACHABLE
    return every_address_failed(error) or (out_of_reach and _raised_by_connecting(error))


def _raised_by_connecting(error: BaseException) -> bool:
    """Whether *error* was raised in ``socket.create_connection``, which does nothing else."""
    where = None
    traceback = _TRACEBACK.__get__(error)
    while traceback is not None:
        frame, traceback = traceback.tb_frame, traceback.tb_next
        where = (frame.f_globals.get("__name__"), frame.f_code.co_name)
    return where == ("socket", "create_connection")


_DETAILS: dict[str, Callable[[BaseException], bool]] = {
    "builtins.OSError": _could_not_connect,
    "ssl.SSLError": _failed_handshake,
}

_KNOWN = frozenset({*_NEVER_SENT, *_WRAPPERS, *_DETAILS})


def unsent(error: BaseException, /) -> bool:
    """
    Return whether the request was certainly never sent, so that sending it again is safe.

    That is so if no connection was made: the server refused it, the host could not be reached or
    its name not resolved, connecting or waiting for a place in the pool took too long, or the
    TLS handshake failed.  It is False for everything else, including a connection that was closed
    or reset, because the server may have executed the request.  Of an exception group, every
    member must be unsent.

    It speaks of the request that failed, not of earlier ones: switch off the client's own
    retries, and remember that the request before a redirect has been sent.

    Errors of urllib, http.client, socket, ssl, requests, niquests, urllib3, httpx, httpx2, aiohttp,
    openai, anthropic and botocore are recognized; none of them is imported.  Errors of gRPC are
    never unsent: a server that passes on the error of another server looks the same.

    >>> unsent(ConnectionRefusedError()), unsent(ConnectionResetError())
    (True, False)
    """
    try:
        return _judge(error, DEEPEST) or False
    except Exception:  # noqa: BLE001 - an error that resists being looked at is not known
        return False


def _judge(error: BaseException, depth: int) -> bool | None:
    """Whether *error* is unsent; None if it is not known."""
    if depth == 0:
        return None
    if isinstance(error, BaseExceptionGroup):
        members = error.exceptions
        return bool(members) and all(_judge(member, depth - 1) for member in members)
    name = known_as(error, _KNOWN)
    if name in _DETAILS:
        return _DETAILS[name](error)
    if name in _WRAPPERS:
        wrapped = inside(name, error)
        inner = None if wrapped is None else _judge(wrapped, depth - 1)
        return _WRAPPERS[name] if inner is None else inner
    if name in _NEVER_SENT:
        return True
    return False if known_as(error) else None
