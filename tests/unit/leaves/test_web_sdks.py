"""Section 9 of the contract: the errors of SDKs, and of clients named after others.

The SDKs are not at hand: their classes are stand-ins with the right names.  What they really
raise is tried over the wire, in ``tests/integration``.
"""

import itertools
import types

import pytest
from web_parts import STATUSES, caused, fake, header

from retrying_elegant import TryAgain, web

GRPC_CODES = """
    OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS
    PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED
    INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED
""".split()  # noqa: SIM905 - seventeen words read better than seventeen strings
TRANSIENT_CODES = {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED", "DEADLINE_EXCEEDED"}
PUSHBACK = "grpc-retry-pushback-ms"


def rpc_error(code, *metadata, name="grpc._channel._InactiveRpcError"):
    """The error of gRPC for a call that ended with *code* and trailing *metadata*."""
    return fake(
        name,
        base=type(fake("grpc.RpcError")),
        code=lambda: types.SimpleNamespace(name=code, value=(1, code.lower())),
        trailing_metadata=lambda: metadata,
    )


def client_error(code="Whatever", status=400, headers=None):
    """The error of botocore for a response of AWS."""
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers or {}}
    response = {"Error": {"Code": code, "Message": "why"}, "ResponseMetadata": metadata}
    return fake("botocore.exceptions.ClientError", response=response)


class TestTwins:
    """httpx2 and httpcore2 are read as httpx and httpcore, niquests as requests."""

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("httpx2.NetworkError", True),
            ("httpx2.TimeoutException", True),
            ("httpx2.UnsupportedProtocol", False),
            ("httpcore2._exceptions.RemoteProtocolError", True),
            ("httpcore2._exceptions.TimeoutException", True),
            ("niquests.exceptions.ConnectionError", True),
            ("niquests.exceptions.Timeout", True),
            ("niquests.exceptions.SSLError", False),
            ("urllib3_future.exceptions.ProtocolError", True),
            ("urllib3_future.exceptions.NameResolutionError", False),
            ("httpx3.NetworkError", False),
        ],
    )
    def test_classes(self, name, expected):
        """By the names of the others' classes."""
        assert web.transient(fake(name)) is expected

    @pytest.mark.parametrize("name", ["httpx2.HTTPStatusError", "niquests.exceptions.HTTPError"])
    @pytest.mark.parametrize(("status", "expected"), [(503, True), (404, False)])
    def test_statuses(self, name, status, expected):
        """The response has them."""
        error = fake(name, response=types.SimpleNamespace(status_code=status))
        assert web.transient(error) is expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("illegal status line: bytearray(b'SSH-2.0')", False),
            ("malformed data", False),
            ("Remote end closed connection without response", True),
            ("not illegal", True),
        ],
    )
    def test_responses_that_are_not_http(self, text, expected):
        """urllib3-future, beneath niquests, says so in the text only."""
        error = fake("urllib3_future.exceptions.ProtocolError", text)
        assert web.transient(fake("niquests.exceptions.ConnectionError", error)) is expected

    def test_proxies_of_httpcore(self):
        """The status of a proxy's response is in the text only."""
        assert web.transient(fake("httpcore2.ProxyError", "502 Bad Gateway")) is True
        assert web.transient(fake("httpcore.ProxyError", "407 No")) is False


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
class TestLanguageModels:
    """`APIConnectionError`, `APITimeoutError`, and `APIStatusError` by status."""

    def connection_error(self, sdk, cause=None):
        return caused(fake(f"{sdk}._exceptions.APIConnectionError"), cause)

    def test_connections(self, sdk):
        """What the error of the HTTP client says, where there is one."""
        assert web.transient(self.connection_error(sdk)) is True
        assert web.transient(self.connection_error(sdk, fake("httpx2.NetworkError"))) is True
        unknown = caused(fake("httpx.NetworkError"), fake("socket.gaierror", errno=-2))
        assert web.transient(self.connection_error(sdk, unknown)) is False

    @pytest.mark.parametrize("name", ["UnsupportedProtocol", "InvalidURL", "StreamConsumed"])
    def test_requests_at_fault(self, sdk, name):
        """The SDKs call every error of their HTTP client a connection error."""
        bases = {"UnsupportedProtocol": "RequestError", "StreamConsumed": "StreamError"}
        base = type(fake(f"httpx.{bases[name]}")) if name in bases else Exception
        assert web.transient(self.connection_error(sdk, fake(f"httpx.{name}", base=base))) is False

    def test_timeouts(self, sdk):
        """Whatever they come from."""
        base = type(self.connection_error(sdk))
        error = fake(f"{sdk}._exceptions.APITimeoutError", base=base)
        assert web.transient(caused(error, fake("httpx.InvalidURL"))) is True
        assert web.unsent(caused(error, fake("httpx.ConnectTimeout"))) is True
        assert web.unsent(caused(error, fake("httpx.ReadTimeout"))) is False

    @pytest.mark.parametrize("status", [*STATUSES, 400, 401, 404, 409, 529])
    def test_statuses(self, sdk, status):
        """Of the classes derived from it, too."""
        base = type(fake(f"{sdk}._exceptions.APIStatusError"))
        error = fake(f"{sdk}._exceptions.RateLimitError", base=base, status_code=status)
        assert web.transient(error) is (status in STATUSES)

    def test_headers(self, sdk):
        """The response has them: when, and whether."""
        headers = {**header("7"), "retry-after-ms": "250"}
        response = types.SimpleNamespace(headers=headers)
        error = fake(f"{sdk}._exceptions.APIStatusError", status_code=429, response=response)
        assert web.transient(error).after == 0.25
        response.headers = {"x-should-retry": "false"}
        assert web.transient(error) is False
        error.status_code, response.headers = 409, {"x-should-retry": "true"}
        assert web.transient(error) is True

    def test_methods(self, sdk):
        """The request knows its own."""
        error = self.connection_error(sdk)
        error.request = types.SimpleNamespace(method="POST")
        assert web.Transient(methods=["GET"])(error) is False

    def test_other_errors(self, sdk):
        """Of the SDK itself."""
        assert web.transient(fake(f"{sdk}._exceptions.APIResponseValidationError")) is False


class TestAws:
    """`ClientError` by code or by status, and errors of connections and timeouts."""

    @pytest.mark.parametrize(
        "code",
        [
            "BandwidthLimitExceeded",
            "EC2ThrottledException",
            "LimitExceededException",
            "PriorRequestNotComplete",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "RequestTimeout",
            "RequestTimeoutException",
            "SlowDown",
            "ThrottledException",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
            "TransactionInProgressException",
        ],
    )
    def test_codes(self, code):
        """Throttled, or timed out, whatever the status: of many services it is 400."""
        assert web.transient(client_error(code)) is True
        assert web.Transient(statuses=())(client_error(code)) is True

    @pytest.mark.parametrize("code", ["AccessDenied", "ValidationException", "throttling", None])
    @pytest.mark.parametrize("status", [*STATUSES, 400, 403, 404])
    def test_statuses(self, code, status):
        """Where the code says nothing."""
        assert web.transient(client_error(code, status)) is (status in STATUSES)

    def test_classes_that_a_service_derives(self):
        """They are made at run time."""
        base = type(client_error())
        error = fake("botocore.errorfactory.ThrottlingException", base=base)
        error.response = client_error("ThrottlingException").response
        assert web.transient(error) is True

    def test_hints(self):
        """The headers are in the response's metadata."""
        error = client_error("SlowDown", 503, {"retry-after": "7"})
        assert web.transient(error).after == 7.0
        assert web.retry_after(error) == 7.0
        assert web.retry_after(error.response) == 7.0
        assert web.transient(client_error("SlowDown", 503, {"x-should-retry": "false"})) is False

    @pytest.mark.parametrize(
        "response",
        [
            None,
            {},
            {"Error": None, "ResponseMetadata": 7},
            {"Error": {"Code": ["SlowDown"]}},
            {"Error": {}, "ResponseMetadata": {"HTTPStatusCode": "503"}},
            [("Error", {"Code": "SlowDown"})],
        ],
        ids=repr,
    )
    def test_responses_of_another_shape(self, response):
        """Say nothing."""
        assert web.transient(fake("botocore.exceptions.ClientError", response=response)) is False

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("ConnectionError", True),
            ("EndpointConnectionError", True),
            ("ProxyConnectionError", True),
            ("ConnectionClosedError", True),
            ("ResponseStreamingError", True),
            ("ConnectTimeoutError", True),
            ("ReadTimeoutError", True),
            ("IncompleteReadError", True),
            ("SSLError", False),
            ("HTTPClientError", False),
            ("NoCredentialsError", False),
            ("ParamValidationError", False),
        ],
    )
    def test_connections(self, name, expected):
        """Alone, by their class."""
        bases = {
            "EndpointConnectionError": "ConnectionError",
            "ProxyConnectionError": "ConnectionError",
            "ConnectionClosedError": "HTTPClientError",
            "SSLError": "ConnectionError",
        }
        base = type(fake(f"botocore.exceptions.{bases[name]}")) if name in bases else Exception
        assert web.transient(fake(f"botocore.exceptions.{name}", base=base)) is expected

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("EndpointConnectionError", False),
            ("ConnectionClosedError", False),
            ("HTTPClientError", False),
            ("ReadTimeoutError", True),
        ],
    )
    def test_names_that_do_not_exist(self, name, expected):
        """An unknown host is permanent, whatever is around it; a timeout is a timeout."""
        base = type(fake("botocore.exceptions.ConnectionError"))
        unknown = fake("urllib3.exceptions.NameResolutionError")
        error = fake(f"botocore.exceptions.{name}", base=base, kwargs={"error": unknown})
        assert web.transient(error) is expected

    @pytest.mark.parametrize(
        "name", ["ConnectionError", "ConnectionClosedError", "HTTPClientError", "SSLError"]
    )
    def test_connections_that_broke(self, name):
        """What is inside decides."""
        error = fake(f"botocore.exceptions.{name}", kwargs={"error": ConnectionResetError()})
        assert web.transient(error) is True


class TestGrpc:
    """`UNAVAILABLE`, `RESOURCE_EXHAUSTED`, `ABORTED` and `DEADLINE_EXCEEDED` are transient."""

    @pytest.mark.parametrize("code", GRPC_CODES)
    @pytest.mark.parametrize("name", ["grpc._channel._InactiveRpcError", "grpc.aio.AioRpcError"])
    def test_codes(self, code, name):
        """Four of seventeen."""
        assert web.transient(rpc_error(code, name=name)) is (code in TRANSIENT_CODES)

    def test_without_a_code(self):
        """A bare RpcError says nothing."""
        assert web.transient(fake("grpc.RpcError")) is False

    @pytest.mark.parametrize(("value", "after"), [("0", 0.0), ("1500", 1.5), ("120000", 120.0)])
    def test_pushback(self, value, after):
        """The server's wish, in milliseconds, is a hint."""
        error = rpc_error("UNAVAILABLE", ("other", "1"), (PUSHBACK, value), ("bin", b"\0"))
        verdict = web.transient(error)
        assert isinstance(verdict, TryAgain)
        assert verdict.after == after
        assert web.retry_after(error) == after

    @pytest.mark.parametrize("value", ["-1", "-1500", "soon", "", "1.5", "+5", "²", b"5", None, 5])
    def test_do_not_retry(self, value):
        """What is negative, or is not a number, asks not to."""
        error = rpc_error("UNAVAILABLE", (PUSHBACK, value))
        assert web.transient(error) is False
        assert web.retry_after(error) is None
        assert web.transient._refused_hint(error) is None

    @pytest.mark.parametrize(("before", "after"), [(999, 1.5), (1000, None)])
    def test_metadata_without_end(self, before, after):
        """Only the first thousand entries are read."""
        padding = [("other", "1")] * before
        endless = itertools.chain(padding, [(PUSHBACK, "1500")], itertools.repeat(("other", "1")))
        error = fake("grpc.RpcError", trailing_metadata=lambda: endless)
        assert web.retry_after(error) == after

    def test_of_what_it_was_made_of(self):
        """A call that has not ended is not waited for; the error inside it is read all the same."""
        inside = rpc_error("UNAVAILABLE", (PUSHBACK, "1500"))
        error = fake("shop.Error", done=lambda: False, response=inside)
        assert web.retry_after(error) == 1.5

    def test_a_text_that_raises(self):
        """It says nothing."""

        class Stubborn(str):
            def isascii(self):
                raise RuntimeError

        error = rpc_error("UNAVAILABLE", (PUSHBACK, Stubborn("5")))
        assert web.retry_after(error) is None
        assert web.transient(error) is True

    def test_more_than_one(self):
        """Is not a number either."""
        error = rpc_error("UNAVAILABLE", (PUSHBACK, "5"), (PUSHBACK, "6"))
        assert web.transient(error) is False
        assert web.retry_after(error) is None

    def test_too_long(self):
        """Beyond `max_retry_after`: give up."""
        for value, refused in (("120001", 120.001), ("9" * 400, 1.7976931348623157e308)):
            error = rpc_error("UNAVAILABLE", (PUSHBACK, value))
            assert web.transient(error) is False
            assert web.transient._refused_hint(error) == refused

    def test_with_another_code(self):
        """A hint does not make a code transient."""
        assert web.transient(rpc_error("NOT_FOUND", (PUSHBACK, "5"))) is False

    @pytest.mark.parametrize("metadata", [None, 7, [7], [("a", "b", "c")], "abc"])
    def test_metadata_of_another_shape(self, metadata):
        """Says nothing."""
        error = rpc_error("UNAVAILABLE")
        error.trailing_metadata = lambda: metadata
        assert web.transient(error) is True

    @pytest.mark.parametrize(("base", "done"), [(object, True), (Exception, False)])
    def test_a_call_that_is_not_over(self, base, done):
        """It would wait for its end: a stream is call and error in one."""
        read = []

        class Call(base):
            def done(self):
                return done

            def trailing_metadata(self):
                read.append(self)
                return [(PUSHBACK, "1500")]

        assert web.retry_after(Call()) is None
        assert read == []

    def test_a_call_that_is_over(self):
        """It has its metadata."""
        error = rpc_error("UNAVAILABLE", (PUSHBACK, "1500"))
        error.done = lambda: True
        assert web.retry_after(error) == 1.5


class TestGoogle:
    """google.api_core: by class, or by code."""

    def error(self, name="GoogleAPICallError", **attributes):
        base = type(fake("google.api_core.exceptions.GoogleAPICallError"))
        return fake(f"google.api_core.exceptions.{name}", base=base, **attributes)

    @pytest.mark.parametrize("code", [*STATUSES, 400, 404, 409, 499, 501])
    def test_codes(self, code):
        """They are HTTP statuses."""
        assert web.transient(self.error(code=code)) is (code in STATUSES)

    @pytest.mark.parametrize("code", [None, "503", ()])
    def test_without_a_code(self, code):
        """Unknown, and lost data, have none."""
        assert web.transient(self.error(code=code)) is False

    def test_aborted(self):
        """Its code is also that of what already exists."""
        assert web.transient(self.error("Aborted", code=409)) is True
        assert web.transient(self.error("AlreadyExists", code=409)) is False

    def test_over_grpc(self):
        """The pushback is in the error that it was made of."""
        for value, after in (("1500", 1.5), ("121000", None), ("-1", None)):
            response = rpc_error("UNAVAILABLE", (PUSHBACK, value))
            verdict = web.transient(self.error("ServiceUnavailable", code=503, response=response))
            assert (verdict.after if after else verdict) == (after or False)

    def test_over_http(self):
        """The headers are in the response."""
        response = types.SimpleNamespace(headers=header("7"))
        assert web.transient(self.error(code=503, response=response)).after == 7.0

    def test_of_its_own_retries(self):
        """What they gave up on decides."""
        given_up = fake("google.api_core.exceptions.RetryError")
        assert web.transient(caused(given_up, self.error(code=503))) is True
        assert web.transient(caused(given_up, self.error(code=404))) is False
        assert web.transient(fake("google.api_core.exceptions.RetryError")) is False

    def test_same_names_elsewhere(self):
        """Many packages share the name `google`."""
        assert web.transient(fake("google.cloud.exceptions.Aborted")) is False
        assert web.transient(fake("google.Aborted")) is False
        assert web.transient(fake("google.api_corex.Aborted")) is False
