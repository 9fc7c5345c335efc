"""Unsent: which errors mean that the request was certainly never sent.

Owns ``web.unsent`` and its tables.  Leaves recognizing classes and looking inside errors to
``_web_names``.  An error that can come from connecting as well as from sending does not count,
because a request that may have been sent may have been executed.
"""

from __future__ import annotations

from ._reading import known_as, look, result_for
from ._tracebacks import leaves
from ._web_names import KNOWN, UNREACHABLE, every_address_failed, inside, names_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ._reading import Judge

# Each of these classes comes only from connecting, or from waiting for a place in the pool.
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

# The wrapped error decides; if there is none, or it is unknown, this value does.  aiobotocore also
# raises EndpointConnectionError for connections that broke, and wraps the error then.
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

# Reasons of OpenSSL, and alerts of the server, that occur only in a handshake.  This does not
# include WRONG_VERSION_NUMBER, which any data but TLS causes, even in the middle of a connection.
_HANDSHAKE = names_in(
    """
    CERTIFICATE_VERIFY_FAILED  DH_KEY_TOO_SMALL  NO_CIPHERS_AVAILABLE  NO_PROTOCOLS_AVAILABLE
    NO_SUITABLE_SIGNATURE_ALGORITHM  SSLV3_ALERT_HANDSHAKE_FAILURE
    TLSV1_ALERT_INSUFFICIENT_SECURITY  TLSV1_ALERT_PROTOCOL_VERSION  TLSV1_UNRECOGNIZED_NAME
    UNKNOWN_CIPHER_RETURNED  UNSAFE_LEGACY_RENEGOTIATION_DISABLED  UNSUPPORTED_PROTOCOL
    WRONG_CIPHER_RETURNED  WRONG_CURVE  WRONG_SIGNATURE_TYPE
    """
)

# Bypasses attributes of subclasses: a real traceback has an end.
_TRACEBACK = vars(BaseException)["__traceback__"]


def _failed_handshake(error: BaseException) -> bool:
    return look(error, "reason") in _HANDSHAKE


def _could_not_connect(error: BaseException) -> bool:
    """Return whether a timeout, or an unreachable host, was raised by connecting itself."""
    out_of_reach = isinstance(error, TimeoutError) or look(error, "errno") in UNREACHABLE
    return every_address_failed(error) or (out_of_reach and _raised_by_connecting(error))


def _raised_by_connecting(error: BaseException) -> bool:
    """Return whether ``socket.create_connection``, which only connects, raised *error*."""
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

_OURS = frozenset({*_NEVER_SENT, *_WRAPPERS, *_DETAILS})


def unsent(error: BaseException, /) -> bool:
    """
    Return whether the request was certainly never sent, so that sending it again is safe.

    This is the case if no connection was made: the server refused it, the host could not be
    reached or its name not resolved, connecting or waiting for a place in the pool took too long,
    or the TLS handshake failed.  It is False for everything else, including a connection that was
    closed or reset, because the server may have executed the request.  An exception group is unsent
    if every member is.

    The result is about the request that failed, not about earlier ones: turn off the client's own
    retries, and remember that the request before a redirect has been sent.

    Errors of urllib, http.client, socket, ssl, requests, niquests, urllib3, httpx, httpx2, aiohttp,
    openai, anthropic and botocore are recognized; none of them is imported.  Errors of gRPC are
    never unsent: a server that passes on the error of another server looks the same.

    >>> unsent(ConnectionRefusedError()), unsent(ConnectionResetError())
    (True, False)
    """
    return result_for(error, _judge) or False


def _judge(error: BaseException, judge: Judge) -> bool | None:
    """Return whether *error* is unsent, None if it is unknown; *judge* does the same inside it."""
    if isinstance(error, BaseExceptionGroup):
        return all(judge(leaf) for leaf in leaves(error))
    name = known_as(error, _OURS)
    if name in _DETAILS:
        return _DETAILS[name](error)
    if name in _WRAPPERS:
        inner: bool | None = judge(inside(name, error))
        return _WRAPPERS[name] if inner is None else inner
    if name in _NEVER_SENT:
        return True
    return False if known_as(error, KNOWN) else None
