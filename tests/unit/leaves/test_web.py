"""Section 9 of the contract: what is transient on the wire, without any client at hand.

The errors of the standard library are real ones.  Those of clients are fakes with the right
names, and only as far as the tests over the wire (``tests/integration``) cannot reach.
"""

import copy
import errno
import http
import http.client
import itertools
import math
import os
import pickle
import socket
import ssl
import subprocess
import sys
import types
import urllib.error
from datetime import timedelta
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from web_parts import STATUSES, answered, caused, fake, header

from retrying_elegant import RetryError, TryAgain, given_up, retry, web


class TestStandardLibrary:
    """Refused, reset, aborted, timeouts, disconnects, incomplete reads, temporary DNS failure."""

    @pytest.mark.parametrize(
        "error",
        [
            ConnectionRefusedError(),
            ConnectionResetError(),
            ConnectionAbortedError(),
            BrokenPipeError(),
            TimeoutError(),
            OSError(errno.ECONNREFUSED, "Connection refused"),
            OSError(errno.ETIMEDOUT, "Connection timed out"),
            OSError(errno.ENETUNREACH, "Network is unreachable"),
            OSError(errno.EHOSTUNREACH, "No route to host"),
            OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 101] ..."),
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
            ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF)"),
            ssl.SSLSyscallError(5, "Some I/O error occurred"),
            http.client.RemoteDisconnected("Remote end closed connection without response"),
            http.client.IncompleteRead(b"hel", 2),
            urllib.error.ContentTooShortError("retrieval incomplete: got only 3 out of 5", b""),
            urllib.error.URLError(ConnectionRefusedError()),
            urllib.error.URLError(TimeoutError()),
            urllib.error.URLError(socket.gaierror(socket.EAI_AGAIN, "")),
            urllib.error.URLError(OSError("Tunnel connection failed: 503 Service Unavailable")),
            caused(OSError("all failed"), ConnectionRefusedError()),
        ],
        ids=repr,
    )
    def test_transient(self, error):
        """Another attempt may fare better."""
        assert web.transient(error) is True

    @pytest.mark.parametrize(
        "error",
        [
            ssl.SSLCertVerificationError(1, "certificate verify failed"),
            ssl.SSLError(1, "wrong version number"),
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"),
            socket.gaierror(),
            socket.herror(1, "Unknown host"),
            http.client.InvalidURL("control characters"),
            http.client.BadStatusLine("SSH-2.0"),
            http.client.CannotSendRequest(),
            urllib.error.URLError("unknown url type: gopher"),
            urllib.error.URLError(ssl.SSLCertVerificationError(1, "")),
            urllib.error.URLError(socket.gaierror(socket.EAI_NONAME, "")),
            urllib.error.URLError(OSError("Tunnel connection failed: 407 Authentication")),
            urllib.error.URLError(OSError("Tunnel connection failed: at once")),
            OSError(),
            OSError("without a number"),
            OSError("503 Service Unavailable"),
            FileNotFoundError(errno.ENOENT, "No such file"),
            OSError(errno.ENOSPC, "No space left on device"),
            ValueError("unknown url type: 'x'"),
            UnicodeError("label too long"),
            caused(ValueError("not of the wire"), ConnectionResetError()),
            KeyboardInterrupt(),
            TryAgain(),
        ],
        ids=repr,
    )
    def test_permanent(self, error):
        """Another attempt would end the same, or the error is of another kind."""
        assert web.transient(error) is False


class TestStatuses:
    """Statuses 408, 425, 429, 500, 502, 503, 504 are transient, others are not."""

    @given(st.integers(100, 999))
    def test_each(self, status):
        """The seven, and no other."""
        assert web.transient(answered(status)) is (status in STATUSES)

    @given(st.sets(st.integers(100, 599)), st.integers(100, 599))
    def test_chosen(self, statuses, status):
        """Any set of statuses can be chosen."""
        assert web.Transient(statuses)(answered(status)) is (status in statuses)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [("too many 503 error responses", True), ("too many 404 error responses", False),
         ("too many error responses", False), ("too many redirects", False),
         ("too many ²²² error responses", False), ("not too many 503", False)],
    )  # fmt: skip
    def test_in_words(self, text, expected):
        """urllib3, once its own retries are spent, keeps the status in the text only."""
        reason = fake("urllib3.exceptions.ResponseError", text)
        error = fake("urllib3.exceptions.MaxRetryError", "/", reason=reason)
        assert web.transient(error) is expected
        assert web.transient(fake("requests.exceptions.RetryError", error)) is expected

    @pytest.mark.parametrize("status", [None, "503", 503.0])
    def test_unknown(self, status):
        """A status that is no int is none."""
        response = types.SimpleNamespace(status_code=status)
        error = fake("requests.exceptions.HTTPError", response=response)
        assert web.transient(error) is False


class TestHints:
    """`TryAgain(after=seconds)` where there is a Retry-After within `max_retry_after`."""

    @given(st.integers(0, 10**6), st.floats(0, 10**6))
    @example(120, 120.0)
    @example(121, 120.0)
    def test_limit(self, after, limit):
        """A hint up to the limit is passed on, one above it means False: give up."""
        verdict = web.Transient(max_retry_after=limit)(answered(503, header(str(after))))
        if after > limit:
            assert verdict is False
        else:
            assert isinstance(verdict, TryAgain)
            assert verdict.after == after

    @pytest.mark.parametrize("value", ["soon", "-1", "1.5", "²"])
    def test_invalid(self, value):
        """An invalid header is no hint, and no reason to give up."""
        assert web.transient(answered(429, header(value))) is True

    def test_endless(self):
        """A number beyond all floats is above every limit."""
        patient = web.Transient(max_retry_after=sys.float_info.max / 2)
        assert patient(answered(503, header("9" * 10_000))) is False

    def test_in_milliseconds(self):
        """`Retry-After-Ms` is a hint as well."""
        verdict = web.transient(answered(429, {"Retry-After-Ms": "250"}))
        assert isinstance(verdict, TryAgain)
        assert verdict.after == 0.25

    def test_without_status(self):
        """A hint does not make a status transient."""
        assert web.transient(answered(404, header("1"))) is False

    def test_reaches_the_wait(self, waits):
        """As a filter: the hint is what is slept."""
        answers = iter([answered(503, header("7")), ConnectionResetError(), None])

        @retry(on=web.transient, wait=0.5)
        def fetch():
            error = next(answers)
            if error is not None:
                raise error
            return "page"

        assert fetch() == "page"
        assert waits == [7.5, 0.5]


class TestRefusedHint:
    """Where a hint alone is why an error is not transient, it can be had for the note."""

    @pytest.mark.parametrize(
        ("error", "seconds"),
        [
            (answered(503, header("3000")), 3000.0),
            (answered(503, header("120")), None),
            (answered(503), None),
            (answered(404, header("3000")), None),
            (ConnectionResetError(), None),
            (ValueError(), None),
            (None, None),
            (caused(OSError("all failed"), answered(503, header("3000"))), 3000.0),
            (ExceptionGroup("", [answered(503, header("3000")), TimeoutError()]), 3000.0),
            (ExceptionGroup("", [answered(503, header("3000")), ValueError()]), None),
        ],
        ids=repr,
    )
    def test_seconds(self, error, seconds):
        """What the server asked for: of the error itself, of what it wraps, of a group."""
        assert web.transient._refused_hint(error) == seconds
        if seconds is not None:
            assert web.transient(error) is False
            assert web.Transient(max_retry_after=seconds)._refused_hint(error) is None

    def test_in_the_note(self):
        """Where there is a note at all."""
        errors = iter([ConnectionResetError(), answered(503, header("3000"))])

        @retry(on=web.transient, wait=1)
        def fetch():
            raise next(errors)

        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch()
        assert caught.value.__notes__[0].endswith("(the server asked for 3000 s)")

    def test_another_method(self):
        """A request that may not be sent twice is not transient whatever the server asked for."""
        error = answered(503, header("3000"), method="POST")
        assert web.Transient(methods=["GET"])._refused_hint(error) is None


class TestOfResults:
    """Where a response is judged by `until`, its hint can be the wait; a bound makes it give up."""

    @pytest.mark.parametrize(
        ("value", "reason", "slept"),
        [("7", "attempts", [7.0]), ("3600", "wait", []), (None, "attempts", [1.0])],
    )
    def test_bound(self, waits, value, reason, slept):
        """As the guide has it."""

        def asked_for(attempt):
            seconds = web.retry_after(attempt.result)
            if seconds is None:
                return 1.0
            return seconds if seconds <= 60 else math.inf

        @retry(2, until=lambda response: response.status_code != 503, wait=asked_for)
        def page():
            headers = {} if value is None else header(value)
            return types.SimpleNamespace(status_code=503, headers=headers)

        with pytest.raises(RetryError) as caught:
            page()
        assert given_up(caught.value).reason == reason
        assert waits == slept


class TestTold:
    """`x-should-retry: true|false` on a response decides before its status does."""

    @given(st.integers(100, 599))
    def test_every_status(self, status):
        """Whatever the status is."""
        assert web.transient(answered(status, {"x-should-retry": "true"})) is True
        assert web.transient(answered(status, {"X-Should-Retry": "false"})) is False

    @pytest.mark.parametrize("value", ["", "yes", "1", "0", "truee", "no"])
    def test_anything_else(self, value):
        """Leaves it to the status."""
        assert web.transient(answered(503, {"x-should-retry": value})) is True
        assert web.transient(answered(404, {"x-should-retry": value})) is False

    @pytest.mark.parametrize("value", ["True", "TRUE", " true\t"])
    def test_in_any_case(self, value):
        """As clients in other languages write it."""
        assert web.transient(answered(404, {"x-should-retry": value})) is True

    def test_both(self):
        """Two answers to one question are none."""
        headers = {"x-should-retry": "true", "X-SHOULD-RETRY": "false"}
        error = fake("aiohttp.ClientResponseError", status=404, headers=headers)
        assert web.transient(error) is False
        error.status = 503
        assert web.transient(error) is True

    def test_with_a_hint(self):
        """It says whether, `Retry-After` says when, and `max_retry_after` holds."""
        told = {"x-should-retry": "true"}
        verdict = web.transient(answered(409, {**told, "Retry-After": "7"}))
        assert isinstance(verdict, TryAgain)
        assert verdict.after == 7.0
        assert web.transient(answered(503, {**told, "Retry-After": "121"})) is False

    def test_with_methods(self):
        """A request that may not be sent twice is not, though the server would take it."""
        safe = web.Transient(methods=["GET"])
        told = {"x-should-retry": "true"}
        assert safe(answered(503, told, method="POST")) is False
        assert safe(answered(404, told, method="GET")) is True

    def test_without_a_status(self):
        """Only responses are read: an error of another kind is what it is."""
        error = fake("httpx.DecodingError", base=type(fake("httpx.RequestError")))
        error.response = types.SimpleNamespace(headers={"x-should-retry": "true"})
        assert web.transient(error) is False


class TestMethods:
    """With `methods` given, a request known to use another method is not transient."""

    SAFE = web.Transient(methods=("GET", "put"))

    @pytest.mark.parametrize(
        "error",
        [
            fake("requests.exceptions.ConnectionError", request=types.SimpleNamespace(method="X")),
            fake("httpx.ReadTimeout", base=fake("httpx.TimeoutException").__class__,
                 request=types.SimpleNamespace(method="X")),
            fake("aiohttp.client_exceptions.ClientResponseError", status=503,
                 request_info=types.SimpleNamespace(method="X")),
            fake("requests.exceptions.HTTPError", response=types.SimpleNamespace(
                status_code=503, request=types.SimpleNamespace(method="X"))),
            answered(503, method="X"),
        ],
        ids=["requests", "httpx", "aiohttp", "of a response", "urllib"],
    )  # fmt: skip
    def test_where_it_is_known(self, error):
        """Wherever an error keeps the method of its request."""
        assert web.transient(error) is True
        assert self.SAFE(error) is False
        assert web.Transient(methods={"x"})(error) is True

    @pytest.mark.parametrize("method", ["get", "Get", "PUT"])
    def test_in_any_case(self, method):
        """Upper and lower case are the same."""
        assert self.SAFE(answered(503, method=method)) is True

    def test_inside(self):
        """Also where only a wrapped error knows it."""
        inner = fake("httpx.ReadError", request=types.SimpleNamespace(method="POST"))
        assert self.SAFE(urllib.error.URLError(inner)) is False

    @pytest.mark.parametrize("error", [ConnectionResetError(), answered(503)], ids=repr)
    def test_where_it_is_not_known(self, error):
        """An error that does not know its method is judged without."""
        assert self.SAFE(error) is True

    def test_none_of_all(self):
        """No method at all: only errors that do not know theirs are transient."""
        never = web.Transient(methods=())
        assert never(answered(503, method="GET")) is False
        assert never(ConnectionResetError()) is True


class TestWrapping:
    """What an error wraps is asked before the error itself."""

    CERTIFICATE = ssl.SSLCertVerificationError(1, "certificate verify failed")

    @pytest.mark.parametrize(
        ("name", "alone"),
        [
            ("requests.exceptions.ConnectionError", True),
            ("requests.exceptions.SSLError", False),
            ("urllib3.exceptions.MaxRetryError", False),
            ("urllib3.exceptions.ProtocolError", True),
            ("httpx.ConnectError", True),
            ("aiohttp.client_exceptions.ClientConnectorError", True),
            ("aiohttp.client_exceptions.ClientConnectorDNSError", False),
        ],
    )
    @pytest.mark.parametrize(
        "attribute", ["reason", "_reason", "original_error", "os_error", "__cause__"]
    )
    def test_inside_first(self, name, alone, attribute):
        """The inner error decides; one that says nothing, or none, leaves it to the class."""
        base = {"httpx.ConnectError": "httpx.NetworkError"}.get(name)
        base = base or {"ClientConnectorError": "aiohttp.ClientConnectionError"}.get(
            name.rpartition(".")[2]
        )
        base = type(fake(base)) if base else Exception

        def around(inner):
            return web.transient(fake(name, base=base, **{attribute: inner}))

        assert around(self.CERTIFICATE) is False
        assert around(ConnectionResetError()) is True
        assert around(LookupError("says nothing")) is alone
        assert around(None) is alone

    def test_in_its_arguments(self):
        """requests and urllib3 hand it over as an argument."""
        inner = fake("urllib3.exceptions.ProtocolError", "Connection aborted.", self.CERTIFICATE)
        assert web.transient(fake("requests.exceptions.ConnectionError", inner)) is False
        inner = fake("urllib3.exceptions.ProtocolError", "Connection aborted.", TimeoutError())
        assert web.transient(fake("requests.exceptions.ConnectionError", inner)) is True

    def test_in_its_context(self):
        """Only urllib3 1 keeps it there; others may have been raised while handling anything."""
        unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        refused = fake("urllib3.exceptions.NewConnectionError", __context__=unknown)
        assert web.transient(refused) is False
        assert web.transient(fake("urllib3.exceptions.NewConnectionError")) is True
        assert web.transient(fake("httpx.NetworkError", __context__=unknown)) is True

    @pytest.mark.parametrize(
        ("outer", "inner"),
        [("requests.exceptions.ConnectionError", "urllib3.exceptions.ClosedPoolError"),
         ("aiohttp.ClientPayloadError", "aiohttp.http_exceptions.ContentEncodingError")],
    )  # fmt: skip
    def test_of_the_client_itself(self, outer, inner):
        """An error that never was of the wire, in the clothes of one that may be."""
        assert web.transient(caused(fake(outer), fake(inner))) is False

    def test_settled_before_what_it_wraps(self):
        """A class that is plain by itself is not asked what it came from."""
        assert web.transient(caused(TimeoutError(), self.CERTIFICATE)) is True
        assert web.transient(caused(ssl.SSLError(), ConnectionResetError())) is False

    @pytest.mark.parametrize("code", range(1, 26))
    def test_names_by_the_optional_resolver_of_aiohttp(self, code):
        """c-ares: server failure, connection refused and timeout are temporary."""
        cause = fake("aiodns.error.DNSError", code, "why")
        lookup = caused(OSError(None, "why"), cause)
        error = fake("aiohttp.client_exceptions.ClientConnectorDNSError", os_error=lookup)
        assert web.transient(error) is (code in {3, 11, 12})

    def test_names_by_a_resolver_without_a_code(self):
        """A failure that says nothing is taken for permanent."""
        assert web.transient(fake("aiodns.error.DNSError")) is False

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("peer closed connection without sending complete message body", True),
            ("illegal status line: bytearray(b'SSH-2.0')", False),
        ],
    )
    def test_broken_answers_to_httpx(self, text, expected):
        """h11 has one class for an answer cut off and for one that is no HTTP."""
        cause = fake("h11._util.RemoteProtocolError", text)
        assert web.transient(caused(fake("httpx.RemoteProtocolError"), cause)) is expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [("503 Service Unavailable", True), ("407 Proxy Authentication Required", False),
         ("Proxy Server could not connect: Host unreachable.", False)],
    )  # fmt: skip
    def test_proxies_of_httpx(self, text, expected):
        """The status of a proxy's answer is in the text only."""
        assert web.transient(fake("httpx.ProxyError", text)) is expected

    def test_classes_derived_by_users(self):
        """A user's own subclass is known by the class it derives from."""
        client_error = type(fake("requests.exceptions.ConnectionError"))
        assert web.transient(fake("shop.errors.StockError", base=client_error)) is True

    def test_same_names_elsewhere(self):
        """A class is not known by its name alone."""
        assert web.transient(fake("shop.errors.ConnectionError")) is False
        assert web.transient(fake("requestsx.ConnectionError")) is False


class TestGroups:
    """Of an exception group, every member has to be transient; the longest hint counts."""

    def test_all(self):
        """Each member is judged as if alone, at any depth."""
        inner = ExceptionGroup("", [answered(503), TimeoutError()])
        assert web.transient(ExceptionGroup("", [ConnectionResetError(), inner])) is True

    @pytest.mark.parametrize("other", [answered(404), ValueError(), KeyboardInterrupt()], ids=repr)
    def test_not_all(self, other):
        """One that is not transient is enough, and so is one that is not known."""
        group = BaseExceptionGroup("", [ConnectionResetError(), other])
        assert web.transient(group) is False

    def test_hints(self):
        """Not before the last of the servers is ready; one without a hint does not matter."""
        errors = [answered(503, header("3")), answered(429, header("9")), TimeoutError()]
        verdict = web.transient(ExceptionGroup("", errors))
        assert isinstance(verdict, TryAgain)
        assert verdict.after == 9.0

    def test_wrapped(self):
        """The async httpx raises one error for all addresses of a host."""
        refused = [ConnectionRefusedError(), OSError(errno.ENETUNREACH, "")]
        lookup = caused(OSError("All connection attempts failed"), ExceptionGroup("", refused))
        assert web.transient(caused(fake("httpx.NetworkError"), lookup)) is True


class TestHostileInput:
    """Nothing that an error or a response does when it is looked at gets out."""

    class Trap:
        """Raises whatever is looked at."""

        def __getattr__(self, name):
            raise RuntimeError(name)

    def test_attributes_that_raise(self):
        """httpx raises where no request is known, others may."""

        def trap(self):
            raise RuntimeError("not set")

        traps = dict.fromkeys(
            ("request", "response", "reason", "os_error", "headers", "args", "errno"),
            property(trap),
        )
        for base in (
            "requests.HTTPError",
            "requests.ConnectionError",
            "aiodns.DNSError",
            "OSError",
        ):
            known = OSError if base == "OSError" else type(fake(base))
            error = type("Hostile", (known,), traps)()
            expected = base == "requests.ConnectionError"
            assert web.Transient(methods=["GET"])(error) is expected
            assert web.retry_after(error) is None

    def test_text_that_raises(self):
        """A text that cannot be had is an empty one."""

        class MuteError(OSError):
            def __str__(self):
                raise RuntimeError

        assert web.transient(MuteError()) is False

    class Stubborn(str):
        """A text, an attribute or a list of arguments that refuses whatever is done with it."""

        def refuse(self, *args):
            raise RuntimeError

        __eq__ = __bool__ = __iter__ = strip = upper = startswith = refuse
        __hash__ = str.__hash__

    @pytest.mark.parametrize("value", [Stubborn(" 7"), mock.Mock(spec=str)], ids=["own", "mock"])
    def test_headers_that_are_texts_of_their_own(self, value):
        """What a text says is read past its methods; what only claims to be one is none."""
        expected = 7.0 if isinstance(value, self.Stubborn) else None
        assert web.retry_after(header(value)) == expected
        error = fake("aiohttp.ClientResponseError", status=503, headers=header(value))
        verdict = web.transient(error)
        assert verdict is True or verdict.after == expected

    @pytest.mark.parametrize("value", [Stubborn("GET"), 5, mock.Mock(), type("No", (), {})()])
    @pytest.mark.parametrize("name", ["args", "errno", "request", "exceptions", "__class__"])
    @pytest.mark.parametrize(
        "base", [OSError, fake("aiodns.DNSError"), fake("requests.ConnectionError"), ExceptionGroup]
    )
    def test_attributes_that_fight(self, base, name, value):
        """A verdict all the same; what is known of no error is not transient."""
        base = base if isinstance(base, type) else type(base)
        error = type("Hostile", (base,), {name: property(lambda self: value)})("x", [OSError()])
        assert web.Transient(methods=["GET"])(error) in {True, False}
        assert web.retry_after(error) is None

    @pytest.mark.parametrize("base", [object, OSError, dict])
    def test_a_class_that_raises(self, base):
        """Whatever it is that claims a class of its own."""

        def trap(self):
            raise RuntimeError("no")

        thing = type("Hostile", (base,), {"__class__": property(trap)})()
        assert web.retry_after(thing) is None
        assert web.retry_after(types.SimpleNamespace(response=thing)) is None
        assert web.transient(thing) is False
        assert web.transient(fake("requests.HTTPError", response=thing)) is False

    def test_response_that_raises(self):
        """A response that answers nothing is no answer."""
        error = fake("requests.exceptions.HTTPError", response=self.Trap())
        assert web.transient(error) is False
        assert web.retry_after(self.Trap()) is None

    @pytest.mark.parametrize("headers", [None, 7, "Retry-After: 1", [("Retry-After", "1")]])
    def test_headers_that_are_none(self, headers):
        """Then there is no hint."""
        error = fake("aiohttp.ClientResponseError", status=503, headers=headers)
        assert web.transient(error) is True
        assert web.retry_after(headers) is None

    @pytest.mark.parametrize(
        "headers", [{None: "1"}, header(None), header(1), header(b"1"), header(["1"])], ids=repr
    )
    def test_headers_that_are_no_text(self, headers):
        """A value that is no text is none."""
        assert web.retry_after(headers) is None

    @pytest.mark.parametrize(("name", "expected"), [("urllib3.MaxRetryError", False),
                                                    ("httpx.NetworkError", True)])  # fmt: skip
    def test_circles(self, name, expected):
        """An error that wraps itself, or one that wraps it, comes to an end."""
        one, other = fake(name), fake(name)
        assert web.transient(caused(one, one)) is expected
        assert web.transient(caused(one, caused(other, one))) is expected

    def test_circles_through_groups(self):
        """Also where a group is part of the circle."""
        member = OSError("?")
        member.__cause__ = ExceptionGroup("", [member])
        assert web.transient(member) is False

    @pytest.mark.parametrize("around", [urllib.error.URLError, lambda it: ExceptionGroup("", [it])])
    def test_depth(self, around):
        """Deeper than any real error."""
        error = ConnectionResetError()
        for _ in range(50):
            error = around(error)
        assert web.transient(error) is True

    def test_depth_without_end(self):
        """More layers than the stack has room for: it is not known."""
        error = ConnectionResetError()
        for _ in range(2_000):
            error = urllib.error.URLError(error)
        assert web.transient(error) is False

    @pytest.mark.parametrize("around", [lambda error: error, urllib.error.URLError])
    def test_shared_members(self, around):
        """Each error is looked at once, however many ways lead to it: here, 10 to the 20th."""
        error = ConnectionResetError()
        for _ in range(20):
            error = around(ExceptionGroup("", [error] * 10))
        assert web.transient(error) is True

    def test_what_a_subclass_makes_up(self):
        """The members and arguments that an error was made with count: others may have no end."""
        endless = property(lambda self: itertools.repeat(self))
        group = type("Endless", (ExceptionGroup,), {"exceptions": endless})
        assert web.transient(group("", [ConnectionResetError()])) is True
        assert web.transient(group("", [ValueError()])) is False
        for name in ("requests.ConnectionError", "urllib3.MaxRetryError", "aiodns.DNSError"):
            module, _, plain = name.rpartition(".")
            wrapper = type(plain, (Exception,), {"__module__": module, "args": endless})
            found = web.transient(wrapper(ConnectionResetError()))
            assert found is (name != "aiodns.DNSError")

    @pytest.mark.parametrize("mocked", [mock.Mock(), mock.MagicMock(), object(), None, 0, int])
    def test_mocks(self, mocked):
        """What has every attribute, or none, holds no hint."""
        assert web.retry_after(mocked) is None
        assert web.transient(fake("requests.HTTPError", response=mocked)) is False

    @given(st.from_type(BaseException).filter(lambda error: type(error).__module__ == "builtins"))
    def test_built_in_errors(self, error):
        """Whatever the error: a verdict, or at least no other error."""
        assert web.transient(error) in {True, False}


class TestValue:
    """`Transient` is a frozen value: equal, hashable, picklable, readable."""

    SAFE = web.Transient([503], ("get",), 30)

    def test_defaults(self):
        """`transient` is the one with nothing changed."""
        assert web.transient == web.Transient()
        assert web.transient == web.Transient(STATUSES, None, 120)
        assert web.transient.statuses == STATUSES
        assert web.transient.methods is None
        assert web.transient.max_retry_after == 120.0

    def test_normalised(self):
        """However the fields were written: sorted, once each, capitals, floats."""
        other = web.Transient(
            iter([http.HTTPStatus.SERVICE_UNAVAILABLE, 503]),
            {"GET", "get"},
            timedelta(seconds=30),
        )
        assert other == self.SAFE
        assert hash(other) == hash(self.SAFE)
        assert repr(other) == repr(self.SAFE)
        assert [type(status) for status in other.statuses] == [int]

    @pytest.mark.parametrize("changes", [{"statuses": [500]}, {"methods": ["PUT"]},
                                         {"methods": None}, {"max_retry_after": 31}])  # fmt: skip
    def test_different(self, changes):
        """One field is enough to differ."""
        fields = {"statuses": [503], "methods": ["GET"], "max_retry_after": 30}
        assert web.Transient(**{**fields, **changes}) != self.SAFE

    def test_repr(self):
        """What differs from the defaults, as one would write it."""
        assert repr(web.transient) == "Transient()"
        expected = "Transient(statuses=(503,), methods=('GET',), max_retry_after=30.0)"
        assert repr(self.SAFE) == expected
        assert eval(expected, vars(web)) == self.SAFE

    @pytest.mark.parametrize("value", [web.transient, SAFE])
    def test_copies(self, value):
        """Pickled and copied ones are equal, and work."""
        for other in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
            assert other == value
            assert other(answered(503)) is True
            assert other(answered(404)) is False

    def test_frozen(self):
        """Nothing can be changed, added or removed."""
        with pytest.raises(AttributeError, match="frozen"):
            self.SAFE.statuses = (500,)
        with pytest.raises(AttributeError, match="frozen"):
            del self.SAFE.methods


class TestBadInput:
    """Refused where it is written, by name, with the value and the rule."""

    STATUSES_RULE = "expected HTTP statuses, ints from 100 to 599"
    METHODS_RULE = "expected names of HTTP methods, such as ('GET', 'PUT'), or None for all"
    SECONDS_RULE = "expected a number of seconds, 0 or more"

    @pytest.mark.parametrize(
        ("fields", "error", "message"),
        [
            ({"statuses": 503}, TypeError, f"statuses=503: {STATUSES_RULE}"),
            ({"statuses": "503"}, TypeError, f"statuses='503': {STATUSES_RULE}"),
            ({"statuses": b"503"}, TypeError, f"statuses=b'503': {STATUSES_RULE}"),
            ({"statuses": None}, TypeError, f"statuses=None: {STATUSES_RULE}"),
            ({"statuses": ["503"]}, TypeError, f"statuses='503': {STATUSES_RULE}"),
            ({"statuses": [503.0]}, TypeError, f"statuses=503.0: {STATUSES_RULE}"),
            ({"statuses": [True]}, TypeError, f"statuses=True: {STATUSES_RULE}"),
            ({"statuses": [503, 99]}, ValueError, f"statuses=99: {STATUSES_RULE}"),
            ({"statuses": [600]}, ValueError, f"statuses=600: {STATUSES_RULE}"),
            ({"methods": "GET"}, TypeError, f"methods='GET': {METHODS_RULE}"),
            ({"methods": 7}, TypeError, f"methods=7: {METHODS_RULE}"),
            ({"methods": ["GET", 7]}, TypeError, f"methods=7: {METHODS_RULE}"),
            ({"methods": [""]}, ValueError, f"methods='': {METHODS_RULE}"),
            ({"methods": ["GET "]}, ValueError, f"methods='GET ': {METHODS_RULE}"),
            ({"methods": ["GET PUT"]}, ValueError, f"methods='GET PUT': {METHODS_RULE}"),
            ({"max_retry_after": -1}, ValueError, f"max_retry_after=-1: {SECONDS_RULE}"),
            ({"max_retry_after": True}, TypeError, f"max_retry_after=True: {SECONDS_RULE}"),
            ({"max_retry_after": None}, TypeError, f"max_retry_after=None: {SECONDS_RULE}"),
            ({"max_retry_after": "9"}, TypeError, f"max_retry_after='9': {SECONDS_RULE}"),
            ({"max_retry_after": float("nan")}, ValueError, f"max_retry_after=nan: {SECONDS_RULE}"),
            ({"max_retry_after": float("inf")}, ValueError, f"max_retry_after=inf: {SECONDS_RULE}"),
        ],
    )
    def test_refused(self, fields, error, message):
        """One line says it all."""
        with pytest.raises(error) as caught:
            web.Transient(**fields)
        assert str(caught.value) == message

    def test_zero_is_a_limit(self):
        """`max_retry_after=0`: give up on every server that asks for a wait."""
        never = web.Transient(max_retry_after=0)
        assert never(answered(503, header("1"))) is False
        assert never(answered(503)) is True


class TestNames:
    """`from retrying_elegant.web import *` gives what the module is for."""

    def test_all_of_them(self):
        """And nothing else."""
        names = {}
        exec("from retrying_elegant.web import *", names)
        names.pop("__builtins__")
        assert sorted(names) == ["Transient", "retry_after", "transient", "unsent"]
        assert names["transient"](ConnectionResetError()) is names["unsent"](
            ConnectionRefusedError()
        )


class TestImports:
    """Errors of any client are known, and none is imported."""

    def test_nothing_of_the_wire(self):
        """Nor what the standard library has for it."""
        modules = {"socket", "ssl", "http.client", "urllib.error", "requests", "urllib3", "httpx"}
        modules |= {"openai", "anthropic", "botocore", "grpc", "google.api_core", "datetime"}
        script = f"import sys, retrying_elegant.web; print({modules} & set(sys.modules))"
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert done.stdout.strip() == "set()"
