"""Section 9 of the contract: which requests were certainly never sent, without any client at hand.

What the clients really raise is tried over the wire, in ``tests/integration``.
"""

import errno
import http.client
import socket
import ssl
import types
import urllib.error
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_parts import answered, caused, fake, header

from retrying_elegant import retry, web


def tls(reason, cls=ssl.SSLError):
    """An error of ssl with *reason*, as OpenSSL gives it."""
    error = cls(1, f"[SSL: {reason}] {reason.lower().replace('_', ' ')} (_ssl.c:1006)")
    error.reason = reason
    return error


def connecting(error, module="socket"):
    """*error* as it is raised by ``socket.create_connection``: by a function of that name."""
    names = {"__name__": module}
    exec("def create_connection(error): raise error", names)
    try:
        names["create_connection"](error)
    except type(error):
        return error


def elsewhere(error):
    """*error* as it is raised by sending."""
    try:
        raise error
    except type(error):
        return error


class TestTrue:
    """True where no connection was made: refused, unknown host, connect or pool timeout, TLS."""

    @pytest.mark.parametrize(
        "error",
        [
            ConnectionRefusedError(),
            OSError(errno.ECONNREFUSED, "Connection refused"),
            OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 101] ..."),
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            ssl.SSLCertVerificationError(1, "certificate verify failed"),
            tls("CERTIFICATE_VERIFY_FAILED", ssl.SSLCertVerificationError),
            urllib.error.URLError(ConnectionRefusedError()),
            urllib.error.URLError(socket.gaierror(socket.EAI_NONAME, "")),
            urllib.error.URLError(ssl.SSLCertVerificationError(1, "")),
        ],
        ids=repr,
    )
    def test_of_the_standard_library(self, error):
        """The class, or the number, comes from connecting alone."""
        assert web.unsent(error) is True

    @pytest.mark.parametrize(
        "name",
        [
            "requests.exceptions.ConnectTimeout",
            "niquests.exceptions.ConnectTimeout",
            "urllib3.exceptions.NewConnectionError",
            "urllib3.exceptions.ConnectTimeoutError",
            "urllib3.exceptions.EmptyPoolError",
            "urllib3_future.exceptions.NewConnectionError",
            "httpx.ConnectError",
            "httpx.ConnectTimeout",
            "httpx.PoolTimeout",
            "httpx2.ConnectError",
            "httpcore._exceptions.ConnectError",
            "httpcore._exceptions.ConnectTimeout",
            "httpcore2._exceptions.PoolTimeout",
            "aiohttp.client_exceptions.ClientConnectorError",
            "aiohttp.client_exceptions.ConnectionTimeoutError",
            "aiohttp.client_exceptions.ServerFingerprintMismatch",
            "botocore.exceptions.ConnectTimeoutError",
            "botocore.exceptions.EndpointConnectionError",
        ],
    )
    def test_of_clients(self, name):
        """By the class, whatever it wraps or lacks."""
        assert web.unsent(fake(name)) is True

    @pytest.mark.parametrize(
        "inner",
        [
            OSError(errno.EHOSTUNREACH, "No route to host"),
            ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
            TimeoutError(),
            ValueError(),
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("name", ["httpx.ConnectError", "aiohttp.ClientConnectorError"])
    def test_a_class_of_connecting_alone(self, name, inner):
        """An unroutable host or a failed handshake counts there, whatever it looked like."""
        assert web.unsent(caused(fake(name), inner)) is True

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda it: fake("requests.exceptions.ConnectionError", it),
            lambda it: fake("urllib3.exceptions.MaxRetryError", "/", reason=it),
            lambda it: fake("urllib3.exceptions.ProxyError", "why", it),
            lambda it: fake("urllib3.exceptions.SSLError", it),
            lambda it: fake("botocore.exceptions.SSLError", kwargs={"error": it}),
            lambda it: fake("botocore.exceptions.ProxyConnectionError", kwargs={"error": it}),
            lambda it: fake("botocore.exceptions.EndpointConnectionError", kwargs={"error": it}),
            lambda it: fake("botocore.exceptions.HTTPClientError", kwargs={"error": it}),
            lambda it: caused(fake("openai.APIConnectionError"), it),
            lambda it: caused(fake("anthropic._exceptions.APIConnectionError"), it),
            urllib.error.URLError,
            lambda it: ExceptionGroup("", [it, ConnectionRefusedError()]),
        ],
    )
    @pytest.mark.parametrize(
        ("inner", "expected"),
        [
            (ConnectionRefusedError(), True),
            (fake("urllib3.exceptions.NewConnectionError"), True),
            (ssl.SSLCertVerificationError(), True),
            (ConnectionResetError(), False),
            (fake("urllib3.exceptions.ProtocolError", "Connection aborted."), False),
            (ExceptionGroup("", [ConnectionRefusedError(), ConnectionResetError()]), False),
        ],
        ids=repr,
    )
    def test_what_it_wraps_decides(self, wrap, inner, expected):
        """However deep it is."""
        assert web.unsent(wrap(inner)) is expected
        assert web.unsent(wrap(wrap(inner))) is expected

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("requests.exceptions.ConnectionError", False),
            ("urllib3.exceptions.MaxRetryError", False),
            ("urllib3.exceptions.ProxyError", False),
            ("urllib3.exceptions.SSLError", False),
            ("openai.APIConnectionError", False),
            ("anthropic.APIConnectionError", False),
            ("botocore.exceptions.EndpointConnectionError", True),
            ("botocore.exceptions.ProxyConnectionError", False),
            ("botocore.exceptions.SSLError", False),
            ("botocore.exceptions.HTTPClientError", False),
        ],
    )
    @pytest.mark.parametrize("inner", [None, ValueError(), KeyError("?")], ids=repr)
    def test_where_it_wraps_nothing_that_is_known(self, name, expected, inner):
        """Only the error of botocore that comes from connecting alone counts."""
        assert web.unsent(caused(fake(name), inner)) is expected


class TestConnecting:
    """A timeout, and an unroutable host, count only where they come from connecting alone."""

    NETWORK = (
        TimeoutError("timed out"),
        OSError(errno.EHOSTUNREACH, "No route to host"),
        OSError(errno.ENETUNREACH, "Network is unreachable"),
    )

    @pytest.mark.parametrize("error", NETWORK, ids=repr)
    @pytest.mark.parametrize("wrap", [lambda it: it, urllib.error.URLError])
    def test_raised_by_connecting(self, error, wrap):
        """Where the traceback ends in `socket.create_connection`."""
        assert web.unsent(wrap(connecting(error))) is True

    @pytest.mark.parametrize("error", NETWORK, ids=repr)
    @pytest.mark.parametrize("wrap", [lambda it: it, urllib.error.URLError])
    def test_raised_elsewhere(self, error, wrap):
        """Sending raises the same errors; so does one that was never raised."""
        assert web.unsent(wrap(type(error)(*error.args))) is False
        assert web.unsent(wrap(elsewhere(type(error)(*error.args)))) is False

    @pytest.mark.parametrize("module", ["asyncio.base_events", "urllib3.util.connection"])
    def test_raised_by_another_function_of_the_same_name(self, module):
        """Only the standard library's own does nothing but connect."""
        assert web.unsent(connecting(TimeoutError(), module)) is False

    def test_another_error_of_connecting(self):
        """The machine has no more sockets: that is nothing that the network did."""
        error = connecting(OSError(errno.EMFILE, "Too many open files"))
        assert web.unsent(error) is False


class TestHandshakes:
    """In requests and urllib, certificate failures and reasons that occur only in a handshake."""

    CONNECTION_ERROR = type(fake("requests.exceptions.ConnectionError"))
    WRAPS = (
        urllib.error.URLError,
        lambda it: fake(
            "requests.exceptions.SSLError",
            fake("urllib3.exceptions.SSLError", it),
            base=TestHandshakes.CONNECTION_ERROR,
        ),
    )

    @pytest.mark.parametrize("wrap", WRAPS, ids=["urllib", "requests"])
    @pytest.mark.parametrize(
        "reason",
        [
            "CERTIFICATE_VERIFY_FAILED",
            "DH_KEY_TOO_SMALL",
            "NO_CIPHERS_AVAILABLE",
            "NO_PROTOCOLS_AVAILABLE",
            "NO_SUITABLE_SIGNATURE_ALGORITHM",
            "SSLV3_ALERT_HANDSHAKE_FAILURE",
            "TLSV1_ALERT_INSUFFICIENT_SECURITY",
            "TLSV1_ALERT_PROTOCOL_VERSION",
            "TLSV1_UNRECOGNIZED_NAME",
            "UNKNOWN_CIPHER_RETURNED",
            "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
            "UNSUPPORTED_PROTOCOL",
            "WRONG_CIPHER_RETURNED",
            "WRONG_CURVE",
            "WRONG_SIGNATURE_TYPE",
        ],
    )
    def test_only_in_a_handshake(self, wrap, reason):
        """No shared version, no shared cipher, no such name."""
        assert web.unsent(wrap(tls(reason))) is True

    @pytest.mark.parametrize("wrap", WRAPS, ids=["urllib", "requests"])
    @pytest.mark.parametrize(
        "error",
        [
            ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
            ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF)"),
            ssl.SSLSyscallError(5, "Some I/O error occurred"),
            ssl.SSLError(),
            tls("WRONG_VERSION_NUMBER"),
            tls("DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
            tls("UNEXPECTED_EOF_WHILE_READING", ssl.SSLEOFError),
            # Under TLS 1.3, the certificate of a client is rejected after the request was sent.
            tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"),
            tls("TLSV1_ALERT_UNKNOWN_CA"),
            tls("SSLV3_ALERT_BAD_CERTIFICATE"),
        ],
        ids=repr,
    )
    def test_also_later(self, wrap, error):
        """A connection can break so in the middle of a response."""
        assert web.unsent(wrap(error)) is False


class TestFalse:
    """False for everything else, including a connection closed or reset after sending."""

    @pytest.mark.parametrize(
        "error",
        [
            ConnectionResetError(),
            ConnectionAbortedError(),
            BrokenPipeError(),
            TimeoutError(),
            OSError(errno.ETIMEDOUT, "Connection timed out"),
            OSError(),
            socket.herror(1, "Unknown host"),
            http.client.RemoteDisconnected("Remote end closed connection without response"),
            http.client.IncompleteRead(b"hel", 2),
            urllib.error.URLError("unknown url type: gopher"),
            urllib.error.URLError(ConnectionResetError()),
            urllib.error.URLError(OSError("Tunnel connection failed: 503 Service Unavailable")),
            answered(503),
            answered(425, header("1")),
            fake("requests.exceptions.ConnectionError"),
            fake("requests.exceptions.ReadTimeout"),
            fake("requests.exceptions.SSLError"),
            fake("urllib3.exceptions.ProtocolError", "Connection aborted.", ConnectionResetError()),
            fake("urllib3.exceptions.ReadTimeoutError"),
            fake("urllib3.exceptions.MaxRetryError"),
            fake("urllib3.exceptions.ClosedPoolError"),
            fake("httpx.ReadError"),
            fake("httpx.ReadTimeout"),
            fake("httpx.WriteTimeout"),
            fake("httpx.RemoteProtocolError"),
            fake("httpx.ProxyError", "503 Service Unavailable"),
            fake("httpx.UnsupportedProtocol"),
            fake("aiohttp.ClientOSError", 104, "Connection reset by peer"),
            fake("aiohttp.ServerDisconnectedError"),
            fake("aiohttp.SocketTimeoutError", base=TimeoutError),
            fake("aiohttp.ClientHttpProxyError", status=503),
            fake("openai.APIConnectionError"),
            fake("openai.APIStatusError", status_code=503),
            fake("botocore.exceptions.ConnectionClosedError"),
            fake("botocore.exceptions.ReadTimeoutError"),
            fake("shop.errors.ConnectError"),
            ValueError(),
            KeyboardInterrupt(),
        ],
        ids=repr,
    )
    def test_whatever_else(self, error):
        """The server may have executed the request."""
        assert web.unsent(error) is False

    @pytest.mark.parametrize("status", [425, 429, 503])
    def test_of_grpc(self, status):
        """A server that passes on the error of another server looks the same."""
        text = "failed to connect to all addresses; last error: UNKNOWN: Connection refused"
        unavailable = types.SimpleNamespace(name="UNAVAILABLE")
        error = fake("grpc.RpcError", code=lambda: unavailable, details=lambda: text)
        assert web.transient(error) is True
        assert web.unsent(error) is False
        google = fake("google.api_core.exceptions.GoogleAPICallError", code=status)
        assert web.unsent(caused(google, error)) is False

    def test_a_connection_that_broke_in_other_hands(self):
        """aiobotocore has one class for a connection refused and for one that was reset."""
        base = type(fake("aiohttp.ClientConnectionError"))
        reset = fake("aiohttp.ClientOSError", 104, "Connection reset by peer", base=base)
        error = fake("botocore.exceptions.EndpointConnectionError", kwargs={"error": reset})
        assert web.unsent(error) is False

    def test_not_every_member(self):
        """Of a group, every member must be unsent."""
        refused = ConnectionRefusedError()
        assert web.unsent(ExceptionGroup("", [refused, refused])) is True
        assert web.unsent(ExceptionGroup("", [refused, ValueError()])) is False


class TestHostile:
    """Nothing that an error does when it is looked at is raised."""

    @pytest.mark.parametrize("thing", [None, 7, "refused", object(), mock.Mock(), int])
    def test_not_an_error(self, thing):
        """Nothing was sent, and nothing is known."""
        assert web.unsent(thing) is False

    @pytest.mark.parametrize("name", ["args", "reason", "errno", "__module__", "exceptions"])
    def test_attributes_that_raise(self, name):
        """What resists being looked at is not known."""

        def trap(self):
            raise RuntimeError("no")

        for base in (OSError, urllib.error.URLError, ssl.SSLError):
            cls = type("Hostile", (base,), {})
            error = cls("x")
            setattr(cls, name, property(trap))
            assert web.unsent(error) is False

    def test_a_class_that_cannot_be_read(self):
        """It is nothing that is known."""

        def trap(self):
            raise RuntimeError("no")

        text = type("Text", (), {"__str__": trap})()
        hidden = type("Hidden", (ConnectionRefusedError,), {"__module__": text})
        assert web.unsent(hidden()) is False

    def test_a_traceback_without_end(self):
        """One of an error's own making is not followed."""
        cls = type("Hostile", (TimeoutError,), {"__traceback__": mock.MagicMock()})
        assert web.unsent(cls()) is False

    @pytest.mark.parametrize("lying", [(), property(lambda self: 1 / 0)], ids=["none", "raising"])
    def test_members_that_a_subclass_makes_up(self, lying):
        """Those that the group was made with count."""
        cls = type("Hostile", (ExceptionGroup,), {"exceptions": lying})
        assert web.unsent(cls("", [ConnectionRefusedError()])) is True
        assert web.unsent(cls("", [OSError()])) is False

    @pytest.mark.parametrize("around", [lambda error: error, urllib.error.URLError])
    def test_shared_members(self, around):
        """Each error is looked at once, however many ways lead to it: here, 10 to the 20th."""
        error = ConnectionRefusedError()
        for _ in range(20):
            error = around(ExceptionGroup("", [error] * 10))
        assert web.unsent(error) is True

    @pytest.mark.parametrize("around", [urllib.error.URLError, lambda it: ExceptionGroup("", [it])])
    def test_depth(self, around):
        """Deeper than any real error."""
        error = ConnectionRefusedError()
        for _ in range(50):
            error = around(error)
        assert web.unsent(error) is True

    def test_circles(self):
        """An error that wraps itself comes to an end."""
        error = urllib.error.URLError("?")
        error.reason = error
        assert web.unsent(error) is False

    @given(st.from_type(BaseException).filter(lambda error: type(error).__module__ == "builtins"))
    def test_built_in_errors(self, error):
        """Whatever the error: True or False."""
        assert web.unsent(error) in {True, False}


class TestAsFilter:
    """`on=web.unsent` retries what was never sent, so also a POST."""

    def test_of_a_policy(self, waits):
        """Refused twice, then sent, then never again."""
        outcomes = iter(
            [ConnectionRefusedError(), ConnectionRefusedError(), ConnectionResetError()]
        )

        @retry(on=web.unsent, wait=1)
        def pay():
            raise next(outcomes)

        with pytest.raises(ConnectionResetError):
            pay()
        assert waits == [1, 1]
