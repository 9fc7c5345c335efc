"""What the class of an error says on the wire, where its base class or its wrapper says otherwise.

The clients are not at hand: their classes are stand-ins with the right names and bases.
"""

import errno
import http.client
import socket
import types

import pytest

from retrying_elegant import TryAgain, web


def made(*names, args=(), cause=None, **attributes):
    """An error of the last of *names*, each a class that derives from the one before it."""
    cls = OSError if names[0].startswith("requests.") else Exception
    for name in names:
        module, _, plain = name.rpartition(".")
        cls = type(plain, (cls,), {"__module__": f"{module}.exceptions"})
    error = cls(*args)
    for name, value in attributes.items():
        setattr(error, name, value)
    error.__cause__ = cause
    return error


def answer(status, **headers):
    """The error of httpx for an answer with *status*."""
    response = types.SimpleNamespace(status_code=status, headers=headers)
    return made("httpx.HTTPStatusError", response=response)


def in_a_connection_error(inner):
    """*inner* inside what is transient where nothing more is known."""
    return made("requests.ConnectionError", args=(inner,))


class TestAlone:
    """An error that wraps nothing is what its class says."""

    @pytest.mark.parametrize(
        "name",
        [
            "requests.Timeout",
            "requests.ConnectionError",
            "requests.ChunkedEncodingError",
            "urllib3.TimeoutError",
            "urllib3.EmptyPoolError",
            "urllib3.NewConnectionError",
            "urllib3.ProtocolError",
            "httpx.TimeoutException",
            "httpx.NetworkError",
            "httpx.RemoteProtocolError",
            "httpcore.NetworkError",
            "httpcore.RemoteProtocolError",
            "httpcore.TimeoutException",
            "aiohttp.ClientConnectionError",
            "aiohttp.ClientPayloadError",
        ],
    )
    def test_transient(self, name):
        """The connection, or the time."""
        assert web.transient(made(name)) is True

    @pytest.mark.parametrize(
        "names",
        [
            ("requests.ConnectionError", "requests.SSLError"),
            ("urllib3.NewConnectionError", "urllib3.NameResolutionError"),
            ("urllib3.ProtocolError", "urllib3.ResponseNotChunked"),
            ("urllib3.SSLError",),
            ("aiohttp.ClientConnectionError", "aiohttp.ServerFingerprintMismatch"),
            ("aiohttp.ClientConnectionError", "aiohttp.ClientConnectorDNSError"),
            ("aiohttp.ClientConnectionError", "aiohttp.ClientSSLError"),
            ("aiohttp.ClientPayloadError", "aiohttp.ContentEncodingError"),
        ],
        ids=lambda names: names[-1],
    )
    def test_not_transient(self, names):
        """What another attempt cannot cure, though the base class may be transient."""
        assert web.transient(made(*names)) is False

    @pytest.mark.parametrize("name", ["ENETDOWN", "ENETUNREACH", "ENETRESET", "EHOSTDOWN"])
    def test_network_trouble_without_a_class(self, name):
        """The number tells."""
        assert web.transient(OSError(getattr(errno, name), "")) is True


class TestInside:
    """An inner error that says no is believed, whatever the error around it would be alone."""

    @pytest.mark.parametrize(
        "inner",
        [
            http.client.BadStatusLine("SSH-2.0"),
            made("urllib3.ProtocolError", cause=http.client.InvalidURL()),
            made("urllib3.SSLError"),
            made("urllib3.ClosedPoolError"),
            answer(404),
            ExceptionGroup("", [ConnectionRefusedError(), ValueError()]),
        ],
        ids=lambda inner: type(inner).__name__,
    )
    def test_no(self, inner):
        """An answer that is no HTTP, a certificate, a status, a group with one that is unknown."""
        assert web.transient(in_a_connection_error(inner)) is False

    @pytest.mark.parametrize(("status", "expected"), [(503, True), (407, False)])
    def test_through_a_proxy(self, status, expected):
        """The layers that requests puts around what a proxy has answered."""
        tunnel = OSError(f"Tunnel connection failed: {status} why")
        refused = made("urllib3.ProxyError", args=("Unable to connect to proxy", tunnel))
        given_up = made("urllib3.MaxRetryError", reason=refused)
        error = made("requests.ConnectionError", "requests.ProxyError", args=(given_up,))
        assert web.transient(error) is expected

    @pytest.mark.parametrize(("inner", "expected"), [(TimeoutError(), True), (ValueError(), False)])
    def test_a_wrapper_that_says_nothing_itself(self, inner, expected):
        """What could not be asked of a proxy is as transient as its reason."""
        assert web.transient(made("urllib3.ProxyError", args=("why", inner))) is expected

    def test_the_cause_of_a_new_connection(self):
        """It is asked before the context."""
        unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        later = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        error = made("urllib3.NewConnectionError", cause=unknown, __context__=later)
        assert web.transient(error) is False

    def test_another_method(self):
        """Where only the inner error knows the method, it has the last word too."""
        post = types.SimpleNamespace(method="POST")
        error = in_a_connection_error(made("requests.ConnectionError", request=post))
        assert web.Transient(methods=["POST"])(error) is True
        assert web.Transient(methods=["GET"])(error) is False

    @pytest.mark.parametrize(
        "around",
        [
            lambda error: made("urllib3.ProxyError", args=("why", error)),
            lambda error: ExceptionGroup("", [error]),
        ],
        ids=["wrapper", "group"],
    )
    def test_depth(self, around):
        """Deeper than any real error."""
        error = ConnectionResetError()
        for _ in range(50):
            error = around(error)
        assert web.transient(error) is True


class TestTexts:
    """Where the text of an error says nothing, what it wraps is asked all the same."""

    def test_one_that_raises(self):
        """It says nothing."""

        class Broken(OSError):
            def __str__(self):
                raise ZeroDivisionError

        error = Broken()
        assert web.transient(error) is False
        error.__cause__ = ConnectionResetError()
        assert web.transient(error) is True

    @pytest.mark.parametrize("status", ["why", "5O3 why", "\uff15\uff10\uff13 why", ""])
    def test_one_without_a_status(self, status):
        """Three digits of ASCII, or it is none."""
        error = OSError(f"Tunnel connection failed: {status}")
        assert web.transient(error) is False
        error.__cause__ = ConnectionResetError()
        assert web.transient(error) is True

    def test_a_class_that_cannot_be_read(self):
        """Nor can what it wraps: it is nothing that is known."""

        class Text:
            def __str__(self):
                raise ZeroDivisionError

        error = type("Hidden", (ConnectionResetError,), {"__module__": Text()})()
        assert web.transient(error) is False


class TestStatuses:
    """httpx keeps the status in the response."""

    @pytest.mark.parametrize(("status", "expected"), [(503, True), (404, False)])
    def test_of_httpx(self, status, expected):
        """Transient or not, as of any other client."""
        assert web.transient(answer(status)) is expected

    def test_hints_of_nothing(self):
        """To come back at once is a hint of 0 seconds, of one error and of a group."""
        error = answer(503, **{"retry-after": "0"})
        for it in (error, ExceptionGroup("", [error, error])):
            verdict = web.transient(it)
            assert isinstance(verdict, TryAgain)
            assert verdict.after == 0.0


class TestMethods:
    """Names of methods are words."""

    @pytest.mark.parametrize("method", [" GET", "GET ", "GET\n", "GE T", " "])
    def test_white_space(self, method):
        """In none of them is there any."""
        with pytest.raises(ValueError, match=r"^methods=.*: expected names of HTTP methods"):
            web.Transient(methods=[method])
